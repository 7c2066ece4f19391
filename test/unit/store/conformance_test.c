/* Conformance, part one: accounts, services, clients, keys and what else has a name; on whichever
 * engine the fixture opens. */
#include "fixture.h"
#include "store/tries.h"

static void test_account_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "Ada");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    assert_int_equal(store_find_account(fixture->store, account.id, &fixture->arena, &found),
                     RC_OK);
    assert_int_equal(found.id, account.id);
    ASSERT_STR(found.name, "Ada");
    ASSERT_STR(found.full_name, "Ada Example");
    ASSERT_STR(found.email, "ada@example.org");
    ASSERT_STR(found.password_hash, "$argon2id$one");
    assert_true(found.is_admin);
    assert_false(found.is_disabled);
    assert_int_equal(found.created_at, fixture->now);
    assert_int_equal(store_find_account(fixture->store, 999, &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_account_name_is_one_in_any_case(void **state)
{
    struct fixture *fixture = *state;
    struct account first = sample_account(fixture, "Émile Žižek");
    struct account second = sample_account(fixture, "ÉMILE ŽIŽEK");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &first), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &second), RC_EXISTS);
    assert_int_equal(
        store_find_account_by_name(fixture->store, STR("émile žižek"), &fixture->arena, &found),
        RC_OK);
    assert_int_equal(found.id, first.id);
    ASSERT_STR(found.name, "Émile Žižek");
    assert_int_equal(
        store_find_account_by_name(fixture->store, STR("emile zizek"), &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(store_find_account(fixture->store, second.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_too_long_name_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    char name[ACCOUNT_NAME_BYTES_MAX + 1];
    struct account found;

    memset(name, 'a', sizeof(name));
    assert_int_equal(store_find_account_by_name(fixture->store, (struct str){ name, sizeof(name) },
                                                &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_fold_is_unicode_simple_lower_case(void **state)
{
    static const char *const pairs[][2] = {
        { "AZaz09_.-@", "azaz09_.-@" },
        { "ÀÖØÞ×ß÷ÿ", "àöøþ×ß÷ÿ" },
        { "ĀĹĿŊŶŹŽ", "āĺŀŋŷźž" },
        { "ΆΈΊΌΏΑΡΣΫς", "άέίόώαρσϋς" },
        { "ЀЏАЯѠҊӁӐԮ", "ѐџаяѡҋӂӑԯ" },
        { "ԱՖ", "աֆ" },
        { "İıĸ", "İıĸ" },
        { "日本語€", "日本語€" },
        { "\xc3", "\xc3" },
        { "\xc3Z\xff", "\xc3z\xff" },
    };
    char folded[64];
    size_t index;

    (void)state;
    for (index = 0; index < sizeof(pairs) / sizeof(pairs[0]); index++) {
        struct str name = str_of(pairs[index][0]);

        store_fold_name(name, folded);
        assert_true(str_equal((struct str){ folded, name.len }, str_of(pairs[index][1])));
    }
}

static void test_profile_update_replaces_what_people_are_called(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_update_profile, account.id, STR("Ada L."), STR("")),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_update_profile, account.id, STR("Ada L."), STR("")),
                     RC_OK);
    assert_int_equal(store_find_account(fixture->store, account.id, &fixture->arena, &found),
                     RC_OK);
    ASSERT_STR(found.name, "ada");
    ASSERT_STR(found.full_name, "Ada L.");
    ASSERT_STR(found.email, "");
    ASSERT_STR(found.password_hash, "$argon2id$one");
    assert_true(found.is_admin);
    assert_false(found.is_disabled);
}

static void test_password_hash_is_replaced_only_if_it_still_is_the_old_one(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_update_password_hash, account.id, STR("other"), STR("new")),
        RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_update_password_hash, account.id,
                                account.password_hash, STR("new")),
                     RC_OK);
    assert_int_equal(store_find_account(fixture->store, account.id, &fixture->arena, &found),
                     RC_OK);
    ASSERT_STR(found.password_hash, "new");
}

static void test_service_and_client_come_back_as_they_went(void **state)
{
    struct fixture *fixture = *state;
    struct service service = sample_service(fixture, "uslicer.example");
    struct client client = sample_client(fixture, "cli");
    struct service service_found;
    struct client client_found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &service), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    assert_int_equal(
        store_find_service(fixture->store, service.id, &fixture->arena, &service_found), RC_OK);
    ASSERT_STR(service_found.service_id, "uslicer.example");
    ASSERT_STR(service_found.name, "A service");
    ASSERT_STR(service_found.scope, "alpha beta");
    ASSERT_STR(service_found.secret_hash, "hmac:00");
    assert_int_equal(service_found.format, TOKEN_JWT);
    assert_int_equal(service_found.alg, ALG_RS256);
    assert_int_equal(service_found.lifetime_s, 3600);
    assert_true(service_found.allows_password && service_found.expires_in_as_string);
    assert_false(service_found.is_disabled);
    assert_int_equal(store_find_client(fixture->store, client.id, &fixture->arena, &client_found),
                     RC_OK);
    ASSERT_STR(client_found.client_id, "cli");
    ASSERT_STR(client_found.secret_hash, "hmac:11");
    ASSERT_STR(client_found.scope, "read write");
    ASSERT_STR(client_found.service_ids, "uslicer.example");
    ASSERT_STR(client_found.redirect_uris, "https://a.example/cb\nhttps://b.example/cb");
    assert_int_equal(client_found.type, CLIENT_EMPTY_SECRET);
    assert_int_equal(client_found.grant_types, 5);
    assert_int_equal(client_found.refresh_lifetime_s, 86400);
    assert_int_equal(client_found.refresh_idle_lifetime_s, 3600);
    assert_int_equal(client_found.auth_method, AUTH_PRIVATE_KEY_JWT);
    assert_int_equal(client_found.policy, CLIENT_IS_TRUSTED | CLIENT_BINDS_DPOP);
    ASSERT_STR(client_found.metadata, "{\"client_uri\":\"https://a.example/\"}");
    ASSERT_STR(client_found.previous_secret_hash, "hmac:10");
    assert_int_equal(client_found.previous_secret_until, fixture->now + 60);
    ASSERT_STR(client_found.registration_digest, "registration");
    /* The numbers of one are not the numbers of the other. */
    assert_int_equal(store_find_client(fixture->store, service.id, &fixture->arena, &client_found),
                     RC_NOT_FOUND);
}

static void test_services_and_clients_share_one_namespace(void **state)
{
    struct fixture *fixture = *state;
    struct service service = sample_service(fixture, "shared");
    struct client client = sample_client(fixture, "shared");
    struct client other_case = sample_client(fixture, "Shared");
    struct client found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &service), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_EXISTS);
    assert_int_equal(store_find_client(fixture->store, client.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &other_case), RC_OK);
}

static void test_service_and_client_updates(void **state)
{
    struct fixture *fixture = *state;
    struct service service = sample_service(fixture, "svc");
    struct client client = sample_client(fixture, "cli");
    struct service service_found;
    struct client client_found;

    assert_int_equal(COMMIT_ONE(fixture, store_update_service, &service), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_update_client, &client), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &service), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    service.scope = STR("gamma");
    service.is_disabled = true;
    service.format = TOKEN_OPAQUE;
    client.redirect_uris = STR("");
    client.type = CLIENT_PUBLIC;
    client.is_disabled = true;
    client.auth_method = AUTH_TLS;
    client.policy = CLIENT_IS_PAIRWISE;
    client.metadata = STR("{}");
    client.previous_secret_hash = STR("");
    client.previous_secret_until = 0;
    client.registration_digest = STR("another");
    assert_int_equal(COMMIT_ONE(fixture, store_update_service, &service), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_update_client, &client), RC_OK);
    assert_int_equal(
        store_find_service(fixture->store, service.id, &fixture->arena, &service_found), RC_OK);
    ASSERT_STR(service_found.scope, "gamma");
    assert_true(service_found.is_disabled);
    assert_int_equal(service_found.format, TOKEN_OPAQUE);
    assert_int_equal(store_find_client(fixture->store, client.id, &fixture->arena, &client_found),
                     RC_OK);
    ASSERT_STR(client_found.redirect_uris, "");
    assert_int_equal(client_found.type, CLIENT_PUBLIC);
    assert_true(client_found.is_disabled);
    assert_int_equal(client_found.auth_method, AUTH_TLS);
    assert_int_equal(client_found.policy, CLIENT_IS_PAIRWISE);
    ASSERT_STR(client_found.metadata, "{}");
    ASSERT_STR(client_found.previous_secret_hash, "");
    assert_int_equal(client_found.previous_secret_until, 0);
    ASSERT_STR(client_found.registration_digest, "another");
}

static void test_sealed_value_is_set_once(void **state)
{
    struct fixture *fixture = *state;
    struct str found;

    assert_int_equal(store_find_sealed_value(fixture->store, STR("k"), &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_sealed_value, STR("k"), STR("one")), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_sealed_value, STR("k"), STR("two")),
                     RC_EXISTS);
    assert_int_equal(store_find_sealed_value(fixture->store, STR("k"), &fixture->arena, &found),
                     RC_OK);
    ASSERT_STR(found, "one");
}

static void test_failures_are_counted_and_forgotten(void **state)
{
    struct fixture *fixture = *state;
    unsigned char key[DIGEST_BYTES] = { 1, 2, 3 };
    struct throttle throttle;
    int index;

    assert_int_equal(store_find_throttle(fixture->store, key, &throttle), RC_NOT_FOUND);
    for (index = 1; index <= 3; index++)
        assert_int_equal(COMMIT_ONE(fixture, store_count_failure, key, fixture->now + index),
                         RC_OK);
    assert_int_equal(store_find_throttle(fixture->store, key, &throttle), RC_OK);
    assert_int_equal(throttle.failure_count, 3);
    assert_int_equal(throttle.last_failure_at, fixture->now + 3);
    assert_memory_equal(throttle.key, key, DIGEST_BYTES);
    assert_int_equal(COMMIT_ONE(fixture, store_clear_failures, key, 3), RC_OK);
    assert_int_equal(store_find_throttle(fixture->store, key, &throttle), RC_OK);
    assert_int_equal(throttle.failure_count, 3); /* as many as may not be forgotten */
    assert_int_equal(COMMIT_ONE(fixture, store_clear_failures, key, 4), RC_OK);
    assert_int_equal(store_find_throttle(fixture->store, key, &throttle), RC_OK);
    assert_int_equal(throttle.failure_count, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_clear_failures, key, INT64_MAX), RC_OK);
}

static void test_keys_come_retire_and_go(void **state)
{
    struct fixture *fixture = *state;
    struct key key = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                       .kid = STR("kid-1"),
                       .alg = ALG_EDDSA,
                       .public_jwk = STR("{}"),
                       .sealed = STR("sealed"),
                       .created_at = fixture->now,
                       .signs_from = fixture->now + 60 };
    struct key same_kid = key;
    struct key found[4];
    size_t count;

    same_kid.id = fixture_id(fixture, SEQUENCE_NOUN);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_key, &key), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_key, &same_kid), RC_EXISTS);
    assert_int_equal(COMMIT_ONE(fixture, store_retire_key, key.id, fixture->now + 99), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_retire_key, same_kid.id, fixture->now),
                     RC_NOT_FOUND);
    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, found, 4, &count), RC_OK);
    assert_int_equal(count, 1);
    ASSERT_STR(found[0].kid, "kid-1");
    ASSERT_STR(found[0].public_jwk, "{}");
    ASSERT_STR(found[0].sealed, "sealed");
    assert_int_equal(found[0].alg, ALG_EDDSA);
    assert_int_equal(found[0].signs_from, fixture->now + 60);
    assert_int_equal(found[0].retires_at, fixture->now + 99);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_key, key.id), RC_OK);
    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, found, 4, &count), RC_OK);
    assert_int_equal(count, 0);
}

static void test_events_are_listed_newest_first(void **state)
{
    struct fixture *fixture = *state;
    struct event event = { .at = fixture->now,
                           .kind = EVENT_PASSWORD_FAILED,
                           .account_id = 1,
                           .client_id = 2,
                           .token_id = 3,
                           .address = { 1, 2, 3, 0, 5 },
                           .detail = STR("wrong password") };
    struct event found[4];
    size_t count;
    int index;

    for (index = 0; index < 5; index++) {
        event.token_id = index;
        assert_int_equal(COMMIT_ONE(fixture, store_insert_event, &event), RC_OK);
    }
    assert_int_equal(
        store_list_events(fixture->store, INT64_MAX, &fixture->arena, found, 4, &count), RC_OK);
    assert_int_equal(count, 4);
    for (index = 0; index < 4; index++)
        assert_int_equal(found[index].token_id, 4 - index);
    assert_true(found[0].id > found[1].id);
    assert_int_equal(found[0].kind, EVENT_PASSWORD_FAILED);
    assert_memory_equal(found[0].address, event.address, sizeof(event.address));
    ASSERT_STR(found[0].detail, "wrong password");
    assert_int_equal(
        store_list_events(fixture->store, found[3].id, &fixture->arena, found, 4, &count), RC_OK);
    assert_int_equal(count, 1);
}

static void test_lists_page_in_order_of_id(void **state)
{
    struct fixture *fixture = *state;
    char names[25][16];
    struct client rows[10];
    int64_t after_id = 0;
    size_t seen = 0;
    size_t count;

    for (count = 0; count < 25; count++) {
        struct client client;

        snprintf(names[count], sizeof(names[count]), "client-%02zu", count);
        client = sample_client(fixture, names[count]);
        assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    }
    do {
        size_t row;

        assert_int_equal(
            store_list_clients(fixture->store, after_id, &fixture->arena, rows, 10, &count), RC_OK);
        for (row = 0; row < count; row++) {
            assert_true(rows[row].id > after_id);
            ASSERT_STR(rows[row].client_id, names[seen++]);
            after_id = rows[row].id;
        }
    } while (count > 0);
    assert_int_equal(seen, 25);
}

static void test_page_ends_where_the_arena_ends(void **state)
{
    struct fixture *fixture = *state;
    static const char names[3][8] = { "a", "b", "c" };
    static char uris[40000];
    struct client rows[3];
    struct arena small;
    size_t count;

    memset(uris, 'u', sizeof(uris));
    arena_init(&small, 100 * 1000);
    for (count = 0; count < 3; count++) {
        struct client client = sample_client(fixture, names[count]);

        client.redirect_uris = (struct str){ uris, sizeof(uris) };
        assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    }
    assert_int_equal(store_list_clients(fixture->store, 0, &small, rows, 3, &count), RC_OK);
    assert_int_equal(count, 2);
    arena_reset(&small);
    assert_int_equal(store_list_clients(fixture->store, rows[1].id, &small, rows, 3, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    ASSERT_STR(rows[0].client_id, "c");
    arena_deinit(&small);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_account_comes_back_as_it_went),
        ON_STORE(test_account_name_is_one_in_any_case),
        ON_STORE(test_too_long_name_is_not_found),
        cmocka_unit_test(test_fold_is_unicode_simple_lower_case),
        ON_STORE(test_profile_update_replaces_what_people_are_called),
        ON_STORE(test_password_hash_is_replaced_only_if_it_still_is_the_old_one),
        ON_STORE(test_service_and_client_come_back_as_they_went),
        ON_STORE(test_services_and_clients_share_one_namespace),
        ON_STORE(test_service_and_client_updates),
        ON_STORE(test_sealed_value_is_set_once),
        ON_STORE(test_failures_are_counted_and_forgotten),
        ON_STORE(test_keys_come_retire_and_go),
        ON_STORE(test_events_are_listed_newest_first),
        ON_STORE(test_lists_page_in_order_of_id),
        ON_STORE(test_page_ends_where_the_arena_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
