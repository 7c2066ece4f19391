/* The catalog is true at every moment, for those who may wait and those who may not. */
#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"
#include "store/catalog.h"

struct catalog_fixture {
    struct fixture *base;
    struct catalog *catalog;
};

static int setup(void **state)
{
    struct catalog_fixture *fixture = calloc(1, sizeof(*fixture));
    void *base = NULL;

    if (fixture == NULL || fixture_setup_open(&base) != 0)
        return -1;
    fixture->base = base;
    *state = fixture;
    return catalog_new(fixture->base->store, &fixture->catalog) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct catalog_fixture *fixture = *state;
    void *base = fixture->base;
    int result;

    catalog_free(fixture->catalog);
    result = fixture_teardown(&base);
    free(fixture);
    return result;
}

static void insert_client(struct catalog_fixture *fixture, const char *name, int64_t *out_id)
{
    struct client client = sample_client(fixture->base, name);

    assert_int_equal(COMMIT_ONE(fixture->base, store_insert_client, &client), RC_OK);
    fixture_await_feed(fixture->base);
    *out_id = client.id;
}

static void insert_service(struct catalog_fixture *fixture, const char *name, const char *scope,
                           struct service *out_service)
{
    struct service service = sample_service(fixture->base, name);

    service.scope = str_of(scope);
    assert_int_equal(COMMIT_ONE(fixture->base, store_insert_service, &service), RC_OK);
    fixture_await_feed(fixture->base);
    *out_service = service;
}

static void test_unknown_name_is_not_found_at_once(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct catalog_client *client = NULL;
    struct catalog_service *service = NULL;

    assert_int_equal(catalog_find_client(fixture->catalog, STR("nobody"), false, &client),
                     RC_NOT_FOUND);
    assert_int_equal(catalog_find_client_by_id(fixture->catalog, 1, false, &client), RC_NOT_FOUND);
    assert_int_equal(catalog_find_service(fixture->catalog, STR("nobody"), false, &service),
                     RC_NOT_FOUND);
    assert_int_equal(catalog_find_owner(fixture->catalog, STR("word"), false, &service),
                     RC_NOT_FOUND);
    assert_null(client);
    assert_null(service);
}

static void test_new_client_is_found_by_those_who_may_wait(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct catalog_client *client;
    struct catalog_client *same;
    struct catalog_service *service;
    int64_t id;

    insert_client(fixture, "cli", &id);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), false, &client),
                     RC_WOULD_BLOCK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), true, &client), RC_OK);
    assert_int_equal(client->client.id, id);
    ASSERT_STR(client->client.scope, "read write");
    ASSERT_STR(client->client.redirect_uris, "https://a.example/cb\nhttps://b.example/cb");
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), false, &same), RC_OK);
    assert_ptr_equal(client, same);
    catalog_client_put(same);
    assert_int_equal(catalog_find_client_by_id(fixture->catalog, id, false, &same), RC_OK);
    assert_ptr_equal(client, same);
    catalog_client_put(same);
    catalog_client_put(client);
    /* A client is no service, though names are shared. */
    assert_int_equal(catalog_find_service(fixture->catalog, STR("cli"), false, &service),
                     RC_NOT_FOUND);
}

static void test_everything_is_read_at_start(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct catalog *second = NULL;
    struct catalog_client *client;
    struct catalog_service *service_found;
    struct service service;
    char name[16];
    int64_t id;
    int index;

    for (index = 0; index < 200; index++) {
        snprintf(name, sizeof(name), "c%d", index);
        insert_client(fixture, name, &id);
    }
    insert_service(fixture, "svc", "alpha beta", &service);
    assert_int_equal(catalog_new(fixture->base->store, &second), RC_OK);
    for (index = 0; index < 200; index++) {
        snprintf(name, sizeof(name), "c%d", index);
        assert_int_equal(catalog_find_client(second, str_of(name), false, &client), RC_OK);
        catalog_client_put(client);
    }
    assert_int_equal(catalog_find_service(second, STR("svc"), false, &service_found), RC_OK);
    catalog_service_put(service_found);
    /* The first was told of more than it notes, and reads everything. */
    assert_int_equal(catalog_find_client(fixture->catalog, STR("c7"), true, &client), RC_OK);
    catalog_client_put(client);
    /* The store tells the other all the same. */
    catalog_free(second);
    insert_client(fixture, "later", &id);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("later"), false, &client),
                     RC_WOULD_BLOCK);
}

static void test_held_entry_outlives_its_successor(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct catalog_client *held;
    struct catalog_client *fresh;
    struct client client = sample_client(fixture->base, "cli");

    assert_int_equal(COMMIT_ONE(fixture->base, store_insert_client, &client), RC_OK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), true, &held), RC_OK);
    client.scope = STR("nothing");
    client.is_disabled = true;
    assert_int_equal(COMMIT_ONE(fixture->base, store_update_client, &client), RC_OK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), false, &fresh),
                     RC_WOULD_BLOCK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), true, &fresh), RC_OK);
    assert_ptr_not_equal(held, fresh);
    assert_true(fresh->client.is_disabled); /* found; the caller decides */
    ASSERT_STR(fresh->client.scope, "nothing");
    ASSERT_STR(held->client.scope, "read write");
    catalog_client_put(fresh);
    catalog_client_put(held);
}

static void remember(struct secret_memory *memory, unsigned char byte)
{
    memset(memory->mac, byte, sizeof(memory->mac));
    atomic_store(&memory->state, 2);
}

static void test_verified_secret_is_remembered_until_it_changes(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct catalog_client *client;
    struct client row = sample_client(fixture->base, "cli");

    assert_int_equal(COMMIT_ONE(fixture->base, store_insert_client, &row), RC_OK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), true, &client), RC_OK);
    assert_int_equal(atomic_load(&client->memory.state), 0);
    remember(&client->memory, 0x42);
    catalog_client_put(client);
    row.scope = STR("other");
    assert_int_equal(COMMIT_ONE(fixture->base, store_update_client, &row), RC_OK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), true, &client), RC_OK);
    assert_int_equal(atomic_load(&client->memory.state), 2);
    assert_int_equal(client->memory.mac[31], 0x42);
    catalog_client_put(client);
    row.secret_hash = STR("hmac:22");
    assert_int_equal(COMMIT_ONE(fixture->base, store_update_client, &row), RC_OK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), true, &client), RC_OK);
    assert_int_equal(atomic_load(&client->memory.state), 0);
    assert_int_equal(client->memory.mac[31], 0);
    catalog_client_put(client);
}

static void expect_owner(struct catalog_fixture *fixture, const char *word, const char *service_id)
{
    struct catalog_service *service;

    if (service_id == NULL) {
        assert_int_equal(catalog_find_owner(fixture->catalog, str_of(word), true, &service),
                         RC_NOT_FOUND);
        return;
    }
    assert_int_equal(catalog_find_owner(fixture->catalog, str_of(word), true, &service), RC_OK);
    ASSERT_STR(service->service.service_id, service_id);
    catalog_service_put(service);
}

static void expect_scopes(struct catalog_fixture *fixture, const char *words)
{
    char bytes[256];
    struct buffer out = buffer_over(bytes, sizeof(bytes));

    assert_int_equal(catalog_list_scopes(fixture->catalog, true, &out), RC_OK);
    ASSERT_STR(buffer_str(&out), words);
}

static void test_scope_word_has_one_owner(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct service first;
    struct service second;

    expect_scopes(fixture, "");
    insert_service(fixture, "one", "alpha beta", &first);
    insert_service(fixture, "two", "gamma  alpha", &second);
    expect_owner(fixture, "alpha", "one");
    expect_owner(fixture, "beta", "one");
    expect_owner(fixture, "gamma", "two");
    expect_owner(fixture, "alph", NULL);
    expect_scopes(fixture, "alpha beta gamma alpha");
    first.scope = STR("delta");
    assert_int_equal(COMMIT_ONE(fixture->base, store_update_service, &first), RC_OK);
    expect_owner(fixture, "alpha", "two");
    expect_owner(fixture, "beta", NULL);
    second.is_disabled = true;
    assert_int_equal(COMMIT_ONE(fixture->base, store_update_service, &second), RC_OK);
    expect_scopes(fixture, "delta");
    expect_owner(fixture, "gamma", "two");
}

/* More names and words than the maps begin with; what leaves takes nothing else along. */
static void test_many_come_and_go(void **state)
{
    enum { CLIENT_COUNT = 150, SERVICE_COUNT = 40 };
    struct catalog_fixture *fixture = *state;
    static int64_t ids[CLIENT_COUNT];
    static struct service services[SERVICE_COUNT];
    static char scopes[SERVICE_COUNT][32];
    struct catalog_client *client;
    char name[32];

    for (int i = 0; i < CLIENT_COUNT; i++) {
        snprintf(name, sizeof(name), "client-%d", i);
        insert_client(fixture, name, &ids[i]);
    }
    for (int i = 0; i < SERVICE_COUNT; i++) {
        snprintf(name, sizeof(name), "service-%d", i);
        snprintf(scopes[i], sizeof(scopes[i]), "read-%d write-%d", i, i);
        insert_service(fixture, name, scopes[i], &services[i]);
    }
    for (int i = 0; i < CLIENT_COUNT; i += 2) {
        assert_int_equal(COMMIT_ONE(fixture->base, store_delete_client, ids[i]), RC_OK);
        fixture_await_feed(fixture->base);
        assert_int_equal(catalog_find_client_by_id(fixture->catalog, ids[i], true, &client),
                         RC_NOT_FOUND);
    }
    for (int i = 0; i < CLIENT_COUNT; i++) {
        enum rc expected = i % 2 == 0 ? RC_NOT_FOUND : RC_OK;

        snprintf(name, sizeof(name), "client-%d", i);
        assert_int_equal(catalog_find_client(fixture->catalog, str_of(name), true, &client),
                         expected);
        if (expected == RC_OK)
            catalog_client_put(client);
        assert_int_equal(catalog_find_client_by_id(fixture->catalog, ids[i], true, &client),
                         expected);
        if (expected == RC_OK) {
            ASSERT_STR(client->client.client_id, name);
            catalog_client_put(client);
        }
    }
    for (int i = 0; i < SERVICE_COUNT; i++) {
        char words[2][16];

        snprintf(name, sizeof(name), "service-%d", i);
        snprintf(words[0], sizeof(words[0]), "read-%d", i);
        snprintf(words[1], sizeof(words[1]), "write-%d", i);
        expect_owner(fixture, words[0], name);
        expect_owner(fixture, words[1], name);
    }
    expect_owner(fixture, "read-40", NULL);
}

static void expect_password_services(struct catalog_fixture *fixture, const char *words)
{
    char bytes[256];
    struct buffer out = buffer_over(bytes, sizeof(bytes));

    fixture_await_feed(fixture->base);
    assert_int_equal(catalog_list_password_services(fixture->catalog, true, &out), RC_OK);
    ASSERT_STR(buffer_str(&out), words);
    assert_int_equal(catalog_list_password_services(fixture->catalog, false, &out), RC_OK);
}

static void test_services_for_passwords_are_listed_in_order(void **state)
{
    struct catalog_fixture *fixture = *state;
    char bytes[256];
    struct buffer out = buffer_over(bytes, sizeof(bytes));
    struct service services[3];

    expect_password_services(fixture, "");
    insert_service(fixture, "zeta.example", "alpha", &services[0]);
    insert_service(fixture, "eta.example", "beta", &services[1]);
    insert_service(fixture, "theta.example", "", &services[2]);
    assert_int_equal(catalog_list_password_services(fixture->catalog, false, &out), RC_WOULD_BLOCK);
    assert_int_equal(buffer_str(&out).len, 0);
    expect_password_services(
        fixture, "service_id=zeta.example service_id=eta.example service_id=theta.example");
    services[1].allows_password = false;
    assert_int_equal(COMMIT_ONE(fixture->base, store_update_service, &services[1]), RC_OK);
    expect_password_services(fixture, "service_id=zeta.example service_id=theta.example");
    services[0].is_disabled = true;
    assert_int_equal(COMMIT_ONE(fixture->base, store_update_service, &services[0]), RC_OK);
    expect_password_services(fixture, "service_id=theta.example");
}

static void test_changes_of_other_nouns_hold_nobody_up(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct account account = sample_account(fixture->base, "ada");
    struct catalog_client *client = NULL;
    int64_t id;

    insert_client(fixture, "cli", &id);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), true, &client), RC_OK);
    catalog_client_put(client);
    assert_int_equal(COMMIT_ONE(fixture->base, store_insert_account, &account), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture->base, store_revoke_token, 1, 1, 1), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture->base, store_end_grant, 1, 1), RC_OK);
    assert_int_equal(catalog_find_client(fixture->catalog, STR("cli"), false, &client), RC_OK);
    catalog_client_put(client);
}

/* ---- threads -------------------------------------------------------------------------------- */

enum { READER_THREAD_COUNT = 6, CHANGE_COUNT = 150 };

struct crowd {
    struct catalog_fixture *fixture;
    struct str name;
    int64_t id;
    _Atomic int64_t acknowledged; /* the refresh lifetime that the last commit set */
    _Atomic bool is_over;
    _Atomic int strange;
};

/* Whoever asks after a change was acknowledged never sees what was before. */
static void *watch(void *context)
{
    struct crowd *crowd = context;
    struct catalog *catalog = crowd->fixture->catalog;
    unsigned turn = 0;

    while (!atomic_load(&crowd->is_over)) {
        int64_t before = atomic_load(&crowd->acknowledged);
        struct catalog_client *client;
        struct catalog_service *service;
        bool may_block = turn++ % 2 == 0;
        enum rc rc = turn % 3 == 0
                         ? catalog_find_client_by_id(catalog, crowd->id, may_block, &client)
                         : catalog_find_client(catalog, crowd->name, may_block, &client);

        if (rc == RC_OK) {
            if (client->client.refresh_lifetime_s < before ||
                !str_equal(client->client.client_id, crowd->name))
                atomic_fetch_add(&crowd->strange, 1);
            catalog_client_put(client);
        } else if (may_block || rc != RC_WOULD_BLOCK) {
            atomic_fetch_add(&crowd->strange, 1);
        }
        rc = catalog_find_owner(catalog, STR("alpha"), may_block, &service);
        if (rc == RC_OK)
            catalog_service_put(service);
        else if (may_block || rc != RC_WOULD_BLOCK)
            atomic_fetch_add(&crowd->strange, 1);
    }
    return NULL;
}

static void test_no_reader_sees_what_was_changed_before(void **state)
{
    struct catalog_fixture *fixture = *state;
    struct crowd crowd = { .fixture = fixture, .name = STR("cli") };
    struct client client = sample_client(fixture->base, "cli");
    pthread_t threads[READER_THREAD_COUNT];
    struct service service;
    int index;

    client.refresh_lifetime_s = 0;
    crowd.id = client.id;
    assert_int_equal(COMMIT_ONE(fixture->base, store_insert_client, &client), RC_OK);
    insert_service(fixture, "svc", "alpha", &service);
    for (index = 0; index < READER_THREAD_COUNT; index++)
        assert_int_equal(pthread_create(&threads[index], NULL, watch, &crowd), 0);
    for (index = 1; index <= CHANGE_COUNT; index++) {
        client.refresh_lifetime_s = index;
        assert_int_equal(COMMIT_ONE(fixture->base, store_update_client, &client), RC_OK);
        atomic_store(&crowd.acknowledged, index);
        if (index % 10 == 0)
            assert_int_equal(COMMIT_ONE(fixture->base, store_update_service, &service), RC_OK);
    }
    atomic_store(&crowd.is_over, true);
    for (index = 0; index < READER_THREAD_COUNT; index++)
        pthread_join(threads[index], NULL);
    assert_int_equal(crowd.strange, 0);
}

#define ON_CATALOG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_CATALOG(test_unknown_name_is_not_found_at_once),
        ON_CATALOG(test_new_client_is_found_by_those_who_may_wait),
        ON_CATALOG(test_everything_is_read_at_start),
        ON_CATALOG(test_held_entry_outlives_its_successor),
        ON_CATALOG(test_verified_secret_is_remembered_until_it_changes),
        ON_CATALOG(test_scope_word_has_one_owner),
        ON_CATALOG(test_many_come_and_go),
        ON_CATALOG(test_services_for_passwords_are_listed_in_order),
        ON_CATALOG(test_changes_of_other_nouns_hold_nobody_up),
        ON_CATALOG(test_no_reader_sees_what_was_changed_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
