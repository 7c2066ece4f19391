/* What people authorize leaves in its time, and not before. */
#include "authorized.h"
#include "sweeping.h"

enum { DAY_S = 86400, SEEN_KEPT_S = 300, SHORTLY_S = 600 };

static enum rc find_authorization(struct fixture *fixture, int64_t id)
{
    struct authorization found;

    return store_find_authorization(fixture->store, id, &fixture->arena, &found);
}

static int64_t insert_until(struct fixture *fixture, int64_t expires_at)
{
    struct authorization authorization = sample_authorization(fixture, 71);

    authorization.expires_at = expires_at;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_authorization, &authorization), RC_OK);
    return authorization.id;
}

static void test_cp_05_codes_stay_a_day_so_that_reuse_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct code gone = sample_code(fixture, 1);
    struct code kept = sample_code(fixture, 1);
    struct code found;
    uint64_t swept = 1;

    gone.expires_at = fixture->now - DAY_S;
    kept.expires_at = fixture->now - DAY_S + SHORTLY_S;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_code, &gone), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_code, &kept), RC_OK);
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(store_find_code(fixture->store, gone.digest, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_code(fixture->store, kept.digest, &fixture->arena, &found), RC_OK);
}

static void test_requests_leave_when_they_are_over(void **state)
{
    struct fixture *fixture = *state;
    struct pushed_request pushed = sample_pushed_request(fixture);
    struct pushed_request pushed_kept = sample_pushed_request(fixture);
    struct device_request device = sample_device_request(fixture);
    struct device_request device_kept = sample_device_request(fixture);
    uint64_t swept = 2;

    pushed.expires_at = fixture->now;
    pushed_kept.expires_at = fixture->now + SHORTLY_S;
    device.expires_at = fixture->now - DAY_S;
    device_kept.expires_at = fixture->now - DAY_S + SHORTLY_S;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_pushed_request, &pushed), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_pushed_request, &pushed_kept), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_device_request, &device), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_device_request, &device_kept), RC_OK);
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(
        store_find_pushed_request(fixture->store, pushed.digest, 1, &fixture->arena, &pushed),
        RC_NOT_FOUND);
    assert_int_equal(store_find_pushed_request(fixture->store, pushed_kept.digest, fixture->now,
                                               &fixture->arena, &pushed_kept),
                     RC_OK);
    assert_int_equal(
        store_find_device_request(fixture->store, device.digest, &fixture->arena, &device),
        RC_NOT_FOUND);
    assert_int_equal(read_device_request(fixture, &device_kept).id, device_kept.id);
}

static void test_what_was_seen_is_forgotten_after_its_time(void **state)
{
    struct fixture *fixture = *state;
    unsigned char gone[DIGEST_BYTES] = { 1 };
    unsigned char kept[DIGEST_BYTES] = { 2 };
    uint64_t swept = 1;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, gone, fixture->now - SEEN_KEPT_S),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, kept, fixture->now), RC_OK);
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, gone, fixture->now + 60), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, kept, fixture->now + 60), RC_SPENT);
}

static void test_deliveries_leave_when_they_are_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct delivery gone = sample_delivery(fixture, fixture->now - 9);
    struct delivery kept = sample_delivery(fixture, fixture->now - 8);
    struct delivery found;
    uint64_t swept = 1;

    gone.until = fixture->now - DAY_S;
    kept.until = fixture->now - DAY_S + SHORTLY_S;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_delivery, &gone), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_delivery, &kept), RC_OK);
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(store_find_due_delivery(fixture->store, fixture->now, &fixture->arena, &found),
                     RC_OK);
    assert_int_equal(found.id, kept.id);
}

static void test_authorization_stays_as_long_as_a_grant_rests_on_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t long_ago = fixture->now - 10 * DAY_S;
    int64_t alone = insert_until(fixture, fixture->now - DAY_S);
    int64_t fresh = insert_until(fixture, fixture->now - DAY_S + SHORTLY_S);
    int64_t used = insert_until(fixture, long_ago);
    int64_t ended = insert_until(fixture, long_ago);
    struct grant living = sample_grant(fixture, true);
    struct grant over = sample_grant(fixture, true);
    uint64_t swept = 3; /* the lonely one; a grant, and what it rested on */

    living.authorization_id = used;
    over.authorization_id = ended;
    over.expires_at = fixture->now;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &living), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &over), RC_OK);
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(find_authorization(fixture, alone), RC_NOT_FOUND);
    assert_int_equal(find_authorization(fixture, ended), RC_NOT_FOUND);
    assert_int_equal(find_authorization(fixture, fresh), RC_OK);
    assert_int_equal(find_authorization(fixture, used), RC_OK);
}

static void test_consents_never_leave_by_time(void **state)
{
    struct fixture *fixture = *state;
    struct consent consent = {
        .id = fixture_id(fixture, SEQUENCE_NOUN), .account_id = 1, .client_id = 2, .at = 1
    };
    uint64_t swept = 0;

    assert_int_equal(COMMIT_ONE(fixture, store_put_consent, &consent), RC_OK);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(store_find_consent(fixture->store, 1, 2, &fixture->arena, &consent), RC_OK);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_cp_05_codes_stay_a_day_so_that_reuse_is_noticed),
        ON_STORE(test_requests_leave_when_they_are_over),
        ON_STORE(test_what_was_seen_is_forgotten_after_its_time),
        ON_STORE(test_deliveries_leave_when_they_are_given_up),
        ON_STORE(test_authorization_stays_as_long_as_a_grant_rests_on_it),
        ON_STORE(test_consents_never_leave_by_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
