/* What is kept of tokens stays within its bounds, whatever is asked for (fault class 41). */
#include "../memory_use.h"
#include "room_fixture.h"

enum {
    LIVE_BYTES_MAX = 8 << 20,
    FAMILY_COUNT = VALUE_COUNT / 10,
    SLACK_BYTES = 4 << 20 /* the store's page caches, buckets */
};

/* Tokens that never expire, of ids that their holders spread widely. */
static void fc_41_live_table(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "a");
    struct live_table *table = live_table_new(grants, LIVE_BYTES_MAX);
    size_t before = memory_in_use();
    size_t record_count;
    size_t bytes;

    for (int64_t id = 1; id <= VALUE_COUNT; id++) {
        struct token row = { .id = id * 37, .kind = TOKEN_ACCESS, .issued_at = 1 };

        memcpy(row.digest, &id, sizeof(id));
        live_put(table, &row, grant, live_epoch(table), 2);
        live_mark_revoked(table, INT64_MAX - id * 1000);
    }
    live_count(table, &record_count, &bytes);
    assert_true(record_count > 0);
    assert_true(bytes <= LIVE_BYTES_MAX);
    assert_true(memory_in_use() < before + LIVE_BYTES_MAX + SLACK_BYTES);
    live_table_free(table);
    grant_put(grants, grant);
}

/* Each with a grant of its own, as codes and logins make them. */
static void fc_41_grants(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_table *table = live_table_new(grants, LIVE_BYTES_MAX);
    size_t before = memory_in_use();

    for (int64_t id = 1; id <= FAMILY_COUNT; id++) {
        struct grant like = { .id = (INT64_C(1) << 40) + id,
                              .client_id = fixture->client_id,
                              .scope = STR("a"),
                              .audience = STR("") };
        struct token row = { .id = id, .kind = TOKEN_ACCESS, .issued_at = 1 };
        struct live_grant *grant;
        struct store_unit unit;

        store_unit_init(&unit);
        assert_int_equal(grant_draft_family(grants, &like, NULL, clock_now_s(), &unit, &grant),
                         RC_OK);
        live_put(table, &row, grant, live_epoch(table), 2);
        grant_put(grants, grant);
    }
    assert_true(grant_book_count(grants) > 0);
    assert_true(grant_book_bytes(grants) <= LIVE_BYTES_MAX);
    assert_true(memory_in_use() < before + 2 * LIVE_BYTES_MAX + SLACK_BYTES);
    live_table_free(table);
    assert_int_equal(grant_book_count(grants), 0);
}

/* Nothing is kept of what is not there: clients, services, scope words, token values. */
static void fc_41_what_is_not_there(void **state)
{
    struct room_fixture *fixture = *state;
    struct catalog_client *client;
    struct catalog_service *service;
    size_t before = memory_in_use();
    char name[80];

    for (int i = 0; i < VALUE_COUNT; i++) {
        snprintf(name, sizeof(name), "jta_%060d", i);
        assert_int_equal(catalog_find_client(fixture->catalog, str_of(name), true, &client),
                         RC_NOT_FOUND);
        assert_int_equal(catalog_find_service(fixture->catalog, str_of(name), true, &service),
                         RC_NOT_FOUND);
        assert_int_equal(catalog_find_owner(fixture->catalog, str_of(name), true, &service),
                         RC_NOT_FOUND);
        assert_int_equal(fixture_find(fixture, str_of(name), true), RC_NOT_FOUND);
    }
    assert_true(memory_in_use() < before + SLACK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fc_41_live_table, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(fc_41_grants, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(fc_41_what_is_not_there, fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
