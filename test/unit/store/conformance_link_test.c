/* Conformance, part six: links in mails, verified addresses, and what counts mails; on whichever
 * engine the fixture opens. */
#include "people.h"

static struct link sample_link(struct fixture *fixture, int64_t account_id, unsigned char seed)
{
    struct link link = { .purpose = LINK_RESET,
                         .account_id = account_id,
                         .email = STR("ada@example.org"),
                         .name = STR("ada"),
                         .full_name = STR("Ada L."),
                         .password_hash = STR("$argon2id$x"),
                         .expires_at = fixture->now + 60 };

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &link.id), RC_OK);
    memset(link.digest, seed, sizeof(link.digest));
    return link;
}

static enum rc find(struct fixture *fixture, const struct link *link, int64_t now,
                    struct link *out_found)
{
    return store_find_link(fixture->store, link->digest, now, &fixture->arena, out_found);
}

static void test_a_link_comes_back_until_it_expires(void **state)
{
    struct fixture *fixture = *state;
    struct link link = sample_link(fixture, 0, 1);
    struct link found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_link, &link), RC_OK);
    assert_int_equal(find(fixture, &link, fixture->now + 59, &found), RC_OK);
    assert_int_equal(found.id, link.id);
    assert_int_equal(found.purpose, LINK_RESET);
    assert_int_equal(found.account_id, 0);
    assert_int_equal(found.expires_at, fixture->now + 60);
    assert_memory_equal(found.digest, link.digest, DIGEST_BYTES);
    ASSERT_STR(found.email, "ada@example.org");
    ASSERT_STR(found.name, "ada");
    ASSERT_STR(found.full_name, "Ada L.");
    ASSERT_STR(found.password_hash, "$argon2id$x");
    assert_int_equal(find(fixture, &link, fixture->now + 60, &found), RC_NOT_FOUND);
}

static void test_pw_09_a_link_is_spent_once_for_its_purpose(void **state)
{
    struct fixture *fixture = *state;
    struct account account = insert_account(fixture, "ada");
    struct link link = sample_link(fixture, account.id, 2);
    struct link other = link;

    other.purpose = LINK_VERIFY;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_link, &link), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_link, &other, fixture->now), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_link, &link, fixture->now + 60), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, account.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_link, &link, fixture->now), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_enable_account, account.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_link, &link, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_link, &link, fixture->now), RC_NOT_FOUND);
}

static void test_links_of_an_account_and_purpose_are_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct link links[] = { sample_link(fixture, 7, 3), sample_link(fixture, 7, 4),
                            sample_link(fixture, 8, 5), sample_link(fixture, 0, 6) };
    struct link found;

    links[1].purpose = LINK_VERIFY;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(COMMIT_ONE(fixture, store_insert_link, &links[i]), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_links, 7, LINK_RESET), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_links, 0, LINK_RESET), RC_OK);
    assert_int_equal(find(fixture, &links[0], fixture->now, &found), RC_NOT_FOUND);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(find(fixture, &links[i], fixture->now, &found), RC_OK);
}

static void test_one_account_has_a_verified_address(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_verify_email, ada.id, STR("x@example.org"), 5),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_verify_email, bob.id, STR("X@Example.org"), 6),
                     RC_EXISTS);
    assert_int_equal(COMMIT_ONE(fixture, store_verify_email, ada.id, STR("X@example.org"), 7),
                     RC_OK);
    assert_int_equal(
        store_find_account_by_email(fixture->store, STR("x@EXAMPLE.org"), &fixture->arena, &found),
        RC_OK);
    assert_int_equal(found.id, ada.id);
    assert_int_equal(found.email_verified_at, 7);
    assert_int_equal(COMMIT_ONE(fixture, store_update_profile, ada.id, STR(""), STR("y@e.org")),
                     RC_OK);
    assert_int_equal(
        store_find_account_by_email(fixture->store, STR("y@e.org"), &fixture->arena, &found),
        RC_NOT_FOUND);
}

static enum rc count(struct fixture *fixture, int64_t at)
{
    static const unsigned char key[DIGEST_BYTES] = { 9 };

    /* Not long past: that leaves the store. */
    return COMMIT_ONE(fixture, store_count_mail, key, 3, 3600, fixture->now + at, RC_SPENT);
}

static void test_mails_are_counted_in_any_hour(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(count(fixture, 10000), RC_OK);
    assert_int_equal(count(fixture, 10100), RC_OK);
    assert_int_equal(count(fixture, 13500), RC_OK);
    assert_int_equal(count(fixture, 13600), RC_SPENT);
    assert_int_equal(count(fixture, 17099), RC_SPENT);
    assert_int_equal(count(fixture, 17100), RC_OK);
    assert_int_equal(count(fixture, 17101), RC_OK);
    assert_int_equal(count(fixture, 17102), RC_OK);
    assert_int_equal(count(fixture, 17103), RC_SPENT);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_a_link_comes_back_until_it_expires),
        ON_STORE(test_pw_09_a_link_is_spent_once_for_its_purpose),
        ON_STORE(test_links_of_an_account_and_purpose_are_deleted),
        ON_STORE(test_one_account_has_a_verified_address),
        ON_STORE(test_mails_are_counted_in_any_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
