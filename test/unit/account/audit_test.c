/* Searches of the audit trail: each looks at so many events, and says how far it came. */
#include "fixture.h"

#include "account/audit.h"

enum { FILLER_COUNT = AUDIT_WALK_COUNT + 4000, PAGE_COUNT = 10 };

/* An administrator's act at NOON, and behind it a token each second. */
static void fill(struct fixture *fixture)
{
    struct event event = { .at = NOON, .kind = EVENT_ACCOUNT_CHANGED };

    for (int i = 0; i <= FILLER_COUNT;) {
        struct store_unit unit;

        store_unit_init(&unit);
        for (int step = 0; step < STORE_UNIT_STEP_COUNT_MAX && i <= FILLER_COUNT; step++, i++) {
            store_insert_event(&unit, &event);
            event = (struct event){ .at = NOON + i + 1, .kind = EVENT_TOKEN_ISSUED };
        }
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    }
}

static size_t list(struct fixture *fixture, struct audit_query query, struct audit_walk *walk,
                   struct audit_row out_rows[static PAGE_COUNT])
{
    size_t count = SIZE_MAX;

    assert_int_equal(audit_list(fixture->store, NULL, &query, walk, &fixture->arena, out_rows,
                                PAGE_COUNT, &count),
                     RC_OK);
    return count;
}

static void test_what_is_rare_is_found_in_several_calls(void **state)
{
    struct fixture *fixture = *state;
    const struct audit_query rare = { .kind = EVENT_ACCOUNT_CHANGED };
    const struct audit_query many = { .kind = EVENT_TOKEN_ISSUED };
    struct audit_query within = rare;
    struct audit_walk walk = { .before_id = INT64_MAX };
    struct audit_row rows[PAGE_COUNT];

    fill(fixture);
    assert_int_equal(list(fixture, rare, &walk, rows), 0);
    assert_true(walk.before_id > 0);
    assert_int_equal(walk.looked_back_until, NOON + FILLER_COUNT - AUDIT_WALK_COUNT + 1);
    assert_int_equal(list(fixture, rare, &walk, rows), 1);
    assert_int_equal(rows[0].event.at, NOON);
    assert_true(walk.before_id == 0 && walk.looked_back_until == 0);

    /* Times are found without looking at what is newer. */
    within.until = NOON + 10;
    walk = (struct audit_walk){ .before_id = INT64_MAX };
    assert_int_equal(list(fixture, within, &walk, rows), 1);
    assert_true(walk.before_id == 0 && walk.looked_back_until == 0);
    within = rare;
    within.since = NOON + FILLER_COUNT - 10;
    walk = (struct audit_walk){ .before_id = INT64_MAX };
    assert_int_equal(list(fixture, within, &walk, rows), 0);
    assert_true(walk.before_id == 0 && walk.looked_back_until == 0);

    walk = (struct audit_walk){ .before_id = INT64_MAX };
    assert_int_equal(list(fixture, many, &walk, rows), PAGE_COUNT);
    assert_int_equal(rows[0].event.at, NOON + FILLER_COUNT);
    assert_int_equal(walk.before_id, rows[PAGE_COUNT - 1].event.id);
    assert_int_equal(list(fixture, many, &walk, rows), PAGE_COUNT);
    assert_int_equal(rows[0].event.at, NOON + FILLER_COUNT - PAGE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_what_is_rare_is_found_in_several_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
