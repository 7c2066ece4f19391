/*
 * Requests that may be sent again: one of many is done, and its answer is kept for a day, for its
 * caller and its request alone. The clock is the desk's.
 */
#include "../store/fixture.h"
#include "../store/sweeping.h"

#include "crypto/digest.h"
#include "crypto/seal.h"
#include "oauth/answered.h"

static const unsigned char seal_key[SEAL_KEY_BYTES] = { 2, 7, 1, 8, 2, 8 };
static const unsigned char other_key[SEAL_KEY_BYTES] = { 1, 4, 1, 4, 2, 1 };

static struct answered_desk desk_of(struct fixture *fixture)
{
    return (struct answered_desk){
        .store = fixture->store, .seal_key = seal_key, .arena = &fixture->arena, .now = fixture->now
    };
}

static struct answered_request request_of(const char *caller, const char *key, const char *text)
{
    struct answered_request request = { .caller = str_of(caller), .key = str_of(key) };

    digest_sha256(str_of(text), request.request);
    return request;
}

/* What a request comes to; its row's id, where it is new. */
static enum rc begin(const struct answered_desk *desk, const struct answered_request *request,
                     int64_t *out_id)
{
    struct answered_answer answer = { .status = 77 };
    int64_t id = 0;
    enum rc rc = answered_begin(desk, request, &id, &answer);

    assert_int_equal(id != 0, rc == RC_OK);
    assert_int_equal(answer.status, rc == RC_EXISTS ? 201 : 77);
    if (rc == RC_EXISTS)
        assert_true(str_equal(answer.text, STR("a secret\nand more")));
    *out_id = id;
    return rc;
}

static void finish(const struct answered_desk *desk, int64_t id)
{
    const struct answered_answer answer = { 201, STR("a secret\nand more") };

    assert_int_equal(answered_finish(desk, id, &answer), RC_OK);
}

static void test_the_same_again_is_answered_the_same(void **state)
{
    struct answered_desk desk = desk_of(*state);
    struct answered_request request = request_of("client 5", "one", "POST /x {}");
    int64_t id, again;

    assert_int_equal(begin(&desk, &request, &id), RC_OK);
    assert_int_equal(begin(&desk, &request, &again), RC_BUSY); /* it is under way */
    finish(&desk, id);
    assert_int_equal(begin(&desk, &request, &again), RC_EXISTS);
    assert_int_equal(begin(&desk, &request, &again), RC_EXISTS);
}

static void test_a_key_is_for_one_request(void **state)
{
    struct answered_desk desk = desk_of(*state);
    struct answered_request request = request_of("client 5", "one", "POST /x {}");
    struct answered_request other = request_of("client 5", "one", "POST /x {} ");
    int64_t id, again;

    assert_int_equal(begin(&desk, &request, &id), RC_OK);
    assert_int_equal(begin(&desk, &other, &again), RC_SPENT);
    finish(&desk, id);
    assert_int_equal(begin(&desk, &other, &again), RC_SPENT);
}

/* Whatever stands in caller and key, no two pairs are one. */
static void test_a_key_is_its_callers(void **state)
{
    static const char *const pairs[][2] = { { "client 5", "one" },   { "client 51", "one" },
                                            { "client 5", "1 one" }, { "account 5", "one" },
                                            { "client", "5 one" },   { "client 5 ", "one" },
                                            { "client 5", " one" } };
    struct answered_desk desk = desk_of(*state);
    int64_t id;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct answered_request request = request_of(pairs[i][0], pairs[i][1], "the same");

        assert_int_equal(begin(&desk, &request, &id), RC_OK);
    }
}

static void test_what_was_forgotten_is_free_again(void **state)
{
    struct answered_desk desk = desk_of(*state);
    struct answered_request request = request_of("client 5", "one", "POST /x {}");
    int64_t id, again;

    assert_int_equal(begin(&desk, &request, &id), RC_OK);
    assert_int_equal(answered_forget(&desk, id), RC_OK);
    assert_int_equal(begin(&desk, &request, &again), RC_OK);
    assert_int_not_equal(again, id);
    assert_int_equal(answered_forget(&desk, id), RC_OK); /* nothing of another's goes with it */
    assert_int_equal(begin(&desk, &request, &id), RC_BUSY);
}

static void test_a_key_is_remembered_for_a_day(void **state)
{
    struct answered_desk desk = desk_of(*state);
    struct answered_request request = request_of("client 5", "one", "POST /x {}");
    struct answered_request cut_off = request_of("client 5", "two", "POST /y {}");
    int64_t id, again;

    assert_int_equal(begin(&desk, &request, &id), RC_OK);
    assert_int_equal(begin(&desk, &cut_off, &again), RC_OK);
    finish(&desk, id);
    desk.now += ANSWERED_S - 1;
    assert_int_equal(begin(&desk, &request, &again), RC_EXISTS);
    assert_int_equal(begin(&desk, &cut_off, &again), RC_BUSY);
    desk.now += 1;
    assert_int_equal(begin(&desk, &request, &again), RC_OK);
    assert_int_equal(begin(&desk, &cut_off, &again), RC_OK);
    assert_int_equal(begin(&desk, &request, &again), RC_BUSY); /* the new one, not yet answered */
}

/* An answer that another one's row has, or another key sealed, is no answer. */
static void test_an_answer_is_its_rows(void **state)
{
    struct fixture *fixture = *state;
    struct answered_desk desk = desk_of(fixture);
    struct answered_request first = request_of("client 5", "one", "POST /x {}");
    struct answered_request second = request_of("client 5", "two", "POST /x {}");
    struct answered_answer answer;
    struct answered row = { .status = 201 };
    char memory[128];
    struct buffer sealed = buffer_over(memory, sizeof(memory));
    int64_t id, other;

    assert_int_equal(begin(&desk, &first, &id), RC_OK);
    assert_int_equal(begin(&desk, &second, &other), RC_OK);
    assert_int_equal(seal(seal_key, arena_format(&fixture->arena, "answered %lld", (long long)id),
                          STR("a secret\nand more"), &sealed),
                     RC_OK);
    row.sealed = buffer_str(&sealed);
    row.id = other;
    assert_int_equal(COMMIT_ONE(fixture, store_finish_answered, &row), RC_OK);
    assert_int_equal(answered_begin(&desk, &second, &other, &answer), RC_CORRUPT);
    row.id = id;
    assert_int_equal(COMMIT_ONE(fixture, store_finish_answered, &row), RC_OK);
    assert_int_equal(begin(&desk, &first, &other), RC_EXISTS);
    desk.seal_key = other_key; /* of another master key: the request's digest is not known either */
    assert_int_equal(answered_begin(&desk, &first, &other, &answer), RC_SPENT);
}

/* Neither what was asked nor the answer can be read, or tried, by whoever has the store alone. */
static void test_what_is_kept_says_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct answered_desk desk = desk_of(fixture);
    struct answered_request request = request_of("client 5", "one", "{\"password\":\"x\"}");
    unsigned char digest[DIGEST_BYTES];
    struct answered found;
    int64_t id;

    assert_int_equal(begin(&desk, &request, &id), RC_OK);
    finish(&desk, id);
    digest_sha256(STR("8 client 5 one"), digest);
    assert_int_equal(
        store_find_answered(fixture->store, digest, fixture->now, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.id, id);
    assert_memory_not_equal(found.request, request.request, DIGEST_BYTES);
    assert_null(memmem(found.sealed.at, found.sealed.len, "secret", 6));
}

/* ---- many at once ---------------------------------------------------------------------------- */

enum { RACER_COUNT = 16, ROUND_COUNT = 25 };

struct racer {
    pthread_t thread;
    struct fixture *fixture;
    pthread_barrier_t *start;
    struct answered_request request;
    unsigned new_count, busy_count, other_count;
};

static void *race(void *context)
{
    struct racer *racer = context;
    struct arena arena;
    struct answered_desk desk = desk_of(racer->fixture);

    arena_init(&arena, 1 << 20);
    desk.arena = &arena;
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        struct answered_answer answer;
        int64_t id;
        enum rc rc;

        racer->request.key = arena_format(&arena, "key %u", round);
        pthread_barrier_wait(racer->start);
        rc = answered_begin(&desk, &racer->request, &id, &answer);
        racer->new_count += rc == RC_OK;
        racer->busy_count += rc == RC_BUSY;
        racer->other_count += rc != RC_OK && rc != RC_BUSY;
    }
    arena_deinit(&arena);
    return NULL;
}

static void test_one_of_many_is_new(void **state)
{
    struct racer racers[RACER_COUNT];
    pthread_barrier_t start;
    unsigned new_count = 0, busy_count = 0;

    pthread_barrier_init(&start, NULL, RACER_COUNT);
    for (unsigned i = 0; i < RACER_COUNT; i++) {
        racers[i] = (struct racer){ .fixture = *state,
                                    .start = &start,
                                    .request = request_of("client 5", "", "POST /x {}") };
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < RACER_COUNT; i++) {
        pthread_join(racers[i].thread, NULL);
        new_count += racers[i].new_count;
        busy_count += racers[i].busy_count;
        assert_int_equal(racers[i].other_count, 0);
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(new_count, ROUND_COUNT);
    assert_int_equal(busy_count, (RACER_COUNT - 1) * ROUND_COUNT);
}

/* ---- the sweep ------------------------------------------------------------------------------- */

static void test_what_is_remembered_leaves_after_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct answered_desk desk = desk_of(fixture);
    struct answered_request request;
    unsigned char digest[DIGEST_BYTES];
    struct answered found;
    int64_t id;

    desk.now = fixture->now - ANSWERED_S - 1;
    for (unsigned i = 0; i < 3; i++) {
        request =
            request_of("client 5", arena_format(&fixture->arena, "old %u", i).at, "POST /x {}");
        assert_int_equal(begin(&desk, &request, &id), RC_OK);
        if (i > 0)
            finish(&desk, id); /* answered or not */
    }
    desk.now = fixture->now;
    request = request_of("client 5", "young", "POST /x {}");
    assert_int_equal(begin(&desk, &request, &id), RC_OK);
    write_until_swept(fixture, 3);
    digest_sha256(STR("8 client 5 old 1"), digest);
    assert_int_equal(store_find_answered(fixture->store, digest, fixture->now - ANSWERED_S - 1,
                                         &fixture->arena, &found),
                     RC_NOT_FOUND);
    digest_sha256(STR("8 client 5 young"), digest);
    assert_int_equal(
        store_find_answered(fixture->store, digest, fixture->now, &fixture->arena, &found), RC_OK);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_the_same_again_is_answered_the_same),
        ON_STORE(test_a_key_is_for_one_request),
        ON_STORE(test_a_key_is_its_callers),
        ON_STORE(test_what_was_forgotten_is_free_again),
        ON_STORE(test_a_key_is_remembered_for_a_day),
        ON_STORE(test_an_answer_is_its_rows),
        ON_STORE(test_what_is_kept_says_nothing),
        ON_STORE(test_one_of_many_is_new),
        ON_STORE(test_what_is_remembered_leaves_after_its_time),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
