/* What files own, and what requests were answered: rows that others are to find as they are. */
#include "fixture.h"
#include "store/answered.h"
#include "store/managed.h"

enum { ACCOUNT_ID = 11, PAGE = 2 };

static struct str owner_of(struct fixture *fixture, enum managed_kind kind, int64_t id)
{
    struct str source = STR("nobody");

    if (store_find_managed(fixture->store, kind, id, &fixture->arena, &source) != RC_OK)
        return STR("nobody");
    return source;
}

static void test_one_owner_at_most(void **state)
{
    struct fixture *fixture = *state;

    ASSERT_STR(owner_of(fixture, MANAGED_ACCOUNT, ACCOUNT_ID), "nobody");
    assert_int_equal(
        COMMIT_ONE(fixture, store_put_managed, MANAGED_ACCOUNT, ACCOUNT_ID, STR("staff")), RC_OK);
    ASSERT_STR(owner_of(fixture, MANAGED_ACCOUNT, ACCOUNT_ID), "staff");
    /* Another kind has ids of its own. */
    ASSERT_STR(owner_of(fixture, MANAGED_CLIENT, ACCOUNT_ID), "nobody");
    assert_int_equal(
        COMMIT_ONE(fixture, store_put_managed, MANAGED_CLIENT, ACCOUNT_ID, STR("apps")), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_put_managed, MANAGED_ACCOUNT, ACCOUNT_ID, STR("guests")), RC_OK);
    ASSERT_STR(owner_of(fixture, MANAGED_ACCOUNT, ACCOUNT_ID), "guests");
    fixture_reopen(fixture);
    ASSERT_STR(owner_of(fixture, MANAGED_ACCOUNT, ACCOUNT_ID), "guests");
    ASSERT_STR(owner_of(fixture, MANAGED_CLIENT, ACCOUNT_ID), "apps");
}

static void test_nobody_owns_what_was_given_up(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        COMMIT_ONE(fixture, store_put_managed, MANAGED_SERVICE, ACCOUNT_ID, STR("staff")), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_managed, MANAGED_ACCOUNT, ACCOUNT_ID), RC_OK);
    ASSERT_STR(owner_of(fixture, MANAGED_SERVICE, ACCOUNT_ID), "staff");
    assert_int_equal(COMMIT_ONE(fixture, store_delete_managed, MANAGED_SERVICE, ACCOUNT_ID), RC_OK);
    ASSERT_STR(owner_of(fixture, MANAGED_SERVICE, ACCOUNT_ID), "nobody");
}

static size_t list(struct fixture *fixture, const char *source, int64_t after_id, int64_t *out_ids)
{
    size_t count = 99;

    assert_int_equal(store_list_managed(fixture->store, MANAGED_CLIENT, str_of(source), after_id,
                                        out_ids, PAGE, &count),
                     RC_OK);
    return count;
}

static void test_list_by_source(void **state)
{
    static const int64_t owned[] = { 5, 3, 9 };
    struct fixture *fixture = *state;
    int64_t ids[PAGE];

    assert_int_equal(list(fixture, "apps", 0, ids), 0);
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
        assert_int_equal(
            COMMIT_ONE(fixture, store_put_managed, MANAGED_CLIENT, owned[i], STR("apps")), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_put_managed, MANAGED_CLIENT, 4, STR("App")), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_put_managed, MANAGED_ACCOUNT, 6, STR("apps")),
                     RC_OK);
    assert_int_equal(list(fixture, "apps", 0, ids), PAGE);
    assert_int_equal(ids[0], 3);
    assert_int_equal(ids[1], 5);
    assert_int_equal(list(fixture, "apps", 5, ids), 1);
    assert_int_equal(ids[0], 9);
    assert_int_equal(list(fixture, "apps", 9, ids), 0);
}

/* ---- answered ------------------------------------------------------------------------------- */

static struct answered sample(struct fixture *fixture, unsigned char key)
{
    struct answered answered = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                                 .until = fixture->now + 60 };

    memset(answered.digest, key, sizeof(answered.digest));
    memset(answered.request, 'r', sizeof(answered.request));
    return answered;
}

static enum rc find(struct fixture *fixture, const struct answered *answered, int64_t now,
                    struct answered *out_found)
{
    return store_find_answered(fixture->store, answered->digest, now, &fixture->arena, out_found);
}

static void test_answer_comes_after_the_request(void **state)
{
    struct fixture *fixture = *state;
    struct answered row = sample(fixture, 1);
    struct answered found = { .id = 0 };

    assert_int_equal(find(fixture, &row, fixture->now, &found), RC_NOT_FOUND);
    assert_int_equal(found.id, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &row, fixture->now), RC_OK);
    assert_int_equal(find(fixture, &row, fixture->now, &found), RC_OK);
    assert_int_equal(found.id, row.id);
    assert_int_equal(found.status, 0);
    assert_int_equal(found.sealed.len, 0);
    assert_int_equal(found.until, row.until);
    assert_memory_equal(found.digest, row.digest, DIGEST_BYTES);
    assert_memory_equal(found.request, row.request, DIGEST_BYTES);
    row.status = 201;
    row.sealed = (struct str){ "a\0b", 3 };
    assert_int_equal(COMMIT_ONE(fixture, store_finish_answered, &row), RC_OK);
    fixture_reopen(fixture);
    assert_int_equal(find(fixture, &row, fixture->now, &found), RC_OK);
    assert_int_equal(found.status, 201);
    assert_true(str_equal(found.sealed, row.sealed));
}

static void test_one_request_of_a_key(void **state)
{
    struct fixture *fixture = *state;
    struct answered first = sample(fixture, 1);
    struct answered second = sample(fixture, 1);
    struct answered other = sample(fixture, 2);
    struct answered found;

    memset(second.request, 's', sizeof(second.request));
    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &first, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &second, fixture->now), RC_EXISTS);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &other, fixture->now), RC_OK);
    assert_int_equal(find(fixture, &first, fixture->now, &found), RC_OK);
    assert_int_equal(found.id, first.id);
    assert_memory_equal(found.request, first.request, DIGEST_BYTES);
}

static void test_a_key_is_free_when_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct answered first = sample(fixture, 1);
    struct answered second = sample(fixture, 1);
    struct answered found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &first, fixture->now), RC_OK);
    first.status = 200;
    first.sealed = STR("sealed");
    assert_int_equal(COMMIT_ONE(fixture, store_finish_answered, &first), RC_OK);
    assert_int_equal(find(fixture, &first, first.until - 1, &found), RC_OK);
    assert_int_equal(find(fixture, &first, first.until, &found), RC_NOT_FOUND);
    second.until = first.until + 60;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &second, first.until - 1),
                     RC_EXISTS);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &second, first.until), RC_OK);
    assert_int_equal(find(fixture, &second, first.until, &found), RC_OK);
    assert_int_equal(found.id, second.id);
    assert_int_equal(found.status, 0); /* nothing of the old answer is left */
    assert_int_equal(found.sealed.len, 0);
}

static void test_a_key_that_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    struct answered first = sample(fixture, 1);
    struct answered second = sample(fixture, 1);
    struct answered found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &first, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_answered, first.id), RC_OK);
    assert_int_equal(find(fixture, &first, fixture->now, &found), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_answered, &second, fixture->now), RC_OK);
}

#define OPENED(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPENED(test_one_owner_at_most),        OPENED(test_nobody_owns_what_was_given_up),
        OPENED(test_list_by_source),           OPENED(test_answer_comes_after_the_request),
        OPENED(test_one_request_of_a_key),     OPENED(test_a_key_is_free_when_its_time_is_over),
        OPENED(test_a_key_that_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
