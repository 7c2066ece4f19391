/* Conformance: services and clients as administrators change and search them, and who is one; on
 * whichever engine the fixture opens. */
#include "people.h"

/* Every member counts: what somebody else changed is not undone unseen. */
static void test_expected_client_must_be_as_it_was_read(void **state)
{
    struct fixture *fixture = *state;
    struct client client = sample_client(fixture, "cli");
    struct client others[17];
    size_t count = 0;

    client.metadata = STR("{}");
    assert_int_equal(COMMIT_ONE(fixture, store_expect_client, &client), RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    fixture->change_count = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_expect_client, &client), RC_OK);
    assert_int_equal(fixture->change_count, 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        others[i] = client;
    others[count++].id++;
    others[count++].name = STR("Another");
    others[count++].type = CLIENT_PUBLIC;
    others[count++].auth_method = AUTH_SECRET_BASIC;
    others[count++].secret_hash = STR("hmac:12");
    others[count++].previous_secret_hash = STR("hmac:other");
    others[count++].previous_secret_until = 1;
    others[count++].grant_types = 4;
    others[count++].policy = CLIENT_IS_TRUSTED;
    others[count++].scope = STR("read");
    others[count++].service_ids = STR("");
    others[count++].redirect_uris = STR("https://a.example/cb");
    others[count++].refresh_lifetime_s--;
    others[count++].refresh_idle_lifetime_s--;
    others[count++].metadata = STR("");
    others[count++].registration_digest = STR("d");
    others[count++].is_disabled = true;
    assert_int_equal(count, sizeof(others) / sizeof(others[0]));
    for (size_t i = 0; i < count; i++)
        if (COMMIT_ONE(fixture, store_expect_client, &others[i]) != RC_SPENT)
            fail_msg("member %zu does not count", i);
}

static void test_expected_service_must_be_as_it_was_read(void **state)
{
    struct fixture *fixture = *state;
    struct service service = sample_service(fixture, "svc");
    struct service others[10];
    size_t count = 0;

    assert_int_equal(COMMIT_ONE(fixture, store_expect_service, &service), RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &service), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_expect_service, &service), RC_OK);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        others[i] = service;
    others[count++].id++;
    others[count++].name = STR("Another");
    others[count++].scope = STR("alpha");
    others[count++].secret_hash = STR("");
    others[count++].format = TOKEN_OPAQUE;
    others[count++].alg = ALG_ES256;
    others[count++].lifetime_s++;
    others[count++].allows_password = false;
    others[count++].expires_in_as_string = false;
    others[count++].is_disabled = true;
    assert_int_equal(count, sizeof(others) / sizeof(others[0]));
    for (size_t i = 0; i < count; i++)
        if (COMMIT_ONE(fixture, store_expect_service, &others[i]) != RC_SPENT)
            fail_msg("member %zu does not count", i);
}

static size_t count_clients(struct fixture *fixture, const char *text, int64_t before_id)
{
    struct client rows[8];
    size_t count;

    assert_int_equal(store_search_clients(fixture->store, str_of(text), before_id, &fixture->arena,
                                          rows, 8, &count),
                     RC_OK);
    for (size_t i = 1; i < count; i++)
        assert_true(rows[i].id < rows[i - 1].id);
    return count;
}

static size_t count_services(struct fixture *fixture, const char *text)
{
    struct service rows[8];
    size_t count;

    assert_int_equal(store_search_services(fixture->store, str_of(text), INT64_MAX, &fixture->arena,
                                           rows, 8, &count),
                     RC_OK);
    return count;
}

static void test_registry_is_searched(void **state)
{
    struct fixture *fixture = *state;
    struct client one = sample_client(fixture, "One.example");
    struct client two = sample_client(fixture, "two.example");
    struct service service = sample_service(fixture, "Maps.example");
    char endless[300];

    one.name = STR("Ünder 100% of_it");
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &one), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &two), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &service), RC_OK);
    assert_int_equal(count_clients(fixture, "", INT64_MAX), 2);
    assert_int_equal(count_clients(fixture, "EXAMPLE", INT64_MAX), 2);
    assert_int_equal(count_clients(fixture, "", two.id), 1);
    assert_int_equal(count_clients(fixture, "one.", INT64_MAX), 1);
    assert_int_equal(count_clients(fixture, "Ünder", INT64_MAX), 1);
    assert_int_equal(count_clients(fixture, "100% OF_IT", INT64_MAX), 1);
    assert_int_equal(count_clients(fixture, "%", INT64_MAX), 1);
    assert_int_equal(count_clients(fixture, "a_client", INT64_MAX), 0);
    assert_int_equal(count_services(fixture, "MAPS"), 1);
    assert_int_equal(count_services(fixture, "a service"), 1);
    assert_int_equal(count_services(fixture, "Beta"), 1);
    assert_int_equal(count_services(fixture, "gamma"), 0);
    memset(endless, 'e', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    assert_int_equal(count_clients(fixture, endless, INT64_MAX), 0);
}

static void test_account_is_expected(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account other = ada;

    assert_int_equal(COMMIT_ONE(fixture, store_expect_account, &ada), RC_OK);
    other.full_name = STR("Somebody");
    assert_int_equal(COMMIT_ONE(fixture, store_expect_account, &other), RC_SPENT);
    other = ada;
    other.email = STR("somebody@mail.example");
    assert_int_equal(COMMIT_ONE(fixture, store_expect_account, &other), RC_SPENT);
    other = ada;
    other.is_admin = !ada.is_admin;
    assert_int_equal(COMMIT_ONE(fixture, store_expect_account, &other), RC_SPENT);
    other = ada;
    other.is_disabled = !ada.is_disabled;
    assert_int_equal(COMMIT_ONE(fixture, store_expect_account, &other), RC_SPENT);
    other = ada;
    other.id += 100;
    assert_int_equal(COMMIT_ONE(fixture, store_expect_account, &other), RC_SPENT);
}

/* One who may sign in stays. */
static void test_last_administrator_stays(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_set_admin, bob.id, false), RC_OK);
    assert_int_equal(store_find_account(fixture->store, bob.id, &fixture->arena, &found), RC_OK);
    assert_false(found.is_admin);
    assert_int_equal(COMMIT_ONE(fixture, store_set_admin, ada.id, false), RC_REFUSED);
    assert_int_equal(COMMIT_ONE(fixture, store_set_admin, bob.id, true), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, bob.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_set_admin, ada.id, false), RC_REFUSED);
    assert_int_equal(COMMIT_ONE(fixture, store_set_admin, ada.id, true), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_set_admin, bob.id + 100, false), RC_NOT_FOUND);
    assert_int_equal(store_find_account(fixture->store, ada.id, &fixture->arena, &found), RC_OK);
    assert_true(found.is_admin);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_expected_client_must_be_as_it_was_read),
        ON_STORE(test_expected_service_must_be_as_it_was_read),
        ON_STORE(test_registry_is_searched),
        ON_STORE(test_account_is_expected),
        ON_STORE(test_last_administrator_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
