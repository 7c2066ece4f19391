/* What memory says of tokens, grants, clients and keys while others write to the same store. */
#include <pthread.h>
#include <sched.h>

#include "../store/stand_in.h"
#include "room_fixture.h"
#include "store/shared.h"
#include "token/room.h"

static int set_up(void **state)
{
    stand_in_reset();
    return fixture_set_up(state);
}

static int tear_down(void **state)
{
    stand_in_reset();
    return fixture_tear_down(state);
}

#define SHARED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Another process commits a text about an id, without its row of the feed. */
static void write_about(struct room_fixture *fixture, const char *before, int64_t id,
                        const char *after)
{
    char text[256];

    snprintf(text, sizeof(text), "%s%lld%s", before, (long long)id, after);
    stand_in_write(fixture->folder, text);
}

static void end_elsewhere(struct room_fixture *fixture, int64_t grant_id)
{
    write_about(fixture, "UPDATE granted SET ended_at = 5 WHERE id = ", grant_id, "");
}

static uint64_t count_changes(struct room_fixture *fixture)
{
    struct store_feed_view view;

    store_view_feed(fixture->store, &view);
    return view.change_count;
}

/* What was missed: the last row that was read is no more. */
static void lose_news(struct room_fixture *fixture)
{
    WAIT_UNTIL(count_changes(fixture) > 0);
    stand_in_write(fixture->folder, "DELETE FROM change");
}

static void wait_until_inactive(struct room_fixture *fixture, struct str value)
{
    WAIT_UNTIL(fixture_find(fixture, value, true) == RC_NOT_FOUND);
}

/* ---- heard of -------------------------------------------------------------------------------- */

static void test_revoked_elsewhere(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct token_draft one = fixture_issue(fixture, grant, TOKEN_OPAQUE);
    struct token_draft other = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    assert_int_equal(fixture_find(fixture, one.value, false), RC_OK);
    write_about(fixture, "INSERT INTO revoked VALUES (", one.row.id, ", 1, 4102444800)");
    stand_in_change(fixture->folder, CHANGE_TOKEN_REVOKED, one.row.id);
    wait_until_inactive(fixture, one.value);
    fixture_assert_inactive(fixture, one.value, clock_now_s(), TOKEN_REVOKED);
    assert_int_equal(fixture_find(fixture, other.value, false), RC_OK);
    grant_put(token_room_grants(fixture->room), grant);
}

static void test_ended_elsewhere(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct live_grant *next;
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    end_elsewhere(fixture, grant->id);
    stand_in_change(fixture->folder, CHANGE_GRANT_ENDED, grant->id);
    wait_until_inactive(fixture, draft.value);
    next = fixture_grant(fixture, "a");
    assert_int_not_equal(next->id, grant->id);
    grant_put(token_room_grants(fixture->room), grant);
    grant_put(token_room_grants(fixture->room), next);
}

/* That a refresh token was spent nobody tells: the store is asked. */
static void test_a_refresh_token_that_was_spent_elsewhere(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct token_record record;
    struct token_draft draft;
    struct store_unit unit;
    int64_t now = clock_now_s();

    assert_int_equal(
        token_draft_refresh(fixture->room, grant, now + 3600, now, &fixture->arena, &draft), RC_OK);
    store_unit_init(&unit);
    store_insert_token(&unit, &draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    token_enter(fixture->room, &draft, now);
    assert_int_equal(token_read(fixture->room, draft.value, &record), RC_OK);
    assert_false(record.row.is_spent);
    grant_put(token_room_grants(fixture->room), record.grant);
    write_about(fixture, "INSERT INTO spent VALUES (", draft.row.id, ", 1, 2, 4102444800)");
    assert_int_equal(token_read(fixture->room, draft.value, &record), RC_OK);
    assert_true(record.row.is_spent);
    grant_put(token_room_grants(fixture->room), record.grant);
    grant_put(token_room_grants(fixture->room), grant);
}

/* ---- late ------------------------------------------------------------------------------------ */

static void assert_nothing_is_believed(struct room_fixture *fixture,
                                       const struct token_draft *draft)
{
    struct key_ring *ring = token_room_keys(fixture->room);
    char memory[65536];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct grant like = { .client_id = fixture->client_id, .scope = STR("a") };
    struct key_view views[KEY_COUNT_MAX];
    struct catalog_service *service;
    struct catalog_client *client;
    struct live_grant *grant;
    struct ring_key *key;
    size_t count;

    assert_int_equal(fixture_find(fixture, draft->value, false), RC_UNAVAILABLE);
    assert_int_equal(fixture_find(fixture, draft->value, true), RC_UNAVAILABLE);
    assert_int_equal(
        grant_find(token_room_grants(fixture->room), draft->row.grant_id, false, &grant),
        RC_UNAVAILABLE);
    assert_int_equal(
        grant_find_standing(token_room_grants(fixture->room), &like, clock_now_s(), &grant),
        RC_UNAVAILABLE);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("demo"), false, &client),
                     RC_UNAVAILABLE);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("nobody"), true, &client),
                     RC_UNAVAILABLE);
    assert_int_equal(
        catalog_find_client_by_id(fixture->catalog, fixture->client_id, false, &client),
        RC_UNAVAILABLE);
    assert_int_equal(catalog_find_service(fixture->catalog, STR("x"), false, &service),
                     RC_UNAVAILABLE);
    assert_int_equal(catalog_find_owner(fixture->catalog, STR("x"), false, &service),
                     RC_UNAVAILABLE);
    assert_int_equal(catalog_list_scopes(fixture->catalog, false, &text), RC_UNAVAILABLE);
    assert_int_equal(catalog_list_password_services(fixture->catalog, false, &text),
                     RC_UNAVAILABLE);
    assert_int_equal(key_ring_find(ring, ALG_ES256, clock_now_s(), &key), RC_UNAVAILABLE);
    assert_int_equal(key_ring_find_by_id(ring, STR("x"), clock_now_s(), &key), RC_UNAVAILABLE);
    assert_int_equal(key_ring_list(ring, clock_now_s(), views, &count), RC_UNAVAILABLE);
    assert_int_equal(text.len, 0);
    /* Public keys are never less true than before. */
    assert_int_equal(key_ring_format_jwks(ring, clock_now_s(), true, &text), RC_OK);
    assert_non_null(memmem(text.at, text.len, "\"kid\"", 5));
}

static void test_a_late_feed_answers_nothing(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    grant_put(token_room_grants(fixture->room), grant);
    assert_int_equal(fixture_find(fixture, draft.value, false), RC_OK);
    atomic_store(&stand_in.is_feed_held, true);
    WAIT_UNTIL(!store_is_trusted(fixture->store));
    assert_nothing_is_believed(fixture, &draft);
    end_elsewhere(fixture, draft.row.grant_id);
    stand_in_change(fixture->folder, CHANGE_GRANT_ENDED, draft.row.grant_id);
    assert_int_equal(fixture_find(fixture, draft.value, false), RC_UNAVAILABLE);
    atomic_store(&stand_in.is_feed_held, false);
    /* The first answer is a true one. */
    WAIT_UNTIL(fixture_find(fixture, draft.value, false) != RC_UNAVAILABLE);
    assert_int_equal(fixture_find(fixture, draft.value, false), RC_NOT_FOUND);
}

static void test_a_lost_engine_answers_nothing(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    grant_put(token_room_grants(fixture->room), grant);
    atomic_store(&stand_in.is_down, true);
    WAIT_UNTIL(!store_is_trusted(fixture->store));
    assert_nothing_is_believed(fixture, &draft);
    atomic_store(&stand_in.is_down, false);
    WAIT_UNTIL(fixture_find(fixture, draft.value, true) == RC_OK);
}

/* ---- missed ---------------------------------------------------------------------------------- */

/* Nobody says what has changed, and yet it is known. */
static void test_what_was_missed_is_forgotten(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *ended = fixture_grant(fixture, "a");
    struct live_grant *living = fixture_grant(fixture, "b");
    struct token_draft of_ended = fixture_issue(fixture, ended, TOKEN_OPAQUE);
    struct token_draft revoked = fixture_issue(fixture, living, TOKEN_OPAQUE);
    struct token_draft good = fixture_issue(fixture, living, TOKEN_OPAQUE);
    struct catalog_client *client;
    struct live_grant *again;
    size_t record_count;
    size_t bytes;

    end_elsewhere(fixture, ended->id);
    write_about(fixture, "INSERT INTO revoked VALUES (", revoked.row.id, ", 1, 4102444800)");
    write_about(fixture, "UPDATE client SET is_disabled = 1 WHERE id = ", fixture->client_id, "");
    assert_int_equal(fixture_find(fixture, of_ended.value, false), RC_OK);
    lose_news(fixture);
    wait_until_inactive(fixture, of_ended.value);
    wait_until_inactive(fixture, revoked.value);
    assert_int_equal(fixture_find(fixture, good.value, true), RC_OK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("demo"), true, &client), RC_OK);
    assert_true(client->client.is_disabled);
    catalog_client_put(client);
    live_count(token_room_live(fixture->room), &record_count, &bytes);
    assert_int_equal(record_count, 1);
    /* Who held them holds them still; whoever asks gets what the store says. */
    assert_false(grant_is_ended(ended));
    assert_true(grant_is_forgotten(ended));
    assert_int_equal(grant_find(grants, ended->id, true, &again), RC_OK);
    assert_ptr_not_equal(again, ended);
    assert_true(grant_is_ended(again));
    grant_put(grants, again);
    grant_put(grants, ended);
    grant_put(grants, living);
}

/* A request that was under way must not leave anything behind that hears of nothing. */
static void test_what_rests_on_the_forgotten_is_not_kept(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *old = fixture_grant(fixture, "a");
    struct grant child = { .client_id = fixture->client_id,
                           .parent_id = old->id,
                           .scope = STR("a"),
                           .audience = STR("") };
    struct live_grant *narrowed;
    struct live_grant *parent;
    struct token_draft draft;
    struct store_unit unit;

    lose_news(fixture);
    WAIT_UNTIL(grant_is_forgotten(old));
    /* Its epoch is a new one, its grant is not. */
    draft = fixture_issue(fixture, old, TOKEN_OPAQUE);
    assert_int_equal(fixture_find(fixture, draft.value, false), RC_WOULD_BLOCK);
    assert_int_equal(fixture_find(fixture, draft.value, true), RC_OK);
    assert_int_equal(fixture_find(fixture, draft.value, false), RC_OK);
    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &child, NULL, clock_now_s(), &unit, &narrowed),
                     RC_OK);
    assert_int_equal(grant_find(grants, old->id, false, &parent), RC_OK);
    assert_ptr_equal(narrowed->parent, parent);
    assert_ptr_not_equal(parent, old);
    grant_put(grants, parent);
    grant_put(grants, narrowed);
    grant_put(grants, old);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static unsigned count_keys(struct room_fixture *fixture, enum signing_alg alg)
{
    struct key *rows = arena_alloc(&fixture->arena, KEY_COUNT_MAX * sizeof(*rows));
    unsigned alg_count = 0;
    size_t count;

    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, rows, KEY_COUNT_MAX, &count),
                     RC_OK);
    for (size_t i = 0; i < count; i++)
        alg_count += rows[i].alg == alg;
    return alg_count;
}

enum { NODE_COUNT = 6 };

/* A node's keys: a ring of its own, which knows nothing of the others but by the store. */
struct node {
    pthread_t thread;
    pthread_barrier_t *barrier;
    struct room_fixture *fixture;
    struct key_ring *ring;
    int64_t now;
    char kid[KEY_ID_BYTES];
};

static void *open_and_find(void *context)
{
    struct node *node = context;
    struct ring_key *key;

    pthread_barrier_wait(node->barrier);
    assert_int_equal(
        key_ring_open(node->fixture->store, fixture_master_key, node->now, &node->ring), RC_OK);
    pthread_barrier_wait(node->barrier);
    assert_int_equal(key_ring_find(node->ring, ALG_RS256, node->now, &key), RC_OK);
    memcpy(node->kid, ring_key_id(key).at, KEY_ID_BYTES);
    ring_key_put(key);
    pthread_barrier_wait(node->barrier);
    assert_int_equal(key_ring_tend(node->ring, node->now + KEY_ROTATE_AFTER_S), RC_OK);
    return NULL;
}

/* The first start of several at once, the first use of an algorithm, and the next key in time. */
static void test_keys_are_made_once(void **state)
{
    struct room_fixture *fixture = *state;
    struct node nodes[NODE_COUNT];
    pthread_barrier_t barrier;

    stand_in_write(fixture->folder, "DELETE FROM signing_key");
    pthread_barrier_init(&barrier, NULL, NODE_COUNT);
    for (int i = 0; i < NODE_COUNT; i++) {
        nodes[i] = (struct node){ .barrier = &barrier, .fixture = fixture, .now = clock_now_s() };
        assert_int_equal(pthread_create(&nodes[i].thread, NULL, open_and_find, &nodes[i]), 0);
    }
    for (int i = 0; i < NODE_COUNT; i++) {
        assert_int_equal(pthread_join(nodes[i].thread, NULL), 0);
        assert_memory_equal(nodes[i].kid, nodes[0].kid, KEY_ID_BYTES);
        key_ring_close(nodes[i].ring);
    }
    pthread_barrier_destroy(&barrier);
    for (int alg = 0; alg < ALG_COUNT; alg++)
        assert_int_equal(count_keys(fixture, (enum signing_alg)alg), 2);
}

/* Several that start on a store without any key read each other's tokens. */
static void test_one_key_of_handles(void **state)
{
    struct room_fixture *fixture = *state;
    struct room_fixture other = *fixture;
    struct token_room_config config = { .store = fixture->store,
                                        .catalog = fixture->catalog,
                                        .master_key = fixture_master_key,
                                        .issuer = STR("http://127.0.0.1:8080") };
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    assert_int_equal(token_room_open(&config, &other.room), RC_OK);
    assert_int_equal(fixture_find(&other, draft.value, true), RC_OK);
    token_room_close(other.room);
    grant_put(token_room_grants(fixture->room), grant);
}

/* ---- all at once ----------------------------------------------------------------------------- */

enum { TURN_COUNT = 40, CROWD_COUNT = 3 };

struct crowd {
    pthread_t thread;
    struct room_fixture *fixture;
    _Atomic bool *is_over;
    struct str value;
    unsigned ok_count;
};

/* Never anything but the three answers that there are. */
static void *ask_again_and_again(void *context)
{
    struct crowd *crowd = context;

    while (!atomic_load(crowd->is_over)) {
        enum rc rc = fixture_find(crowd->fixture, crowd->value, true);

        assert_true(rc == RC_OK || rc == RC_NOT_FOUND || rc == RC_UNAVAILABLE);
        crowd->ok_count += rc == RC_OK;
        sched_yield(); /* the feed's thread is to have its turn */
    }
    return NULL;
}

/* The writer and the feed tell, all is forgotten now and then, and readers load what they find. */
static void test_two_that_tell(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct token_draft good = fixture_issue(fixture, grant, TOKEN_OPAQUE);
    struct crowd crowd[CROWD_COUNT];
    _Atomic bool is_over = false;

    for (int i = 0; i < CROWD_COUNT; i++) {
        crowd[i] = (struct crowd){ .fixture = fixture, .is_over = &is_over, .value = good.value };
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, ask_again_and_again, &crowd[i]), 0);
    }
    for (int turn = 0; turn < TURN_COUNT; turn++) {
        struct token_draft draft = fixture_issue(fixture, grant, TOKEN_OPAQUE);

        assert_int_equal(fixture_find(fixture, draft.value, true), RC_OK);
        if (turn % 8 == 7)
            stand_in_write(fixture->folder, "DELETE FROM change WHERE seq > 1");
        fixture_revoke(fixture, &draft.row);
        assert_int_equal(fixture_find(fixture, draft.value, true), RC_NOT_FOUND);
    }
    end_elsewhere(fixture, grant->id);
    stand_in_change(fixture->folder, CHANGE_GRANT_ENDED, grant->id);
    wait_until_inactive(fixture, good.value);
    atomic_store(&is_over, true);
    for (int i = 0; i < CROWD_COUNT; i++) {
        assert_int_equal(pthread_join(crowd[i].thread, NULL), 0);
        assert_true(crowd[i].ok_count > 0);
    }
    grant_put(grants, grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARED(test_revoked_elsewhere),
        SHARED(test_ended_elsewhere),
        SHARED(test_a_refresh_token_that_was_spent_elsewhere),
        SHARED(test_a_late_feed_answers_nothing),
        SHARED(test_a_lost_engine_answers_nothing),
        SHARED(test_what_was_missed_is_forgotten),
        SHARED(test_what_rests_on_the_forgotten_is_not_kept),
        SHARED(test_keys_are_made_once),
        SHARED(test_one_key_of_handles),
        SHARED(test_two_that_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
