/* A row that is not what was written is told as corrupt, by each noun, and never taken for one. */
#include "fixture.h"

#include "faulty.h"
#include "store/answered.h"
#include "store/authorized.h"
#include "store/tries.h"

enum { ADDRESS_BYTES = 16, DIGEST_LEN = DIGEST_BYTES, COLUMN_MAX = STORE_PARAM_COUNT_MAX };

static const unsigned char digest[DIGEST_BYTES];
static struct arena *arena;

/* ---- one of each noun ------------------------------------------------------------------------ */

static enum rc find_service(struct store *store)
{
    struct service found;

    return store_find_service(store, 1, arena, &found);
}

static enum rc find_client(struct store *store)
{
    struct client found;

    return store_find_client(store, 1, arena, &found);
}

static enum rc find_grant(struct store *store)
{
    struct grant found;

    return store_find_grant(store, 1, arena, &found);
}

static enum rc find_token(struct store *store)
{
    struct token found;

    return store_find_token(store, 1, &found);
}

static enum rc find_key(struct store *store)
{
    struct key found;
    size_t count;

    return store_list_keys(store, arena, &found, 1, &count);
}

static enum rc find_event(struct store *store)
{
    struct event found;
    size_t count;

    return store_list_events(store, 1, arena, &found, 1, &count);
}

static enum rc find_code(struct store *store)
{
    struct code found;

    return store_find_code(store, digest, arena, &found);
}

static enum rc find_pushed_request(struct store *store)
{
    struct pushed_request found;

    return store_find_pushed_request(store, digest, 1, arena, &found);
}

static enum rc find_device_request(struct store *store)
{
    struct device_request found;

    return store_find_device_request(store, digest, arena, &found);
}

static enum rc find_browser_session(struct store *store)
{
    struct browser_session found;

    return store_find_browser_session(store, digest, arena, &found);
}

static enum rc find_link(struct store *store)
{
    struct link found;

    return store_find_link(store, digest, 1, arena, &found);
}

static enum rc find_permanent(struct store *store)
{
    struct permanent found;

    return store_find_permanent(store, 1, arena, &found);
}

static enum rc find_session(struct store *store)
{
    struct session found;

    return store_find_session(store, 1, arena, &found);
}

static enum rc find_factor(struct store *store)
{
    struct factor found[FACTOR_COUNT_MAX];
    size_t count;

    return store_list_factors(store, 1, arena, found, &count);
}

static enum rc find_answered(struct store *store)
{
    struct answered found;

    return store_find_answered(store, digest, 1, arena, &found);
}

static enum rc find_throttle(struct store *store)
{
    struct throttle found;

    return store_find_throttle(store, digest, &found);
}

static enum rc find_throttles(struct store *store)
{
    unsigned char keys[THROTTLE_KEY_COUNT][DIGEST_BYTES] = { { 0 } };
    struct throttle found[THROTTLE_KEY_COUNT];

    return store_find_throttles(store, keys, found);
}

/* ---- what is wrong with it ------------------------------------------------------------------- */

struct wrong {
    enum rc (*find)(struct store *store);
    unsigned column;
    unsigned address_column; /* 0: it has none */
    int64_t least, most;     /* of the number that stands in the column; both 0: bytes do */
    unsigned binding_column; /* 0: it has none */
};

static const struct wrong wrongs[] = {
    { find_service, 5, 0, 0, TOKEN_FORMAT_COUNT - 1, 0 },
    { find_service, 6, 0, 0, ALG_COUNT - 1, 0 },
    { find_client, 3, 0, CLIENT_CONFIDENTIAL, CLIENT_EMPTY_SECRET, 0 },
    { find_client, 13, 0, 0, AUTH_METHOD_COUNT - 1, 0 },
    { find_grant, 13, 0, 0, BINDING_KIND_COUNT - 1, 0 },
    { find_grant, 14, 0, 0, 0, 13 },
    { find_token, 1, 0, 0, TOKEN_KIND_COUNT - 1, 0 },
    { find_token, 2, 0, 0, TOKEN_FORMAT_COUNT - 1, 0 },
    { find_token, 6, 0, 0, 0, 0 },
    { find_key, 2, 0, 0, ALG_COUNT - 1, 0 },
    { find_event, 6, 6, 0, 0, 0 },
    { find_code, 1, 0, 0, 0, 0 },
    { find_code, 9, 0, 0, BINDING_KIND_COUNT - 1, 0 },
    { find_code, 10, 0, 0, 0, 9 },
    { find_pushed_request, 1, 0, 0, 0, 0 },
    { find_device_request, 5, 0, DEVICE_WAITING, DEVICE_SPENT, 0 },
    { find_device_request, 1, 0, 0, 0, 0 },
    { find_device_request, 2, 0, 0, 0, 0 },
    { find_device_request, 12, 0, 0, BINDING_KIND_COUNT - 1, 0 },
    { find_browser_session, 3, 4, STAGE_NEEDS_CODE, STAGE_SIGNED_IN, 0 },
    { find_browser_session, 2, 4, 0, 0, 0 },
    { find_browser_session, 4, 4, 0, 0, 0 },
    { find_link, 2, 0, LINK_RESET, LINK_INVITATION, 0 },
    { find_link, 1, 0, 0, 0, 0 },
    { find_permanent, 11, 11, 0, 0, 0 },
    { find_session, 4, 3, 0, 128, 0 },
    { find_session, 2, 3, 0, 0, 0 },
    { find_session, 3, 3, 0, 0, 0 },
    { find_factor, 2, 0, FACTOR_TOTP, FACTOR_PASSKEY, 0 },
    { find_answered, 1, 0, 0, 0, 0 },
    { find_throttle, 0, 0, 0, 0, 0 },
    { find_throttles, 0, 0, 0, 0, 0 },
};

static const struct made_up_row *good_row(const struct wrong *wrong, struct made_up_row *out_row)
{
    unsigned column;

    out_row->row_bytes = 0;
    for (column = 0; column < COLUMN_MAX; column++) {
        out_row->numbers[column] = 1;
        out_row->lens[column] = DIGEST_LEN;
    }
    if (wrong->address_column != 0)
        out_row->lens[wrong->address_column] = ADDRESS_BYTES;
    return out_row;
}

static void open_to_read(struct fixture *fixture)
{
    atomic_store(&faulty.row, NULL);
    fixture_open(fixture);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(fixture_try_open(fixture, true, &fixture->store), RC_OK);
    arena = &fixture->arena;
}

static void expect_at(struct fixture *fixture, const struct wrong *wrong, struct made_up_row *row,
                      enum rc expected)
{
    arena_reset(&fixture->arena);
    if (wrong->find(fixture->store) != expected)
        fail_msg("case %zu, number %lld, %zu bytes", (size_t)(wrong - wrongs),
                 (long long)row->numbers[wrong->column], row->lens[wrong->column]);
}

static void test_row_that_is_none_is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    struct made_up_row row;
    size_t index;

    open_to_read(fixture);
    for (index = 0; index < sizeof(wrongs) / sizeof(wrongs[0]); index++) {
        const struct wrong *wrong = &wrongs[index];
        bool has_number = wrong->least != 0 || wrong->most != 0;

        atomic_store(&faulty.row, good_row(wrong, &row));
        expect_at(fixture, wrong, &row, RC_OK);
        if (has_number) {
            row.numbers[wrong->column] = wrong->least;
            expect_at(fixture, wrong, &row, RC_OK);
            row.numbers[wrong->column] = wrong->most;
            expect_at(fixture, wrong, &row, RC_OK);
            row.numbers[wrong->column] = wrong->least - 1;
            expect_at(fixture, wrong, &row, RC_CORRUPT);
            row.numbers[wrong->column] = wrong->most + 1;
            expect_at(fixture, wrong, &row, RC_CORRUPT);
        } else {
            row.lens[wrong->column]--;
            expect_at(fixture, wrong, &row, RC_CORRUPT);
            row.lens[wrong->column] += 2;
            expect_at(fixture, wrong, &row, RC_CORRUPT);
        }
        if (wrong->binding_column != 0) {
            row.numbers[wrong->binding_column] = BINDING_NONE;
            expect_at(fixture, wrong, &row, RC_OK);
        }
    }
    atomic_store(&faulty.row, NULL);
}

/* Nor is one told that could not be read to its end. */
static void test_row_that_cannot_be_read_is_a_fault(void **state)
{
    struct fixture *fixture = *state;
    struct made_up_row row;
    size_t index;
    int calls_left;

    open_to_read(fixture);
    for (index = 0; index < sizeof(wrongs) / sizeof(wrongs[0]); index++) {
        atomic_store(&faulty.row, good_row(&wrongs[index], &row));
        for (calls_left = 0; calls_left < 2; calls_left++) {
            faulty_set(calls_left, RC_UNAVAILABLE, false);
            expect_at(fixture, &wrongs[index], &row, RC_UNAVAILABLE);
            assert_true(faulty_end());
        }
    }
    atomic_store(&faulty.row, NULL);
}

static int set_up(void **state)
{
    faulty_reset();
    return fixture_setup(state);
}

#define ON_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FOLDER(test_row_that_is_none_is_corrupt),
        ON_FOLDER(test_row_that_cannot_be_read_is_a_fault),
    };

    if (fixture_is_shared())
        return FIXTURE_SKIPPED; /* of the engine that stands in */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
