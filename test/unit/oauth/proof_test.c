/* One DPoP proof: its twelve checks, once, and its nonce (RFC 9449 4.3, 8, 11.1). */
#include <pthread.h>

#include "proof_fixture.h"

static struct holder key, other_key;

static int make_keys(void **state)
{
    (void)state;
    holder_init(&key, SIGNER_ES256);
    holder_init(&other_key, SIGNER_EDDSA);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    holder_deinit(&key);
    holder_deinit(&other_key);
    return 0;
}

static void assert_bad(struct oauth_fixture *fixture, const char *proof, const char *what)
{
    struct binding binding = { .kind = BINDING_TLS };
    struct outcome outcome = ask_proof(fixture, proof, &binding);

    if (outcome.rc != RC_REFUSED || outcome.error != OAUTH_INVALID_PROOF)
        fail_msg("%s: %s", what, rc_name(outcome.rc));
    assert_int_equal(binding.kind, BINDING_TLS);
}

static void assert_good(struct oauth_fixture *fixture, const struct holder *holder,
                        struct proof_parts parts)
{
    char memory[JWK_THUMBPRINT_TEXT_BYTES + 1] = { 0 };
    struct buffer text = buffer_over(memory, JWK_THUMBPRINT_TEXT_BYTES);
    struct binding binding;
    struct outcome outcome = ask_proof(fixture, proof_make(holder, fixture->now, parts), &binding);

    if (outcome.rc != RC_OK)
        fail_msg("%s", outcome.description);
    assert_int_equal(binding.kind, BINDING_DPOP);
    base64url_encode((struct str){ (const char *)binding.thumbprint, DIGEST_BYTES }, &text);
    assert_string_equal(memory, holder->thumbprint); /* RFC 9449 6.1 */
}

static void test_dp_01_good_proofs_of_each_kind_of_key(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct holder rsa;
    struct binding binding;

    assert_good(fixture, &key, (struct proof_parts){ 0 });
    assert_good(fixture, &other_key, (struct proof_parts){ 0 });
    holder_init(&rsa, SIGNER_RS256);
    assert_good(fixture, &rsa, (struct proof_parts){ 0 });
    holder_deinit(&rsa);
    assert_good(fixture, &key, (struct proof_parts){ .more = ",\"exp\":1,\"unknown\":[{}]" });
    /* No proof is no refusal, and no binding. */
    assert_int_equal(ask_proof(fixture, NULL, &binding).rc, RC_OK);
    assert_int_equal(binding.kind, BINDING_NONE);
}

/* RFC 9449 4.3, 1 */
static void test_dp_01_two_headers(void **state)
{
    struct oauth_fixture *fixture = *state;
    const char *proof = proof_make(&key, fixture->now, (struct proof_parts){ 0 });
    struct asking *asking = asking_new(fixture, &(struct ask){ .proof = proof });
    struct binding binding;

    asking->call.proof.proof_count = 2;
    assert_refused(asking_end(asking, proof_take(&asking->call, &binding)), OAUTH_INVALID_PROOF);
}

/* RFC 9449 4.3, 2 and RFC 7515 5.2 */
static void test_dp_01_no_jwt(void **state)
{
    struct oauth_fixture *fixture = *state;
    char text[PROOF_TEXT_BYTES_MAX + 1];
    static const char *const bad[] = { "",         ".",          "..",   "a.b.c",
                                       "e30.e30.", "e30.e30.AA", "....", "not a token" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_bad(fixture, bad[i], bad[i]);
    snprintf(text, sizeof(text), "%s.", proof_make(&key, fixture->now, (struct proof_parts){ 0 }));
    assert_bad(fixture, text, "a fourth segment");
    snprintf(text, sizeof(text), "%s=", proof_make(&key, fixture->now, (struct proof_parts){ 0 }));
    assert_bad(fixture, text, "padding");
    snprintf(text, sizeof(text), "%s,%s",
             proof_make(&key, fixture->now, (struct proof_parts){ .jti = "a" }), "x");
    assert_bad(fixture, text, "a list");
    memset(text, 'A', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_bad(fixture, text, "longer than any");
}

/* RFC 9449 4.3, 3 to 7. %s stands for the public key's members. */
static void test_dp_01_header_each_check(void **state)
{
    static const struct {
        const char *what;
        const char *header;
    } bad[] = {
        { "no typ", "{\"alg\":\"ES256\",\"jwk\":%s}" },
        { "typ JWT", "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":%s}" },
        { "typ at+jwt", "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"jwk\":%s}" },
        { "typ in capitals", "{\"typ\":\"DPOP+JWT\",\"alg\":\"ES256\",\"jwk\":%s}" },
        { "typ is a number", "{\"typ\":1,\"alg\":\"ES256\",\"jwk\":%s}" },
        { "no alg", "{\"typ\":\"dpop+jwt\",\"jwk\":%s}" },
        { "alg none", "{\"typ\":\"dpop+jwt\",\"alg\":\"none\",\"jwk\":%s}" },
        { "alg symmetric", "{\"typ\":\"dpop+jwt\",\"alg\":\"HS256\",\"jwk\":%s}" },
        { "alg of another key", "{\"typ\":\"dpop+jwt\",\"alg\":\"RS256\",\"jwk\":%s}" },
        { "alg in small letters", "{\"typ\":\"dpop+jwt\",\"alg\":\"es256\",\"jwk\":%s}" },
        { "no jwk", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\"}" },
        { "jwk is a text", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":\"k\"}" },
        { "jwk is empty", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{}}" },
        { "jwk is an array", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":[%s]}" },
        { "jwk symmetric", "{\"typ\":\"dpop+jwt\",\"alg\":\"HS256\","
                           "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}" },
        { "jwk twice", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{},\"jwk\":%s}" },
        { "crit", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"crit\":[\"x\"],\"x\":1,\"jwk\":%s}" },
        { "jku", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jku\":\"https://x/\",\"jwk\":%s}" },
        { "x5c", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"x5c\":[],\"jwk\":%s}" },
        { "b64", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"b64\":true,\"jwk\":%s}" },
        { "zip", "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"zip\":\"DEF\",\"jwk\":%s}" },
    };
    struct oauth_fixture *fixture = *state;
    char header[2048];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *place = strstr(bad[i].header, "%s");

        snprintf(header, sizeof(header), "%.*s%s%s",
                 place == NULL ? (int)strlen(bad[i].header) : (int)(place - bad[i].header),
                 bad[i].header, place == NULL ? "" : key.jwk, place == NULL ? "" : place + 2);
        assert_bad(fixture,
                   proof_make(&key, fixture->now, (struct proof_parts){ .header = header }),
                   bad[i].what);
    }
}

/* RFC 9449 4.3, 6 and 7: another's key, and one that is not only public. */
static void test_dp_01_key_and_signature(void **state)
{
    struct oauth_fixture *fixture = *state;
    char header[2048], text[PROOF_TEXT_BYTES_MAX];
    static const char *const private_members[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };
    struct holder stranger;

    for (size_t i = 0; i < sizeof(private_members) / sizeof(private_members[0]); i++) {
        snprintf(header, sizeof(header),
                 "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"%s\":\"AAAA\",%s}",
                 private_members[i], key.jwk + 1);
        assert_bad(fixture,
                   proof_make(&key, fixture->now, (struct proof_parts){ .header = header }),
                   private_members[i]);
    }
    holder_init(&stranger, SIGNER_ES256);
    snprintf(header, sizeof(header), "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":%s}",
             stranger.jwk);
    assert_bad(fixture, proof_make(&key, fixture->now, (struct proof_parts){ .header = header }),
               "signed with another key");
    holder_deinit(&stranger);
    snprintf(text, sizeof(text), "%s",
             proof_make(&key, fixture->now, (struct proof_parts){ .jti = "changed" }));
    for (size_t at = 0; text[at] != '\0'; at += 7) {
        char was = text[at];

        text[at] = was == 'A' ? 'B' : 'A';
        assert_bad(fixture, text, "changed");
        text[at] = was;
    }
}

/* RFC 9449 4.2, 4.3: 3, 8, 9, 11 */
static void test_dp_01_claims_each_check(void **state)
{
    static const char *const bad[] = {
        "{\"htm\":\"POST\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "{\"jti\":\"\",\"htm\":\"POST\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "{\"jti\":1,\"htm\":\"POST\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htm\":\"post\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htm\":[\"POST\"],\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htm\":\"POST\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"http://127.0.0.1:8080/\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"/oauth2/token\",\"iat\":%lld}",
        "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"" TOKEN_URI "\",\"x\":%lld}",
        "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"" TOKEN_URI "\",\"iat\":\"%lld\"}",
        "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld,\"ath\":1}",
        "{\"jti\":\"a\",\"jti\":\"b\",\"htm\":\"POST\",\"htu\":\"" TOKEN_URI "\",\"iat\":%lld}",
        "[\"a\",%lld]",
        "%lld",
        "{\"a\":%lld",
    };
    struct oauth_fixture *fixture = *state;
    char header[2048], claims[1024], text[PROOF_TEXT_BYTES_MAX], now[24], jti[300];

    snprintf(now, sizeof(now), "%lld", (long long)fixture->now);
    snprintf(header, sizeof(header), "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":%s}",
             key.jwk);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *place = strstr(bad[i], "%lld");

        snprintf(claims, sizeof(claims), "%.*s%s%s", (int)(place - bad[i]), bad[i], now, place + 4);
        proof_sign(&key, header, claims, text);
        assert_bad(fixture, text, claims);
    }
    memset(jti, 'j', sizeof(jti) - 1);
    jti[sizeof(jti) - 1] = '\0';
    assert_bad(fixture, proof_make(&key, fixture->now, (struct proof_parts){ .jti = jti }),
               "a long jti");
    jti[PROOF_JTI_BYTES_MAX] = '\0';
    assert_good(fixture, &key, (struct proof_parts){ .jti = jti });
}

/* RFC 9449 11.1 */
static void test_dp_01_time_window(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const int64_t good[] = { 0, -PROOF_AGE_S_MAX, PROOF_SKEW_S };
    static const int64_t bad[] = {
        -PROOF_AGE_S_MAX - 1, PROOF_SKEW_S + 1, -3600, 3600, INT64_MIN, INT64_MAX
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_good(fixture, &key, (struct proof_parts){ .iat_from_now_s = good[i] });
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t base = bad[i] == INT64_MIN || bad[i] == INT64_MAX ? 0 : fixture->now;

        assert_bad(fixture,
                   proof_make(&key, base, (struct proof_parts){ .iat_from_now_s = bad[i] }),
                   "outside of the window");
    }
}

/* RFC 9449 11.1: once for its key, also on another node and after a restart. */
static void test_dp_02_jti_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    char proof[PROOF_TEXT_BYTES_MAX];
    struct binding binding;

    snprintf(proof, sizeof(proof), "%s",
             proof_make(&key, fixture->now, (struct proof_parts){ .jti = "the same" }));
    assert_int_equal(ask_proof(fixture, proof, &binding).rc, RC_OK);
    assert_bad(fixture, proof, "a second time");
    /* A new signature does not make it new; another key's is not the same. */
    assert_bad(fixture,
               proof_make(&key, fixture->now,
                          (struct proof_parts){ .jti = "the same", .iat_from_now_s = -1 }),
               "the same jti");
    assert_good(fixture, &other_key, (struct proof_parts){ .jti = "the same" });
    assert_good(fixture, &key, (struct proof_parts){ .jti = "the Same" });
    oauth_restart(fixture);
    assert_bad(fixture, proof, "after a restart");
    fixture->now += PROOF_AGE_S_MAX;
    assert_bad(fixture, proof, "at the end of its window");
    fixture->now += 2 * PROOF_SKEW_S;
    assert_bad(fixture, proof, "too old by itself");
}

enum { CROWD_COUNT = 32, ROUND_COUNT = 8 };

struct party {
    struct oauth_fixture *fixture;
    pthread_barrier_t *start;
    const char *proof;
    enum rc rc;
};

static void *prove(void *context)
{
    struct party *party = context;
    struct binding binding;

    pthread_barrier_wait(party->start);
    party->rc = ask_proof(party->fixture, party->proof, &binding).rc;
    return NULL;
}

static void test_dp_02_parallel_replays_one_wins(void **state)
{
    struct party parties[CROWD_COUNT];
    pthread_t threads[CROWD_COUNT];

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct oauth_fixture *fixture = *state;
        char proof[PROOF_TEXT_BYTES_MAX];
        pthread_barrier_t start;
        int won = 0;

        snprintf(proof, sizeof(proof), "%s",
                 proof_make(&key, fixture->now, (struct proof_parts){ 0 }));
        pthread_barrier_init(&start, NULL, CROWD_COUNT);
        for (size_t i = 0; i < CROWD_COUNT; i++) {
            parties[i] = (struct party){ fixture, &start, proof, RC_SYSTEM };
            assert_int_equal(pthread_create(&threads[i], NULL, prove, &parties[i]), 0);
        }
        for (size_t i = 0; i < CROWD_COUNT; i++) {
            pthread_join(threads[i], NULL);
            assert_true(parties[i].rc == RC_OK || parties[i].rc == RC_REFUSED);
            won += parties[i].rc == RC_OK;
        }
        pthread_barrier_destroy(&start);
        assert_int_equal(won, 1);
    }
}

static struct outcome ask_with_nonce(struct oauth_fixture *fixture, const char *nonce)
{
    struct binding binding;

    return ask_proof(
        fixture, proof_make(&key, fixture->now, (struct proof_parts){ .nonce = nonce }), &binding);
}

/* RFC 9449 8: offered with every answer to a proof; a wrong one is refused all the same. */
static void test_dp_03_nonce_is_offered(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = ask_with_nonce(fixture, NULL);

    assert_int_equal(outcome.rc, RC_OK);
    assert_int_equal(strlen(outcome.nonce), 22);
    assert_int_equal(ask_with_nonce(fixture, outcome.nonce).rc, RC_OK);
    outcome = ask_with_nonce(fixture, "AAAAAAAAAAAAAAAAAAAAAA");
    assert_refused(outcome, OAUTH_USE_NONCE);
    assert_int_equal(strlen(outcome.nonce), 22);
    assert_refused(ask_with_nonce(fixture, ""), OAUTH_USE_NONCE);
    /* Also with a refusal of another kind, but not with what has no proof. */
    outcome = ask_proof(fixture, "no proof", &(struct binding){ 0 });
    assert_int_equal(strlen(outcome.nonce), 22);
    outcome = ask_proof(fixture, NULL, &(struct binding){ 0 });
    assert_string_equal(outcome.nonce, "");
}

static void test_dp_03_nonce_rotates(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first, second;

    fixture->now -= fixture->now % PROOF_NONCE_S;
    first = ask_with_nonce(fixture, NULL);
    fixture->now += PROOF_NONCE_S - 1;
    second = ask_with_nonce(fixture, first.nonce);
    assert_int_equal(second.rc, RC_OK);
    assert_string_equal(second.nonce, first.nonce);
    fixture->now += 1;
    second = ask_with_nonce(fixture, first.nonce);
    assert_int_equal(second.rc, RC_OK); /* the one before is good, and the newest is told */
    assert_string_not_equal(second.nonce, first.nonce);
    fixture->now += PROOF_NONCE_S;
    assert_refused(ask_with_nonce(fixture, first.nonce), OAUTH_USE_NONCE);
    assert_int_equal(ask_with_nonce(fixture, second.nonce).rc, RC_OK);
    /* Every node makes the same ones; another master key makes others. */
    oauth_restart(fixture);
    assert_int_equal(ask_with_nonce(fixture, second.nonce).rc, RC_OK);
}

static void test_dp_03_nonce_is_required(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct proof_book *book;
    struct outcome outcome;

    assert_int_equal(proof_book_new(fixture_master_key, true, 0, &book), RC_OK);
    fixture->oauth.proofs = book;
    outcome = ask_with_nonce(fixture, NULL);
    assert_refused(outcome, OAUTH_USE_NONCE);
    assert_int_equal(ask_with_nonce(fixture, outcome.nonce).rc, RC_OK);
    fixture->oauth.proofs = fixture->proofs;
    proof_book_free(book);
}

/* RFC 9449 4.3, 9; RFC 3986 6.2.2 and 6.2.3 */
static void test_dp_05_htu_normalised(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const char *const same[] = { TOKEN_URI "?a=b",
                                        TOKEN_URI "#f",
                                        "HTTP://127.0.0.1:8080/oauth2/token",
                                        TOKEN_URI "?x#y",
                                        "http://127.0.0.1:08080/oauth2/token",
                                        "http://127.0.0.1:8080/oauth2/%74oken",
                                        "http://127.0.0.1:8080/a/../oauth2/token",
                                        "http://127.0.0.1:8080/./oauth2/./token",
                                        "http://127.0.0.1:8080/%2e/oauth2/token" };
    static const char *const other[] = { "http://127.0.0.1:8080/oauth2/token/",
                                         "http://127.0.0.1:8080/oauth2/Token",
                                         "https://127.0.0.1:8080/oauth2/token",
                                         "http://127.0.0.1/oauth2/token",
                                         "http://127.0.0.1:8081/oauth2/token",
                                         "http://localhost:8080/oauth2/token",
                                         "http://u@127.0.0.1:8080/oauth2/token",
                                         "http://127.0.0.1:8080/oauth2%2ftoken",
                                         "http://127.0.0.1:8080//oauth2/token",
                                         "http://127.0.0.1:8080/oauth2/token%00",
                                         "//127.0.0.1:8080/oauth2/token",
                                         "http://127.0.0.1:8080",
                                         "javascript:1",
                                         "http://" };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_good(fixture, &key, (struct proof_parts){ .htu = same[i] });
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_bad(fixture, proof_make(&key, fixture->now, (struct proof_parts){ .htu = other[i] }),
                   other[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_dp_01_good_proofs_of_each_kind_of_key),
        WITH_OAUTH(test_dp_01_two_headers),
        WITH_OAUTH(test_dp_01_no_jwt),
        WITH_OAUTH(test_dp_01_header_each_check),
        WITH_OAUTH(test_dp_01_key_and_signature),
        WITH_OAUTH(test_dp_01_claims_each_check),
        WITH_OAUTH(test_dp_01_time_window),
        WITH_OAUTH(test_dp_02_jti_once),
        WITH_OAUTH(test_dp_02_parallel_replays_one_wins),
        WITH_OAUTH(test_dp_03_nonce_is_offered),
        WITH_OAUTH(test_dp_03_nonce_rotates),
        WITH_OAUTH(test_dp_03_nonce_is_required),
        WITH_OAUTH(test_dp_05_htu_normalised),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
