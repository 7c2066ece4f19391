/* What is bound to a key: given, refreshed, used and introspected (RFC 9449 5, 6, 7; RFC 8705 3).
 */
#include <pthread.h>

#include "proof_fixture.h"

#include "oauth/permanent.h"

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

static const char *proof_of(struct oauth_fixture *fixture, const struct holder *holder)
{
    return proof_make(holder, fixture->now, (struct proof_parts){ 0 });
}

static const char *proof_for(struct oauth_fixture *fixture, const struct holder *holder,
                             const char *access)
{
    return proof_make(holder, fixture->now, (struct proof_parts){ .access = access });
}

static void set_policy(struct oauth_fixture *fixture, const char *client_id, unsigned policy)
{
    struct client client = client_of(fixture, client_id);

    client.policy = policy;
    update_client(fixture, &client);
}

static struct outcome ask_machine(struct oauth_fixture *fixture, const char *proof,
                                  const char *certificate)
{
    return ask_token(fixture, (struct ask){ .client = "machine",
                                            .secret = "machine-secret",
                                            .grant_type = "client_credentials",
                                            .proof = proof,
                                            .certificate = certificate });
}

/* Alice's tokens at a client. */
static struct outcome ask_alice(struct oauth_fixture *fixture, const char *client,
                                const char *secret, const char *proof)
{
    struct outcome outcome = ask_token(fixture, (struct ask){ .client = client,
                                                              .secret = secret,
                                                              .proof = proof,
                                                              .grant_type = "password",
                                                              .username = "alice",
                                                              .password = "alice-password",
                                                              .scope = "read" });

    assert_int_equal(outcome.rc, RC_OK);
    return outcome;
}

static struct outcome ask_refresh(struct oauth_fixture *fixture, const char *client,
                                  const char *secret, const char *token, const char *proof)
{
    return ask_token(fixture, (struct ask){ .client = client,
                                            .secret = secret,
                                            .proof = proof,
                                            .grant_type = "refresh_token",
                                            .refresh_token = token });
}

static void assert_usable(struct oauth_fixture *fixture, const struct holder *holder,
                          const char *access, bool is_good)
{
    struct outcome outcome =
        use_token(fixture, (struct use){ .access = access,
                                         .is_dpop = true,
                                         .proof = proof_for(fixture, holder, access) });

    assert_int_equal(outcome.rc, is_good ? RC_OK : RC_REFUSED);
    if (!is_good)
        assert_int_equal(outcome.error, OAUTH_INVALID_TOKEN);
}

/* ---- giving ---------------------------------------------------------------------------------- */

/* RFC 9449 5: token_type says that the token is bound. */
static void test_dp_01_tokens_are_bound(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = ask_machine(fixture, proof_of(fixture, &key), NULL);

    assert_int_equal(outcome.rc, RC_OK);
    assert_non_null(strstr(outcome.json, "\"token_type\":\"DPoP\""));
    assert_usable(fixture, &key, outcome.access, true);
    outcome = ask_machine(fixture, NULL, NULL);
    assert_non_null(strstr(outcome.json, "\"token_type\":\"Bearer\""));
    /* A bad proof gets nothing, not even a Bearer token. */
    assert_refused(ask_machine(fixture, "no proof", NULL), OAUTH_INVALID_PROOF);
    outcome = ask_alice(fixture, "web", "web-secret", proof_of(fixture, &key));
    assert_non_null(strstr(outcome.json, "\"token_type\":\"DPoP\""));
    assert_usable(fixture, &key, outcome.access, true);
}

enum { CROWD_COUNT = 16 };

struct party {
    struct oauth_fixture *fixture;
    pthread_barrier_t *start;
    const char *proof;
    struct outcome outcome;
};

static void *ask_at_once(void *context)
{
    struct party *party = context;

    pthread_barrier_wait(party->start);
    party->outcome = ask_machine(party->fixture, party->proof, NULL);
    return NULL;
}

/* The proof is spent in the transaction that grants. */
static void test_dp_02_parallel_requests_one_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct party *parties = calloc(CROWD_COUNT, sizeof(*parties));
    char proof[PROOF_TEXT_BYTES_MAX];
    pthread_t threads[CROWD_COUNT];
    pthread_barrier_t start;
    int won = 0;

    assert_non_null(parties);
    snprintf(proof, sizeof(proof), "%s", proof_of(fixture, &key));
    pthread_barrier_init(&start, NULL, CROWD_COUNT);
    for (size_t i = 0; i < CROWD_COUNT; i++) {
        parties[i] = (struct party){ .fixture = fixture, .start = &start, .proof = proof };
        assert_int_equal(pthread_create(&threads[i], NULL, ask_at_once, &parties[i]), 0);
    }
    for (size_t i = 0; i < CROWD_COUNT; i++) {
        pthread_join(threads[i], NULL);
        won += parties[i].outcome.rc == RC_OK;
        if (parties[i].outcome.rc != RC_OK)
            assert_refused(parties[i].outcome, OAUTH_INVALID_PROOF);
    }
    pthread_barrier_destroy(&start);
    free(parties);
    assert_int_equal(won, 1);
}

/* RFC 9449 5.2, RFC 8705 3.4 */
static void test_dp_01_registered_clients_have_to_prove(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome;

    set_policy(fixture, "machine", CLIENT_BINDS_DPOP);
    outcome = ask_machine(fixture, NULL, NULL);
    assert_refused(outcome, OAUTH_INVALID_PROOF);
    assert_int_equal(strlen(outcome.nonce), 22);
    assert_int_equal(ask_machine(fixture, proof_of(fixture, &key), NULL).rc, RC_OK);
    set_policy(fixture, "machine", CLIENT_BINDS_TLS);
    assert_refused(ask_machine(fixture, NULL, NULL), OAUTH_INVALID_REQUEST);
    assert_int_equal(ask_machine(fixture, NULL, "certificate").rc, RC_OK);
}

/* ---- using ----------------------------------------------------------------------------------- */

/* RFC 9449 7.1, 7.2 */
static void test_be_06_bound_token_is_no_bearer_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome bound = ask_machine(fixture, proof_of(fixture, &key), NULL);
    struct outcome free_one = ask_machine(fixture, NULL, NULL);
    struct use use = { .access = bound.access };

    assert_refused(use_token(fixture, use), OAUTH_INVALID_TOKEN);
    use.proof = proof_for(fixture, &key, bound.access);
    assert_refused(use_token(fixture, use), OAUTH_INVALID_TOKEN);
    use = (struct use){ .access = bound.access, .is_dpop = true };
    assert_refused(use_token(fixture, use), OAUTH_INVALID_PROOF);
    /* And the reverse. */
    use = (struct use){ .access = free_one.access, .is_dpop = true };
    assert_refused(use_token(fixture, use), OAUTH_INVALID_TOKEN);
    use.proof = proof_for(fixture, &key, free_one.access);
    assert_refused(use_token(fixture, use), OAUTH_INVALID_TOKEN);
    use.is_dpop = false;
    assert_int_equal(use_token(fixture, use).rc, RC_OK);
}

/* RFC 9449 4.3, 12; 11.1 */
static void test_dp_01_holder_of_the_key_alone(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome bound = ask_machine(fixture, proof_of(fixture, &key), NULL);
    char proof[PROOF_TEXT_BYTES_MAX];
    struct use use = { .access = bound.access, .is_dpop = true };

    assert_usable(fixture, &key, bound.access, true);
    assert_usable(fixture, &other_key, bound.access, false);
    use.proof = proof_of(fixture, &key);
    assert_refused(use_token(fixture, use), OAUTH_INVALID_PROOF); /* no ath */
    use.proof = proof_for(fixture, &key, "another token");
    assert_refused(use_token(fixture, use), OAUTH_INVALID_PROOF);
    snprintf(proof, sizeof(proof), "%s", proof_for(fixture, &key, bound.access));
    use.proof = proof;
    use.is_barred = true;
    assert_int_equal(use_token(fixture, use).rc, RC_WOULD_BLOCK);
    use.is_barred = false;
    assert_int_equal(use_token(fixture, use).rc, RC_OK);
    assert_refused(use_token(fixture, use), OAUTH_INVALID_PROOF); /* DP-02 */
}

/* RFC 8705 3 */
static void test_mt_01_certificate_of_the_token_alone(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome;
    struct use use = { .certificate = "certificate" };

    /* It binds where the client is registered so; by itself it is how the client connected. */
    outcome = ask_machine(fixture, NULL, "certificate");
    use.access = outcome.access;
    use.certificate = NULL;
    assert_int_equal(use_token(fixture, use).rc, RC_OK);
    set_policy(fixture, "machine", CLIENT_BINDS_TLS);
    outcome = ask_machine(fixture, NULL, "certificate");
    assert_non_null(strstr(outcome.json, "\"token_type\":\"Bearer\""));
    use = (struct use){ .access = outcome.access, .certificate = "certificate" };
    assert_int_equal(use_token(fixture, use).rc, RC_OK);
    use.is_barred = true; /* nothing to wait for */
    assert_int_equal(use_token(fixture, use).rc, RC_OK);
    use.certificate = "other certificate";
    assert_refused(use_token(fixture, use), OAUTH_INVALID_TOKEN);
    use.certificate = NULL;
    assert_refused(use_token(fixture, use), OAUTH_INVALID_TOKEN);
    use.certificate = "certificate";
    use.is_dpop = true;
    assert_refused(use_token(fixture, use), OAUTH_INVALID_TOKEN);
}

/* RFC 8705 3.2, RFC 9449 6.2 */
static void test_in_06_introspection_says_what_binds(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct ask ask = { .client = "machine", .secret = "machine-secret" };
    struct outcome bound = ask_machine(fixture, proof_of(fixture, &key), NULL);
    struct outcome answer;
    char wanted[128];

    ask.token = bound.access;
    answer = ask_introspection(fixture, ask);
    snprintf(wanted, sizeof(wanted), "\"cnf\":{\"jkt\":\"%s\"}", key.thumbprint);
    assert_non_null(strstr(answer.json, wanted));
    assert_non_null(strstr(answer.json, "\"token_type\":\"DPoP\""));
    set_policy(fixture, "machine", CLIENT_BINDS_TLS);
    bound = ask_machine(fixture, NULL, "certificate");
    ask.token = bound.access;
    answer = ask_introspection(fixture, ask);
    assert_non_null(strstr(answer.json, "\"cnf\":{\"x5t#S256\":\""));
    assert_non_null(strstr(answer.json, "\"token_type\":\"Bearer\""));
    set_policy(fixture, "machine", 0);
    bound = ask_machine(fixture, NULL, NULL);
    ask.token = bound.access;
    assert_null(strstr(ask_introspection(fixture, ask).json, "cnf"));
}

/* ---- refreshing ------------------------------------------------------------------------------ */

/* RFC 9449 5: the refresh token of a public client is bound, too. Who lacks its key ends nothing.
 */
static void test_rt_07_public_client_has_to_prove_the_same_key(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = ask_alice(fixture, "spa", NULL, proof_of(fixture, &key));
    struct outcome next;

    assert_refused(ask_refresh(fixture, "spa", NULL, first.refresh, NULL), OAUTH_INVALID_PROOF);
    assert_refused(ask_refresh(fixture, "spa", NULL, first.refresh, proof_of(fixture, &other_key)),
                   OAUTH_INVALID_GRANT);
    next = ask_refresh(fixture, "spa", NULL, first.refresh, proof_of(fixture, &key));
    assert_int_equal(next.rc, RC_OK);
    assert_non_null(strstr(next.json, "\"token_type\":\"DPoP\""));
    assert_usable(fixture, &key, next.access, true);
    /* A second use by another ends no family; by the holder it is a lost answer, told again. */
    assert_refused(ask_refresh(fixture, "spa", NULL, first.refresh, proof_of(fixture, &other_key)),
                   OAUTH_INVALID_GRANT);
    assert_refused(ask_refresh(fixture, "spa", NULL, first.refresh, NULL), OAUTH_INVALID_PROOF);
    assert_usable(fixture, &key, next.access, true);
    assert_string_equal(
        ask_refresh(fixture, "spa", NULL, first.refresh, proof_of(fixture, &key)).json, next.json);
    /* Whoever holds the key and comes too late does (RT-02). */
    assert_int_equal(ask_refresh(fixture, "spa", NULL, next.refresh, proof_of(fixture, &key)).rc,
                     RC_OK);
    assert_refused(ask_refresh(fixture, "spa", NULL, first.refresh, proof_of(fixture, &key)),
                   OAUTH_INVALID_GRANT);
    assert_false(is_active(fixture, next.access));
}

/* RFC 9449 5: of a confidential client it is bound to the client, who may have a new key. */
static void test_rt_07_confidential_client_may_change_its_key(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = ask_alice(fixture, "web", "web-secret", proof_of(fixture, &key));
    struct outcome next =
        ask_refresh(fixture, "web", "web-secret", first.refresh, proof_of(fixture, &other_key));

    assert_int_equal(next.rc, RC_OK);
    assert_usable(fixture, &other_key, next.access, true);
    assert_usable(fixture, &key, next.access, false);
    assert_usable(fixture, &key, first.access, true);
    /* What was bound is not set free. */
    assert_refused(ask_refresh(fixture, "web", "web-secret", next.refresh, NULL),
                   OAUTH_INVALID_PROOF);
    next = ask_refresh(fixture, "web", "web-secret", next.refresh, proof_of(fixture, &key));
    assert_int_equal(next.rc, RC_OK);
    assert_usable(fixture, &key, next.access, true);
}

/* One that was a Bearer token's becomes a key's when a proof comes. */
static void test_rt_07_key_may_come_later(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = ask_alice(fixture, "web", "web-secret", NULL);
    struct outcome next =
        ask_refresh(fixture, "web", "web-secret", first.refresh, proof_of(fixture, &key));

    assert_int_equal(next.rc, RC_OK);
    assert_usable(fixture, &key, next.access, true);
    assert_refused(use_token(fixture, (struct use){ .access = next.access }), OAUTH_INVALID_TOKEN);
}

/* A proof that came before spends no refresh token. */
static void test_rt_07_replayed_proof_spends_nothing(void **state)
{
    struct oauth_fixture *fixture = *state;
    char proof[PROOF_TEXT_BYTES_MAX];
    struct outcome first;

    snprintf(proof, sizeof(proof), "%s", proof_of(fixture, &key));
    first = ask_alice(fixture, "spa", NULL, proof);
    assert_refused(ask_refresh(fixture, "spa", NULL, first.refresh, proof), OAUTH_INVALID_PROOF);
    assert_int_equal(ask_refresh(fixture, "spa", NULL, first.refresh, proof_of(fixture, &key)).rc,
                     RC_OK);
    /* Nor is the answer to a lost one told for it. */
    assert_refused(ask_refresh(fixture, "spa", NULL, first.refresh, proof), OAUTH_INVALID_PROOF);
    /* With its keeping profile, too. */
    first = ask_alice(fixture, "web", "web-secret", NULL);
    assert_refused(
        ask_token(fixture, (struct ask){ AS_WEB, .grant_type = "refresh_token",
                                         .refresh_token = first.refresh, .proof = proof }),
        OAUTH_INVALID_PROOF);
}

/* RFC 8705 7.1 */
static void test_mt_01_refresh_of_a_public_client(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct ask ask = { .client = "spa",
                       .grant_type = "password",
                       .username = "alice",
                       .password = "alice-password",
                       .certificate = "certificate" };
    struct outcome first;

    set_policy(fixture, "spa", CLIENT_BINDS_TLS);
    first = ask_token(fixture, ask);
    assert_int_equal(first.rc, RC_OK);
    ask = (struct ask){ .client = "spa",
                        .grant_type = "refresh_token",
                        .refresh_token = first.refresh,
                        .certificate = "other certificate" };
    assert_refused(ask_token(fixture, ask), OAUTH_INVALID_GRANT);
    set_policy(fixture, "spa", 0); /* what is bound stays so */
    ask.certificate = NULL;
    assert_refused(ask_token(fixture, ask), OAUTH_INVALID_REQUEST);
    ask.certificate = "certificate";
    assert_int_equal(ask_token(fixture, ask).rc, RC_OK);
}

/* ---- permanent tokens ------------------------------------------------------------------------ */

static struct outcome rotate_permanent(struct oauth_fixture *fixture, const struct account *account,
                                       int64_t id, struct str *out_value, char *out_text)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct permanent permanent;
    struct permanent_fault fault;
    enum rc rc = permanent_rotate(&asking->call, account, id, 0, &permanent, out_value, &fault);

    if (rc == RC_OK)
        snprintf(out_text, 2048, "%.*s", STR_ARGS(*out_value));
    return asking_end(asking, rc);
}

static void test_be_06_permanent_token_of_a_key(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct asking *asking = asking_new(fixture, &(struct ask){ .proof = proof_of(fixture, &key) });
    struct account account = account_of(fixture, "alice");
    struct permanent_demand demand = { .name = STR("bound"), .scope = STR("api.read") };
    struct permanent permanent;
    struct permanent_fault fault;
    struct str value;
    char text[2048];

    assert_int_equal(proof_take(&asking->call, &demand.binding), RC_OK);
    assert_int_equal(
        permanent_create(&asking->call, &account, &demand, 0, &permanent, &value, &fault), RC_OK);
    snprintf(text, sizeof(text), "%.*s", STR_ARGS(value));
    asking_end(asking, RC_OK);
    assert_refused(use_token(fixture, (struct use){ .access = text }), OAUTH_INVALID_TOKEN);
    assert_usable(fixture, &other_key, text, false);
    assert_usable(fixture, &key, text, true);
    /* Its successor is bound to the same key. */
    assert_int_equal(rotate_permanent(fixture, &account, permanent.id, &value, text).rc, RC_OK);
    assert_refused(use_token(fixture, (struct use){ .access = text }), OAUTH_INVALID_TOKEN);
    assert_usable(fixture, &key, text, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_dp_01_tokens_are_bound),
        WITH_OAUTH(test_dp_02_parallel_requests_one_token),
        WITH_OAUTH(test_dp_01_registered_clients_have_to_prove),
        WITH_OAUTH(test_be_06_bound_token_is_no_bearer_token),
        WITH_OAUTH(test_dp_01_holder_of_the_key_alone),
        WITH_OAUTH(test_mt_01_certificate_of_the_token_alone),
        WITH_OAUTH(test_in_06_introspection_says_what_binds),
        WITH_OAUTH(test_rt_07_public_client_has_to_prove_the_same_key),
        WITH_OAUTH(test_rt_07_confidential_client_may_change_its_key),
        WITH_OAUTH(test_rt_07_key_may_come_later),
        WITH_OAUTH(test_rt_07_replayed_proof_spends_nothing),
        WITH_OAUTH(test_mt_01_refresh_of_a_public_client),
        WITH_OAUTH(test_be_06_permanent_token_of_a_key),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
