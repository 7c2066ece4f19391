/* Conformance: logout tokens on their way, and the end of a client; on whichever engine the fixture
 * opens. */
#include "authorized.h"

/* ---- deliveries ----------------------------------------------------------------------------- */

static int64_t due_id(struct fixture *fixture, int64_t now)
{
    struct delivery delivery;
    enum rc rc = store_find_due_delivery(fixture->store, now, &fixture->arena, &delivery);

    assert_true(rc == RC_OK || rc == RC_NOT_FOUND);
    return rc == RC_OK ? delivery.id : 0;
}

static void test_delivery_comes_back_and_is_told(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = insert_delivery(fixture, fixture->now);
    struct delivery found;

    assert_int_equal(fixture->change_count, 1);
    assert_true(fixture->changes[0].kind == CHANGE_DELIVERY && fixture->changes[0].key == id);
    fixture_reopen(fixture);
    assert_int_equal(store_find_due_delivery(fixture->store, fixture->now, &fixture->arena, &found),
                     RC_OK);
    assert_true(found.id == id && found.client_id == 72);
    ASSERT_STR(found.uri, "https://a.example/logout");
    ASSERT_STR(found.content, "logout_token=e30.e30.AA");
    assert_int_equal(found.at, fixture->now - 2);
    assert_int_equal(found.until, fixture->now + 3600);
    assert_int_equal(found.next_at, fixture->now);
    assert_true(found.leased_until == 0 && found.attempt_count == 0);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_delivery, id), RC_OK);
    assert_int_equal(due_id(fixture, fixture->now), 0);
}

static void test_delivery_is_claimed_and_postponed(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = fixture->now;
    int64_t late = insert_delivery(fixture, now - 1);
    int64_t early = insert_delivery(fixture, now - 2);
    struct delivery found;
    size_t count = 0;

    assert_int_equal(store_count_deliveries(fixture->store, &count), RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(due_id(fixture, now - 3), 0);
    assert_int_equal(due_id(fixture, now), early);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_delivery, early, now - 3, now), RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_delivery, early, now, now + 30), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_delivery, early, now, now + 30), RC_SPENT);
    assert_int_equal(due_id(fixture, now), late);
    /* The lease is over; what its holder has to say comes too late. */
    assert_int_equal(due_id(fixture, now + 30), early);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_delivery, early, now + 30, now + 60), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_postpone_delivery, early, now + 30, now + 500),
                     RC_OK);
    assert_int_equal(due_id(fixture, now + 60), early);
    assert_int_equal(COMMIT_ONE(fixture, store_postpone_delivery, early, now + 60, now + 500),
                     RC_OK);
    assert_int_equal(due_id(fixture, now + 499), late);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_delivery, late), RC_OK);
    assert_int_equal(due_id(fixture, now + 499), 0);
    assert_int_equal(store_find_due_delivery(fixture->store, now + 500, &fixture->arena, &found),
                     RC_OK);
    assert_true(found.id == early && found.attempt_count == 2 && found.leased_until == 0);
}

/* ---- the end of a client -------------------------------------------------------------------- */

static void test_deleted_client_leaves_its_name_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct client client = sample_client(fixture, "cli");
    struct client next = sample_client(fixture, "cli");
    struct client other = sample_client(fixture, "other");
    struct delivery delivery = sample_delivery(fixture, fixture->now);
    struct consent consent;
    struct client found;

    assert_int_equal(COMMIT_ONE(fixture, store_delete_client, client.id), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &other), RC_OK);
    put_consent(fixture, 1, client.id, "read");
    put_consent(fixture, 1, other.id, "read");
    delivery.client_id = client.id;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_delivery, &delivery), RC_OK);
    fixture->change_count = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_delete_client, client.id), RC_OK);
    assert_int_equal(fixture->change_count, 1);
    assert_true(fixture->changes[0].kind == CHANGE_CLIENT && fixture->changes[0].key == client.id);
    assert_int_equal(store_find_client(fixture->store, client.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(find_consent(fixture, 1, client.id, &consent), RC_NOT_FOUND);
    assert_int_equal(due_id(fixture, fixture->now), 0);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_client, client.id), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &next), RC_OK);
    assert_int_equal(find_consent(fixture, 1, other.id, &consent), RC_OK);
    assert_int_equal(store_find_client(fixture->store, other.id, &fixture->arena, &found), RC_OK);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_delivery_comes_back_and_is_told),
        ON_STORE(test_delivery_is_claimed_and_postponed),
        ON_STORE(test_deleted_client_leaves_its_name_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
