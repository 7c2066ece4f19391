/*
 * Two servers at once: what each of two units decides holds beside the other, as if one writer had
 * run them one after the other. On PostgreSQL; on SQLite both are one server's.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "authorized.h"
#include "people.h"
#include "store/catalog.h"
#include "store/newcomers.h"
#include "store/shared.h"

enum { ROUND_COUNT = 60, JITTER_TURNS = 4000, GRANT_PAGE = 8 };

struct duel;

/* What one of the two does in a round; the answer is kept. */
typedef enum rc move(struct duel *duel, struct store *store, unsigned side);

struct duel {
    struct fixture *fixture;
    struct store *stores[2];
    move *moves[2];
    enum rc answers[2];
    pthread_barrier_t start;
    pthread_barrier_t end;
    bool is_over;

    struct account account;
    struct account other;
    struct client client;
    struct grant grants[2];
    struct token tokens[2];
    struct browser_session sessions[2];
    struct browser_session fresh;
    struct code code;
    struct factor factors[2];
    struct made_permanent permanents[2];
    struct client newcomers[2];
};

/* Not on the stack: the second thread of a duel that failed stays behind. */
static struct duel *duel_new(struct fixture *fixture)
{
    struct duel *duel = malloc(sizeof(*duel));

    assert_non_null(duel);
    *duel = (struct duel){ .fixture = fixture, .stores = { fixture->store, fixture->store } };
    if (store_is_shared(fixture->store))
        assert_int_equal(fixture_try_open(fixture, false, &duel->stores[1]), RC_OK);
    pthread_barrier_init(&duel->start, NULL, 2);
    pthread_barrier_init(&duel->end, NULL, 2);
    return duel;
}

static void duel_free(struct duel *duel)
{
    if (duel->stores[1] != duel->stores[0])
        store_close(duel->stores[1]);
    pthread_barrier_destroy(&duel->start);
    pthread_barrier_destroy(&duel->end);
    free(duel);
}

/* Now one is first and now the other. */
static void wait_a_little(unsigned turns)
{
    for (unsigned turn = 0; turn < turns; turn++)
        atomic_signal_fence(memory_order_seq_cst);
}

static void *second(void *context)
{
    struct duel *duel = context;

    for (unsigned round = 0;; round++) {
        pthread_barrier_wait(&duel->start);
        if (duel->is_over)
            return NULL;
        wait_a_little((round * 37 % 11) * JITTER_TURNS);
        duel->answers[1] = duel->moves[1](duel, duel->stores[1], 1);
        pthread_barrier_wait(&duel->end);
    }
}

static void fight(struct duel *duel, move *first, move *other, void (*prepare)(struct duel *),
                  void (*judge)(struct duel *))
{
    pthread_t thread;

    duel->moves[0] = first;
    duel->moves[1] = other;
    assert_int_equal(pthread_create(&thread, NULL, second, duel), 0);
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        arena_reset(&duel->fixture->arena);
        prepare(duel);
        pthread_barrier_wait(&duel->start);
        wait_a_little((round * 53 % 13) * JITTER_TURNS);
        duel->answers[0] = duel->moves[0](duel, duel->stores[0], 0);
        pthread_barrier_wait(&duel->end);
        judge(duel);
    }
    duel->is_over = true;
    pthread_barrier_wait(&duel->start);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#define COMMIT_AT(to, verb, ...)                                                                   \
    __extension__({                                                                                \
        UNINITIALIZED struct store_unit at_unit;                                                   \
                                                                                                   \
        store_unit_init(&at_unit);                                                                 \
        verb(&at_unit, __VA_ARGS__);                                                               \
        store_commit(to, &at_unit);                                                                \
    })

static void prepare_account(struct duel *duel)
{
    char name[32];

    snprintf(name, sizeof(name), "name-%lld", (long long)fixture_id(duel->fixture, SEQUENCE_NOUN));
    duel->account =
        insert_account(duel->fixture, arena_copy(&duel->fixture->arena, str_of(name)).at);
}

static size_t count_sessions(struct duel *duel)
{
    struct browser_session rows[4];
    size_t count;

    assert_int_equal(store_list_browser_sessions(duel->stores[0], duel->account.id, INT64_MAX,
                                                 &duel->fixture->arena, rows, 4, &count),
                     RC_OK);
    return count;
}

/* ---- SE-06: all sessions end, whatever takes the place of one -------------------------------- */

static void prepare_session(struct duel *duel)
{
    prepare_account(duel);
    duel->sessions[0] = insert_browser_session(duel->fixture, duel->account.id);
    duel->fresh = sample_browser_session(duel->fixture, duel->account.id);
}

static enum rc replace_session(struct duel *duel, struct store *store, unsigned side)
{
    UNINITIALIZED struct store_unit unit;

    (void)side;
    store_unit_init(&unit);
    store_replace_browser_session(&unit, duel->sessions[0].id);
    store_insert_browser_session(&unit, &duel->fresh);
    return store_commit(store, &unit);
}

static enum rc end_sessions(struct duel *duel, struct store *store, unsigned side)
{
    (void)side;
    return COMMIT_AT(store, store_delete_browser_sessions, duel->account.id, 0);
}

static void judge_no_session(struct duel *duel)
{
    assert_true(duel->answers[0] == RC_OK || duel->answers[0] == RC_NOT_FOUND);
    assert_int_equal(duel->answers[1], RC_OK);
    assert_int_equal(count_sessions(duel), 0);
}

static void se_06_no_session_slips_through(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, replace_session, end_sessions, prepare_session, judge_no_session);
    duel_free(duel);
}

/* ---- SE-06: nobody is signed in with the password before ------------------------------------- */

static enum rc sign_in(struct duel *duel, struct store *store, unsigned side)
{
    UNINITIALIZED struct store_unit unit;

    (void)side;
    store_unit_init(&unit);
    store_expect_password_hash(&unit, duel->account.id, duel->account.password_hash);
    store_insert_browser_session(&unit, &duel->fresh);
    return store_commit(store, &unit);
}

static enum rc set_password(struct duel *duel, struct store *store, unsigned side)
{
    (void)side;
    return COMMIT_AT(store, store_set_password_hash, duel->account.id, STR("$argon2id$two"));
}

static void se_06_the_old_password_signs_nobody_in(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, sign_in, set_password, prepare_session, judge_no_session);
    duel_free(duel);
}

/* ---- RT-10: nothing is granted that whoever ends all would not find -------------------------- */

static void prepare_client(struct duel *duel)
{
    char name[32];

    prepare_account(duel);
    snprintf(name, sizeof(name), "app-%lld", (long long)duel->account.id);
    duel->client = sample_client(duel->fixture, arena_copy(&duel->fixture->arena, str_of(name)).at);
    assert_int_equal(COMMIT_ONE(duel->fixture, store_insert_client, &duel->client), RC_OK);
    duel->grants[0] = sample_grant(duel->fixture, true);
    duel->grants[0].client_id = duel->client.id;
    duel->grants[0].account_id = duel->account.id;
    duel->tokens[0] = sample_token(duel->fixture, duel->grants[0].id, false);
}

static enum rc issue(struct duel *duel, struct store *store, unsigned side)
{
    UNINITIALIZED struct store_unit unit;

    (void)side;
    store_unit_init(&unit);
    store_insert_grant(&unit, &duel->grants[0]);
    store_insert_permitted_token(&unit, &duel->tokens[0]);
    return store_commit(store, &unit);
}

static enum rc end_grants_of(struct duel *duel, struct store *store, int64_t account_id,
                             int64_t client_id)
{
    struct arena arena = { 0 };
    struct grant grants[GRANT_PAGE];
    size_t count = 0;
    enum rc rc;

    arena_init(&arena, (size_t)256 * 1024);
    rc = store_list_grants(store, account_id, client_id, INT64_MAX, &arena, grants, GRANT_PAGE,
                           &count);
    for (size_t i = 0; rc == RC_OK && i < count; i++)
        rc = COMMIT_AT(store, store_end_grant, grants[i].id, duel->fixture->now);
    arena_deinit(&arena);
    return rc;
}

static enum rc disable_client(struct duel *duel, struct store *store, unsigned side)
{
    struct client disabled = duel->client;
    enum rc rc;

    (void)side;
    disabled.is_disabled = true;
    rc = COMMIT_AT(store, store_update_client, &disabled);
    return rc == RC_OK ? end_grants_of(duel, store, 0, duel->client.id) : rc;
}

static size_t count_grants(struct duel *duel)
{
    struct grant grants[GRANT_PAGE];
    size_t count;

    assert_int_equal(store_list_grants(duel->stores[0], duel->account.id, 0, INT64_MAX,
                                       &duel->fixture->arena, grants, GRANT_PAGE, &count),
                     RC_OK);
    return count;
}

static void judge_no_grant(struct duel *duel)
{
    assert_true(duel->answers[0] == RC_OK || duel->answers[0] == RC_NOT_FOUND);
    assert_int_equal(duel->answers[1], RC_OK);
    assert_int_equal(count_grants(duel), 0);
}

static void rt_10_a_disabled_client_keeps_nothing(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, issue, disable_client, prepare_client, judge_no_grant);
    duel_free(duel);
}

static void prepare_code(struct duel *duel)
{
    struct authorization authorization;

    prepare_session(duel);
    duel->sessions[1] = sample_browser_session(duel->fixture, duel->account.id);
    duel->sessions[1].login_id = duel->sessions[1].id;
    assert_int_equal(COMMIT_ONE(duel->fixture, store_insert_browser_session, &duel->sessions[1]),
                     RC_OK);
    authorization = sample_authorization(duel->fixture, duel->account.id);
    authorization.login_id = duel->sessions[1].login_id;
    assert_int_equal(COMMIT_ONE(duel->fixture, store_insert_authorization, &authorization), RC_OK);
    duel->code = insert_code(duel->fixture, authorization.id);
    duel->grants[0] = sample_grant(duel->fixture, true);
    duel->grants[0].account_id = duel->account.id;
    duel->grants[0].authorization_id = authorization.id;
}

static enum rc redeem(struct duel *duel, struct store *store, unsigned side)
{
    UNINITIALIZED struct store_unit unit;

    (void)side;
    store_unit_init(&unit);
    store_spend_code(&unit, duel->code.id, duel->grants[0].id, duel->fixture->now);
    store_expect_login(&unit, duel->account.id, duel->sessions[1].login_id);
    store_insert_grant(&unit, &duel->grants[0]);
    return store_commit(store, &unit);
}

static enum rc sign_out(struct duel *duel, struct store *store, unsigned side)
{
    enum rc rc = COMMIT_AT(store, store_delete_browser_session, duel->sessions[1].id);

    (void)side;
    return rc == RC_OK ? end_grants_of(duel, store, duel->account.id, 0) : rc;
}

static void rt_10_a_code_is_not_redeemed_past_the_end_of_its_sign_in(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, redeem, sign_out, prepare_code, judge_no_grant);
    duel_free(duel);
}

/* ---- one of two ------------------------------------------------------------------------------ */

static void judge_one_code(struct duel *duel)
{
    assert_int_equal((duel->answers[0] == RC_OK) + (duel->answers[1] == RC_OK), 1);
    assert_true(duel->answers[0] == RC_SPENT || duel->answers[1] == RC_SPENT);
    assert_int_equal(count_grants(duel), 1);
}

static void prepare_two_grants(struct duel *duel)
{
    prepare_code(duel);
    duel->grants[1] = sample_grant(duel->fixture, true);
    duel->grants[1].account_id = duel->account.id;
}

static enum rc redeem_own(struct duel *duel, struct store *store, unsigned side)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_spend_code(&unit, duel->code.id, duel->grants[side].id, duel->fixture->now);
    store_expect_login(&unit, duel->account.id, duel->sessions[1].login_id);
    store_insert_grant(&unit, &duel->grants[side]);
    return store_commit(store, &unit);
}

static void cp_05_one_redeems_a_code(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, redeem_own, redeem_own, prepare_two_grants, judge_one_code);
    duel_free(duel);
}

static void prepare_administrators(struct duel *duel)
{
    /* Those of the rounds before are none any more. */
    if (duel->account.id != 0)
        (void)COMMIT_ONE(duel->fixture, store_disable_account, duel->account.id);
    if (duel->other.id != 0)
        (void)COMMIT_ONE(duel->fixture, store_disable_account, duel->other.id);
    prepare_account(duel);
    duel->other = duel->account;
    prepare_account(duel);
}

static enum rc demote(struct duel *duel, struct store *store, unsigned side)
{
    return COMMIT_AT(store, store_set_admin, side == 0 ? duel->account.id : duel->other.id, false);
}

static void judge_one(struct duel *duel)
{
    assert_int_equal((duel->answers[0] == RC_OK) + (duel->answers[1] == RC_OK), 1);
}

static void test_an_administrator_stays(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, demote, demote, prepare_administrators, judge_one);
    duel_free(duel);
}

static void prepare_factors(struct duel *duel)
{
    prepare_account(duel);
    for (int i = 0; i < 2; i++) {
        duel->factors[i] = (struct factor){ .id = fixture_id(duel->fixture, SEQUENCE_NOUN),
                                            .account_id = duel->account.id,
                                            .name = STR("app"),
                                            .sealed = STR("x") };
        assert_int_equal(COMMIT_ONE(duel->fixture, store_insert_factor, &duel->factors[i]), RC_OK);
    }
}

static enum rc remove_factor(struct duel *duel, struct store *store, unsigned side)
{
    return COMMIT_AT(store, store_delete_spare_factor, duel->factors[side].id, duel->account.id);
}

static void test_a_second_factor_stays(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, remove_factor, remove_factor, prepare_factors, judge_one);
    duel_free(duel);
}

/* One account for all rounds, full but for one; what was made is revoked again. */
static void prepare_permanents(struct duel *duel)
{
    if (duel->account.id == 0) {
        prepare_account(duel);
        for (int i = 0; i < PERMANENT_LIVING_COUNT_MAX - 1; i++)
            (void)insert_permanent(duel->fixture, duel->account.id, 0);
    }
    for (int i = 0; i < 2; i++) {
        if (duel->answers[i] == RC_OK && duel->permanents[i].grant.id != 0)
            assert_int_equal(COMMIT_ONE(duel->fixture, store_end_grant,
                                        duel->permanents[i].grant.id, duel->fixture->now),
                             RC_OK);
        duel->permanents[i] = sample_permanent(duel->fixture, duel->account.id, 0);
    }
}

static enum rc make_permanent(struct duel *duel, struct store *store, unsigned side)
{
    const struct made_permanent *made = &duel->permanents[side];
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_insert_grant(&unit, &made->grant);
    store_insert_token(&unit, &made->token);
    store_insert_permanent(&unit, &made->permanent);
    return store_commit(store, &unit);
}

static void test_permanent_tokens_have_a_limit(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, make_permanent, make_permanent, prepare_permanents, judge_one);
    duel_free(duel);
}

static void prepare_newcomers(struct duel *duel)
{
    static unsigned number;
    char name[32];

    for (int i = 0; i < 2; i++) {
        if (duel->answers[i] == RC_OK && duel->newcomers[i].id != 0)
            assert_int_equal(COMMIT_ONE(duel->fixture, store_delete_client, duel->newcomers[i].id),
                             RC_OK);
        snprintf(name, sizeof(name), "newcomer-%u", number++);
        duel->newcomers[i] =
            sample_client(duel->fixture, arena_copy(&duel->fixture->arena, str_of(name)).at);
        duel->newcomers[i].policy = CLIENT_IS_REGISTERED;
    }
}

static enum rc register_client(struct duel *duel, struct store *store, unsigned side)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_expect_client_room(&unit, CLIENT_IS_REGISTERED, 1);
    store_insert_client(&unit, &duel->newcomers[side]);
    return store_commit(store, &unit);
}

static void test_clients_that_register_have_a_limit(void **state)
{
    struct duel *duel = duel_new(*state);

    fight(duel, register_client, register_client, prepare_newcomers, judge_one);
    duel_free(duel);
}

/* ---- what another node did is known before anybody is refused for it ------------------------- */

static void test_what_others_committed_is_known(void **state)
{
    struct fixture *fixture = *state;
    struct duel *duel = duel_new(fixture);
    struct catalog_client *entry;
    struct catalog *catalog;

    assert_int_equal(catalog_new(duel->stores[0], &catalog), RC_OK);
    for (int round = 0; round < ROUND_COUNT; round++) {
        struct client client;
        char name[32];

        snprintf(name, sizeof(name), "newcomer-%d", round);
        client = sample_client(fixture, name);
        assert_int_equal(COMMIT_AT(duel->stores[1], store_insert_client, &client), RC_OK);
        assert_int_equal(store_catch_up(duel->stores[0]), RC_OK);
        assert_int_equal(catalog_find_client(catalog, str_of(name), true, &entry), RC_OK);
        catalog_client_put(entry);
    }
    catalog_free(catalog);
    duel_free(duel);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(se_06_no_session_slips_through),
        ON_STORE(se_06_the_old_password_signs_nobody_in),
        ON_STORE(rt_10_a_disabled_client_keeps_nothing),
        ON_STORE(rt_10_a_code_is_not_redeemed_past_the_end_of_its_sign_in),
        ON_STORE(cp_05_one_redeems_a_code),
        ON_STORE(test_an_administrator_stays),
        ON_STORE(test_a_second_factor_stays),
        ON_STORE(test_permanent_tokens_have_a_limit),
        ON_STORE(test_clients_that_register_have_a_limit),
        ON_STORE(test_what_others_committed_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
