/* How signing keys follow one another. */
#include "room_fixture.h"

static bool jwks_names(struct key_ring *ring, const char *kid)
{
    char memory[65536];
    struct buffer jwks = buffer_over(memory, sizeof(memory));

    assert_int_equal(key_ring_format_jwks(ring, clock_now_s(), true, &jwks), RC_OK);
    assert_false(jwks.overflow);
    return memmem(jwks.at, jwks.len, kid, strlen(kid)) != NULL;
}

static bool signs_now(struct key_ring *ring, const char *kid, int64_t now)
{
    struct ring_key *key;
    bool is_it;

    assert_int_equal(key_ring_find(ring, ALG_ES256, now, &key), RC_OK);
    is_it = str_equal(ring_key_id(key), str_of(kid));
    ring_key_put(key);
    return is_it;
}

static void current_kid(struct key_ring *ring, int64_t now, char out_kid[KEY_ID_BYTES + 1])
{
    struct ring_key *key;

    assert_int_equal(key_ring_find(ring, ALG_ES256, now, &key), RC_OK);
    memcpy(out_kid, ring_key_id(key).at, KEY_ID_BYTES);
    out_kid[KEY_ID_BYTES] = '\0';
    ring_key_put(key);
}

/* KY-02: published before it signs, and the old one stays for its tokens' life. */
static void test_ky_02_keys_overlap(void **state)
{
    struct room_fixture *fixture = *state;
    struct key_ring *ring;
    int64_t now = clock_now_s();
    char old_kid[KEY_ID_BYTES + 1];
    char new_kid[KEY_ID_BYTES + 1];

    assert_int_equal(key_ring_open(fixture->store, fixture_master_key, now, &ring), RC_OK);
    current_kid(ring, now, old_kid);
    assert_int_equal(
        key_rotate(fixture->store, fixture_master_key, ALG_ES256, now, now + 100, 50, new_kid),
        RC_OK);
    key_ring_mark_stale(ring);
    assert_int_equal(key_ring_tend(ring, now), RC_OK);

    assert_true(jwks_names(ring, old_kid));
    assert_true(jwks_names(ring, new_kid));
    assert_true(signs_now(ring, old_kid, now + 99));
    assert_true(signs_now(ring, new_kid, now + 100));

    assert_int_equal(key_ring_tend(ring, now + 149), RC_OK);
    assert_true(jwks_names(ring, old_kid));
    assert_int_equal(key_ring_tend(ring, now + 150), RC_OK);
    key_ring_mark_stale(ring);
    assert_int_equal(key_ring_tend(ring, now + 150), RC_OK);
    assert_false(jwks_names(ring, old_kid));
    assert_true(jwks_names(ring, new_kid));
    key_ring_close(ring);
}

/* The retirement of `kid` as stored. */
static int64_t retirement_of(struct room_fixture *fixture, const char *kid)
{
    struct key *rows = arena_alloc(&fixture->arena, KEY_COUNT_MAX * sizeof(*rows));
    size_t count;

    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, rows, KEY_COUNT_MAX, &count),
                     RC_OK);
    for (size_t i = 0; i < count; i++)
        if (str_equal(rows[i].kid, str_of(kid)))
            return rows[i].retires_at;
    fail_msg("no such key");
    return 0;
}

/* KY-02: where a service's JWTs live longer than the overlap, their key stays as long. */
static void test_ky_02_key_outlives_the_longest_token(void **state)
{
    struct room_fixture *fixture = *state;
    struct service service = { .service_id = STR("slow.example"),
                               .format = TOKEN_JWT,
                               .lifetime_s = 30 * 86400 };
    struct key_ring *ring = token_room_keys(fixture->room);
    int64_t now = clock_now_s();
    char old_kid[KEY_ID_BYTES + 1];
    char new_kid[KEY_ID_BYTES + 1];

    fixture_add_service(fixture, service);
    current_kid(ring, now, old_kid);
    assert_int_equal(
        key_rotate(fixture->store, fixture_master_key, ALG_ES256, now, now + 100, 50, new_kid),
        RC_OK);
    assert_int_equal(retirement_of(fixture, old_kid), now + 100 + service.lifetime_s);
    assert_int_equal(retirement_of(fixture, new_kid), 0);
}

/* A rotated key is in the JWKS for whoever asks next, not when the room's thread gets to it. */
static void test_rotation_is_published_at_once(void **state)
{
    struct room_fixture *fixture = *state;
    struct key_ring *ring;
    int64_t now = clock_now_s();
    char memory[64 * 1024];
    struct buffer jwks = buffer_over(memory, sizeof(memory));
    char kid[KEY_ID_BYTES + 1];

    assert_int_equal(key_ring_open(fixture->store, fixture_master_key, now, &ring), RC_OK);
    assert_int_equal(key_ring_format_jwks(ring, now, false, &jwks), RC_OK);
    assert_int_equal(key_rotate(fixture->store, fixture_master_key, ALG_ES256, now, now, 50, kid),
                     RC_OK);
    key_ring_mark_stale(ring);
    jwks.len = 0;
    assert_int_equal(key_ring_format_jwks(ring, now, false, &jwks), RC_WOULD_BLOCK);
    assert_true(jwks.len == 0);
    assert_true(jwks_names(ring, kid));
    assert_int_equal(key_ring_format_jwks(ring, now, false, &jwks), RC_OK);
    key_ring_mark_stale(ring);
    assert_true(signs_now(ring, kid, now));
    key_ring_close(ring);
}

/* KY-02: a key that was overtaken before it signed would sign up to its retirement otherwise. */
static void test_ky_02_overtaken_key_never_signs(void **state)
{
    struct room_fixture *fixture = *state;
    struct key_ring *ring;
    int64_t now = clock_now_s();
    char overtaken[KEY_ID_BYTES + 1];
    char current[KEY_ID_BYTES + 1];

    assert_int_equal(key_rotate(fixture->store, fixture_master_key, ALG_ES256, now, now + 3600,
                                86400, overtaken),
                     RC_OK);
    assert_int_equal(
        key_rotate(fixture->store, fixture_master_key, ALG_ES256, now, now, 86400, current), RC_OK);
    assert_int_equal(key_ring_open(fixture->store, fixture_master_key, now, &ring), RC_OK);
    assert_true(signs_now(ring, current, now));
    assert_true(signs_now(ring, current, now + 3600));
    assert_true(signs_now(ring, current, now + 86399));
    key_ring_close(ring);
}

static void test_old_key_gets_a_successor(void **state)
{
    struct room_fixture *fixture = *state;
    struct key_ring *ring;
    int64_t now = clock_now_s();
    int64_t later = now + KEY_ROTATE_AFTER_S;
    char kid[KEY_ID_BYTES + 1];

    assert_int_equal(key_ring_open(fixture->store, fixture_master_key, now, &ring), RC_OK);
    current_kid(ring, now, kid);
    assert_int_equal(key_ring_tend(ring, later), RC_OK);
    key_ring_mark_stale(ring);
    assert_int_equal(key_ring_tend(ring, later), RC_OK);
    assert_true(signs_now(ring, kid, later + KEY_PUBLISH_LEAD_S - 1));
    assert_false(signs_now(ring, kid, later + KEY_PUBLISH_LEAD_S));
    key_ring_close(ring);
}

/* KY-01: no private member in what is published. */
static void test_ky_01_jwks_is_public(void **state)
{
    static const char *const private_members[] = { "\"d\"", "\"p\"", "\"q\"", "\"dp\"", "\"k\"" };
    struct room_fixture *fixture = *state;

    assert_true(jwks_names(token_room_keys(fixture->room), "\"use\":\"sig\""));
    for (size_t i = 0; i < sizeof(private_members) / sizeof(private_members[0]); i++)
        assert_false(jwks_names(token_room_keys(fixture->room), private_members[i]));
}

/* A store takes so many keys and no more; the last ones that fit still sign, and there is room for
 * the first key of another algorithm, which a server makes by itself. */
static void test_keys_are_bounded(void **state)
{
    struct room_fixture *fixture = *state;
    int64_t now = clock_now_s();
    char kid[KEY_ID_BYTES + 1];
    unsigned count = 0;
    struct ring_key *first;
    struct key_ring *ring;
    enum rc rc = RC_OK;

    while (rc == RC_OK && count < 2 * KEY_COUNT_MAX) {
        rc = key_rotate(fixture->store, fixture_master_key, ALG_ES256, now, now, 50, kid);
        count += rc == RC_OK;
    }
    assert_int_equal(rc, RC_TOO_LARGE);
    assert_in_range(count, KEY_COUNT_MAX / 2, KEY_KEPT_COUNT_MAX);
    assert_int_equal(key_ring_open(fixture->store, fixture_master_key, now, &ring), RC_OK);
    assert_true(signs_now(ring, kid, now));
    assert_int_equal(key_ring_find(ring, ALG_RS256, now, &first), RC_OK);
    ring_key_put(first);
    key_ring_close(ring);
}

/* Another master key cannot open the store's keys, and says so. */
static void test_wrong_master_key_is_told(void **state)
{
    static const unsigned char wrong[SEAL_KEY_BYTES] = { 9 };
    struct room_fixture *fixture = *state;
    static const char long_issuer[TOKEN_ISSUER_BYTES_MAX + 1];
    struct token_room_config config = { .issuer = STR("http://127.0.0.1:8080") };
    struct token_room *room = NULL;
    struct key_ring *ring;

    assert_int_equal(key_ring_open(fixture->store, wrong, clock_now_s(), &ring), RC_CORRUPT);
    /* Nor the one that values are made with. */
    config.master_key = wrong;
    config.store = fixture->store;
    config.catalog = fixture->catalog;
    assert_int_equal(token_room_open(&config, &room), RC_CORRUPT);
    config.master_key = fixture_master_key;
    config.issuer = (struct str){ long_issuer, sizeof(long_issuer) };
    assert_int_equal(token_room_open(&config, &room), RC_INVALID);
    assert_null(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ky_02_keys_overlap, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_ky_02_key_outlives_the_longest_token, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_rotation_is_published_at_once, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_ky_02_overtaken_key_never_signs, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_old_key_gets_a_successor, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_ky_01_jwks_is_public, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_keys_are_bounded, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_master_key_is_told, fixture_set_up,
                                        fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
