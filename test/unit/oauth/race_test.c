/* Requests that meet: many refreshes, refresh and revocation, sign-in and the end of the right. */
#include <pthread.h>

#include "fixture.h"

enum { CROWD_COUNT = 64, RT_03_ROUND_COUNT = 12, ROUND_COUNT = 12, PARTY_COUNT = 8 };

/* What one thread does once all have come together. */
struct party {
    struct oauth_fixture *fixture;
    pthread_barrier_t *start;
    struct outcome first;
    struct outcome last; /* what it was told */
    int number;
};

static void run_parties(struct oauth_fixture *fixture, void *(*run)(void *), size_t count,
                        struct party *parties, pthread_t *threads, pthread_barrier_t *start)
{
    for (size_t i = 0; i < count; i++) {
        parties[i].fixture = fixture;
        parties[i].start = start;
        parties[i].number = (int)i;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &parties[i]), 0);
    }
}

static void join_all(const pthread_t *threads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void *refresh_once(void *context)
{
    struct party *party = context;

    pthread_barrier_wait(party->start);
    party->last = refresh(party->fixture, party->first.refresh, NULL);
    return NULL;
}

/* RT-03: however many come at once with one token, there is one successor, and all are told it. */
static void test_rt_03_one_successor(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct party *parties = calloc(CROWD_COUNT, sizeof(*parties));
    struct outcome current = sign_in(fixture, "read");
    pthread_t threads[CROWD_COUNT];

    for (int round = 0; round < RT_03_ROUND_COUNT; round++) {
        pthread_barrier_t start;

        pthread_barrier_init(&start, NULL, CROWD_COUNT);
        for (size_t i = 0; i < CROWD_COUNT; i++)
            parties[i].first = current;
        run_parties(fixture, refresh_once, CROWD_COUNT, parties, threads, &start);
        join_all(threads, CROWD_COUNT);
        pthread_barrier_destroy(&start);
        for (size_t i = 0; i < CROWD_COUNT; i++) {
            assert_int_equal(parties[i].last.rc, RC_OK);
            assert_string_equal(parties[i].last.json, parties[0].last.json);
        }
        assert_string_not_equal(parties[0].last.refresh, current.refresh);
        current = parties[0].last;
        assert_true(is_active(fixture, current.access));
    }
    free(parties);
}

/* Goes on refreshing its own family, every other time with less scope, until it is refused. */
static void *refresh_until_refused(void *context)
{
    struct party *party = context;
    struct outcome current = party->first;

    pthread_barrier_wait(party->start);
    for (int turn = party->number; current.rc == RC_OK; turn++) {
        party->last = current;
        current = refresh(party->fixture, current.refresh, turn % 2 == 0 ? NULL : "read");
    }
    return NULL;
}

/* RT-06: nothing of the family is valid once the revocation was answered, whatever was under way.
 */
static void test_rt_06_revocation_races_with_refresh(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct party *parties = calloc(PARTY_COUNT, sizeof(*parties));
    pthread_t threads[PARTY_COUNT];

    for (int round = 0; round < ROUND_COUNT; round++) {
        pthread_barrier_t start;

        pthread_barrier_init(&start, NULL, PARTY_COUNT + 1);
        for (size_t i = 0; i < PARTY_COUNT; i++)
            parties[i].first = sign_in(fixture, "read api.read");
        run_parties(fixture, refresh_until_refused, PARTY_COUNT, parties, threads, &start);
        pthread_barrier_wait(&start);
        for (size_t i = 0; i < PARTY_COUNT; i++) {
            struct ask ask = { AS_WEB, .token = parties[i].first.refresh };

            assert_int_equal(ask_revocation(fixture, ask).rc, RC_OK);
            assert_false(is_active(fixture, parties[i].first.access));
        }
        join_all(threads, PARTY_COUNT);
        pthread_barrier_destroy(&start);
        for (size_t i = 0; i < PARTY_COUNT; i++) {
            assert_false(is_active(fixture, parties[i].last.access));
            assert_refused(refresh(fixture, parties[i].last.refresh, NULL), OAUTH_INVALID_GRANT);
        }
    }
    free(parties);
}

/* ---- RT-10: the right ends while a grant is under way --------------------------------------- */

static void *sign_in_once(void *context)
{
    struct party *party = context;
    /* One half with a family, the other with a standing grant. */
    struct ask ask = { .grant_type = "password",
                       .username = "alice",
                       .password = "alice-password",
                       .scope = "service_id=api.example" };

    if (party->number % 2 == 0)
        ask = (struct ask){ AS_WEB, .grant_type = "password", .username = "alice",
                            .password = "alice-password", .scope = "read" };
    pthread_barrier_wait(party->start);
    party->last = ask_token(party->fixture, ask);
    return NULL;
}

static void *ask_for_client(void *context)
{
    struct party *party = context;
    char scope[64];

    /* A grant that nobody had before: with each round another order of the words. */
    snprintf(scope, sizeof(scope), "%s",
             party->number % 2 == 0 ? "read api.read write" : "write read jwt.read");
    pthread_barrier_wait(party->start);
    party->last = ask_token(
        party->fixture, (struct ask){ AS_WEB, .scope = scope, .grant_type = "client_credentials" });
    return NULL;
}

/* As the command line does it: first the commit, then the end of every grant there is. */
static void end_living_grants(struct oauth_fixture *fixture)
{
    struct grant grants[4];
    size_t count;

    do {
        struct arena arena;

        arena_init(&arena, 1 << 20);
        assert_int_equal(
            store_list_grants(fixture->room->store, 0, 0, INT64_MAX, &arena, grants, 4, &count),
            RC_OK);
        for (size_t i = 0; i < count; i++)
            fixture_end_grant(fixture->room, grants[i].id);
        arena_deinit(&arena);
    } while (count > 0);
}

static void set_alice(struct oauth_fixture *fixture, bool is_disabled)
{
    set_disabled(fixture, "alice", is_disabled);
}

static void set_web(struct oauth_fixture *fixture, bool is_disabled)
{
    struct catalog_client *entry;
    struct client client;
    struct store_unit unit;

    assert_int_equal(catalog_find_client(fixture->room->catalog, STR("web"), true, &entry), RC_OK);
    client = entry->client;
    client.is_disabled = is_disabled;
    store_unit_init(&unit);
    store_update_client(&unit, &client);
    commit(fixture, &unit);
    catalog_client_put(entry);
}

static void race_the_end(struct oauth_fixture *fixture, void *(*run)(void *),
                         void (*set)(struct oauth_fixture *, bool))
{
    struct party *parties = calloc(PARTY_COUNT, sizeof(*parties));
    pthread_t threads[PARTY_COUNT];

    for (int round = 0; round < ROUND_COUNT; round++) {
        pthread_barrier_t start;

        pthread_barrier_init(&start, NULL, PARTY_COUNT + 1);
        run_parties(fixture, run, PARTY_COUNT, parties, threads, &start);
        pthread_barrier_wait(&start);
        set(fixture, true);
        end_living_grants(fixture);
        join_all(threads, PARTY_COUNT);
        pthread_barrier_destroy(&start);
        for (size_t i = 0; i < PARTY_COUNT; i++)
            if (parties[i].last.rc == RC_OK)
                assert_false(is_active(fixture, parties[i].last.access));
            else
                assert_int_equal(parties[i].last.rc, RC_REFUSED);
        set(fixture, false);
        for (size_t i = 0; i < PARTY_COUNT; i++)
            if (parties[i].last.refresh[0] != '\0')
                assert_refused(refresh(fixture, parties[i].last.refresh, NULL),
                               OAUTH_INVALID_GRANT);
    }
    free(parties);
}

static void test_rt_10_account_is_disabled_during_a_sign_in(void **state)
{
    race_the_end(*state, sign_in_once, set_alice);
}

static void test_rt_10_client_is_disabled_during_its_request(void **state)
{
    struct oauth_fixture *fixture = *state;

    /* Its secret is remembered, so that no hash stands between. */
    sign_in(fixture, "read");
    race_the_end(fixture, ask_for_client, set_web);
}

/* ---- refresh tokens that are kept ------------------------------------------------------------ */

static const struct token_profile keeping = { .format = token_answer_format,
                                              .keeps_refresh = true };

/* Uses one refresh token until it is refused, every other time with less scope. */
static void *keep_until_refused(void *context)
{
    struct party *party = context;
    struct outcome current = party->first;

    pthread_barrier_wait(party->start);
    for (int turn = party->number; current.rc == RC_OK; turn++) {
        struct ask ask = { AS_WEB, .profile = &keeping, .grant_type = "refresh_token",
                           .refresh_token = party->first.refresh,
                           .scope = turn % 2 == 0 ? NULL : "read" };

        party->last = current;
        current = ask_token(party->fixture, ask);
    }
    assert_int_equal(current.rc, RC_REFUSED);
    return NULL;
}

static void revoke_family(struct oauth_fixture *fixture, const struct outcome *family)
{
    assert_int_equal(ask_revocation(fixture, (struct ask){ AS_WEB, .token = family->refresh }).rc,
                     RC_OK);
}

static void disable_alice(struct oauth_fixture *fixture, const struct outcome *family)
{
    (void)family;
    set_disabled(fixture, "alice", true);
    end_living_grants(fixture);
}

/* All use the one token of one family when it ends: no access token of theirs outlives that. */
static void race_the_kept(struct oauth_fixture *fixture,
                          void (*end)(struct oauth_fixture *, const struct outcome *))
{
    struct party *parties = calloc(PARTY_COUNT, sizeof(*parties));
    pthread_t threads[PARTY_COUNT];

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct outcome family = sign_in(fixture, "read api.read");
        pthread_barrier_t start;

        pthread_barrier_init(&start, NULL, PARTY_COUNT + 1);
        for (size_t i = 0; i < PARTY_COUNT; i++)
            parties[i].first = family;
        run_parties(fixture, keep_until_refused, PARTY_COUNT, parties, threads, &start);
        pthread_barrier_wait(&start);
        end(fixture, &family);
        join_all(threads, PARTY_COUNT);
        pthread_barrier_destroy(&start);
        for (size_t i = 0; i < PARTY_COUNT; i++)
            assert_false(is_active(fixture, parties[i].last.access));
        set_disabled(fixture, "alice", false);
        assert_refused(refresh(fixture, family.refresh, NULL), OAUTH_INVALID_GRANT);
    }
    free(parties);
}

static void test_rt_06_revocation_races_with_kept_refresh(void **state)
{
    race_the_kept(*state, revoke_family);
}

static void test_rt_10_account_is_disabled_during_kept_refresh(void **state)
{
    race_the_kept(*state, disable_alice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_rt_03_one_successor),
        WITH_OAUTH(test_rt_06_revocation_races_with_refresh),
        WITH_OAUTH(test_rt_06_revocation_races_with_kept_refresh),
        WITH_OAUTH(test_rt_10_account_is_disabled_during_kept_refresh),
        WITH_OAUTH(test_rt_10_account_is_disabled_during_a_sign_in),
        WITH_OAUTH(test_rt_10_client_is_disabled_during_its_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
