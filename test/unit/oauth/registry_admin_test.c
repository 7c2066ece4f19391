/* What administrators do to services and clients: the checks, the acts, and rotated secrets. */
#include "fixture.h"

#include "oauth/registry_admin.h"

static struct admin admin_of(struct oauth_fixture *fixture)
{
    return (
        struct admin){ .by = STR("a test"), .now = fixture->now, .arena = &fixture->room->arena };
}

static struct registry_desk desk_of(struct oauth_fixture *fixture, const struct admin *admin)
{
    return (struct registry_desk){ fixture->room->store, fixture->door.throttle, admin };
}

/* ---- checks ---------------------------------------------------------------------------------- */

static struct registry_faults faults_of_client(struct oauth_fixture *fixture, struct client *client)
{
    struct registry_faults faults = { .count = 99 };
    enum rc rc =
        registry_check_client(fixture->room->catalog, &fixture->room->arena, client, &faults);

    assert_int_equal(rc, faults.count == 0 ? RC_OK : RC_REFUSED);
    return faults;
}

static struct client good_client(void)
{
    return (struct client){ .client_id = STR("new"),
                            .grant_types = 1u << GRANT_TYPE_PASSWORD,
                            .refresh_lifetime_s = REFRESH_LIFETIME_S_DEFAULT,
                            .refresh_idle_lifetime_s = REFRESH_IDLE_LIFETIME_S_DEFAULT };
}

static void test_client_is_tidied(void **state)
{
    struct client client = good_client();

    client.scope = STR("  a   b ");
    client.service_ids = STR(" jwt.example api.example  jwt.example ");
    client.redirect_uris =
        STR("\r\n https://a.example/ \r\nhttps://b.example/\n\nhttps://a.example/");
    client.refresh_lifetime_s = 100;
    assert_int_equal(faults_of_client(*state, &client).count, 0);
    assert_true(str_equal(client.name, STR("new")));
    assert_true(str_equal(client.scope, STR("a b")));
    assert_true(str_equal(client.service_ids, STR("jwt.example api.example")));
    assert_true(str_equal(client.redirect_uris, STR("https://a.example/\nhttps://b.example/")));
    assert_int_equal(client.refresh_idle_lifetime_s, 100);
}

static void test_every_fault_of_a_client_is_told(void **state)
{
    struct client client = { .client_id = STR("a:b"),
                             .name = STR("\x01"),
                             .scope = STR("a a"),
                             .service_ids = STR("api.example none.example"),
                             .redirect_uris = STR("https://a.example/#x") };
    struct registry_faults faults = faults_of_client(*state, &client);
    static const enum registry_problem wanted[] = {
        REGISTRY_ID_COLON,           REGISTRY_NAME_MALFORMED,   REGISTRY_SCOPE_TWICE,
        REGISTRY_GRANTS_MISSING,     REGISTRY_REFRESH_RANGE,    REGISTRY_REFRESH_IDLE_RANGE,
        REGISTRY_REDIRECT_MALFORMED, REGISTRY_SERVICES_UNKNOWN,
    };
    char bytes[512];
    struct buffer words = buffer_over(bytes, sizeof(bytes));

    assert_int_equal(faults.count, sizeof(wanted) / sizeof(wanted[0]));
    for (size_t i = 0; i < faults.count; i++)
        assert_int_equal(faults.list[i].problem, wanted[i]);
    registry_fault_write(&faults.list[2], &words);
    assert_true(str_equal(buffer_str(&words), STR("the scope word a stands twice")));
    words.len = 0;
    registry_fault_write(&faults.list[4], &words);
    assert_non_null(memmem(words.at, words.len, "316224000", 9));
}

static void test_bounds_of_a_client(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct client client = good_client();
    struct buffer text = buffer_over(arena_alloc(&fixture->room->arena, 80000), 80000);

    for (int i = 0; i < REDIRECT_URI_COUNT_MAX; i++)
        buffer_append_format(&text, "https://a.example/%02d%s\n", i, "");
    client.redirect_uris = buffer_str(&text);
    assert_int_equal(faults_of_client(fixture, &client).count, 0);
    buffer_append_format(&text, "https://a.example/more");
    client.redirect_uris = buffer_str(&text);
    assert_int_equal(faults_of_client(fixture, &client).list[0].problem,
                     REGISTRY_REDIRECT_TOO_MANY);
    client = good_client();
    client.grant_types = 1u << GRANT_TYPE_REFRESH_TOKEN;
    assert_int_equal(faults_of_client(fixture, &client).list[0].problem,
                     REGISTRY_GRANTS_REFRESH_ALONE);
    client = good_client();
    client.type = CLIENT_EMPTY_SECRET; /* CA-10 */
    client.grant_types |= 1u << GRANT_TYPE_CLIENT_CREDENTIALS;
    assert_int_equal(faults_of_client(fixture, &client).list[0].problem,
                     REGISTRY_GRANTS_NEED_SECRET);
    /* The built-in ones never get a grant type. */
    client = client_of(fixture, OAUTH_SPECTRUM_CLIENT_ID);
    client.grant_types = ALL_GRANTS;
    client.service_ids = STR("api.example");
    assert_int_equal(faults_of_client(fixture, &client).count, 0);
    assert_int_equal(client.grant_types, 0);
}

/* A scope word has one owner, but a service may keep its own. */
static void test_scope_words_have_one_owner(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct catalog_service *entry;
    struct registry_faults faults;
    struct service service;

    assert_int_equal(catalog_find_service(fixture->room->catalog, STR("api.example"), true, &entry),
                     RC_OK);
    service = entry->service;
    assert_int_equal(
        registry_check_service(fixture->room->catalog, &fixture->room->arena, &service, &faults),
        RC_OK);
    service.scope = STR("api.read jwt.read");
    assert_int_equal(
        registry_check_service(fixture->room->catalog, &fixture->room->arena, &service, &faults),
        RC_REFUSED);
    assert_int_equal(faults.list[0].problem, REGISTRY_SCOPE_OWNED);
    assert_true(str_equal(faults.list[0].value, STR("jwt.read")));
    catalog_service_put(entry);
}

/* ---- acts ------------------------------------------------------------------------------------ */

static bool can_authenticate(struct oauth_fixture *fixture, const char *id, const char *secret,
                             bool is_basic)
{
    struct ask ask = { .client = id, .secret = secret, .is_basic = is_basic };
    struct asking *asking = asking_new(fixture, &ask);
    struct catalog_client *client;
    enum rc rc = client_authenticate(&asking->call, &asking->credentials, &client);

    if (rc == RC_OK)
        catalog_client_put(client);
    else
        assert_int_equal(rc, RC_REFUSED);
    asking_end(asking, rc);
    return rc == RC_OK;
}

static void rotate(struct oauth_fixture *fixture, const char *id, const char *secret,
                   bool is_chosen, int64_t overlap_s, enum rc wanted)
{
    struct admin admin = admin_of(fixture);
    struct registry_desk desk = desk_of(fixture, &admin);
    struct client client = client_of(fixture, id);
    int64_t until = -1;

    assert_int_equal(registry_rotate_client_secret(
                         &desk, &client, hash_of(fixture, secret, is_chosen), overlap_s, &until),
                     wanted);
    if (wanted == RC_OK)
        assert_int_equal(until, overlap_s == 0 ? 0 : fixture->now + overlap_s);
}

/* The secret before is good until its moment, whatever the forms of the two. */
static void test_overlap_ends_at_its_moment(void **state)
{
    struct oauth_fixture *fixture = *state;

    rotate(fixture, "web", "made-one", false, 100, RC_OK); /* the one before was chosen */
    for (int i = 0; i < 2; i++) {
        assert_true(can_authenticate(fixture, "web", "made-one", i == 0));
        assert_true(can_authenticate(fixture, "web", "web-secret", i == 0));
        assert_false(can_authenticate(fixture, "web", "wrong", i == 0));
    }
    fixture->now += 99;
    assert_true(can_authenticate(fixture, "web", "web-secret", true));
    fixture->now += 1;
    assert_false(can_authenticate(fixture, "web", "web-secret", true)); /* though remembered */
    assert_true(can_authenticate(fixture, "web", "made-one", true));
    rotate(fixture, "web", "chosen-two", true, 100, RC_OK);
    assert_true(can_authenticate(fixture, "web", "made-one", true));
    assert_true(can_authenticate(fixture, "web", "chosen-two", true));
    rotate(fixture, "web", "made-three", false, 0, RC_OK);
    assert_false(can_authenticate(fixture, "web", "chosen-two", true));
    assert_false(can_authenticate(fixture, "web", "made-one", true));
    assert_true(can_authenticate(fixture, "web", "made-three", true));
    assert_int_equal(client_of(fixture, "web").previous_secret_hash.len, 0);
}

/* CA-05: a wrong secret would cost two hashes where two are chosen, and so tell that there are. */
static void test_ca_05_two_chosen_secrets_do_not_overlap(void **state)
{
    struct oauth_fixture *fixture = *state;

    rotate(fixture, "web", "chosen-two", true, 100, RC_INVALID);
    assert_true(can_authenticate(fixture, "web", "web-secret", true));
    rotate(fixture, "web", "chosen-two", true, 0, RC_OK);
    assert_false(can_authenticate(fixture, "web", "web-secret", true));
    assert_true(can_authenticate(fixture, "web", "chosen-two", true));
}

static void test_overlap_is_ended(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct admin admin = admin_of(fixture);
    struct registry_desk desk = desk_of(fixture, &admin);
    struct client client = client_of(fixture, "other");

    assert_int_equal(registry_end_overlap(&desk, &client), RC_NOT_FOUND);
    rotate(fixture, "other", "made-two", false, 100, RC_OK);
    assert_int_equal(registry_end_overlap(&desk, &client), RC_NOT_FOUND); /* as it was read */
    client = client_of(fixture, "other");
    assert_int_equal(registry_end_overlap(&desk, &client), RC_OK);
    assert_int_equal(registry_end_overlap(&desk, &client), RC_SPENT);
    assert_false(can_authenticate(fixture, "other", "other-secret", false));
    assert_true(can_authenticate(fixture, "other", "made-two", false));
}

/* Nothing that somebody else did meanwhile is undone. */
static void test_acts_on_what_has_changed_are_refused(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct admin admin = admin_of(fixture);
    struct registry_desk desk = desk_of(fixture, &admin);
    struct client before = client_of(fixture, "web");
    struct client after = before;

    assert_int_equal(registry_disable_client(&desk, &before), RC_OK);
    after.name = STR("Another");
    assert_int_equal(registry_change_client(&desk, &before, &after), RC_SPENT);
    assert_int_equal(registry_enable_client(&desk, &before), RC_SPENT);
    assert_int_equal(registry_rotate_client_secret(&desk, &before, STR("hmac:x"), 0, NULL),
                     RC_SPENT);
    assert_true(client_of(fixture, "web").is_disabled);
    assert_false(can_authenticate(fixture, "web", "web-secret", true));
}

/* What a form does not offer stays, and a secret that is over is not kept. */
static void test_change_keeps_the_rest(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct admin admin = admin_of(fixture);
    struct registry_desk desk = desk_of(fixture, &admin);
    struct client before = client_of(fixture, "web");
    struct client after = before;

    after.policy = CLIENT_IS_TRUSTED;
    after.metadata = STR("{\"client_uri\":\"https://a.example/\"}");
    update_client(fixture, &after);
    rotate(fixture, "web", "made-one", false, 10, RC_OK);
    before = client_of(fixture, "web");
    after = before;
    after.name = STR("Another");
    assert_int_equal(registry_change_client(&desk, &before, &after), RC_OK);
    after = client_of(fixture, "web");
    assert_int_equal(after.policy, CLIENT_IS_TRUSTED);
    assert_true(str_equal(after.metadata, STR("{\"client_uri\":\"https://a.example/\"}")));
    assert_int_equal(after.previous_secret_until, fixture->now + 10);
    admin.now = fixture->now + 10;
    before = after;
    assert_int_equal(registry_change_client(&desk, &before, &after), RC_OK);
    after = client_of(fixture, "web");
    assert_int_equal(after.previous_secret_until, 0);
    assert_int_equal(after.previous_secret_hash.len, 0);
}

/* CA-03: a secret counts only in the way that the client is registered for. */
static void test_ca_03_registered_method(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct {
        enum client_auth_method method;
        bool takes_basic, takes_body;
    } cases[] = {
        { AUTH_SECRET, true, true },       { AUTH_SECRET_BASIC, true, false },
        { AUTH_SECRET_POST, false, true }, { AUTH_PRIVATE_KEY_JWT, false, false },
        { AUTH_TLS, false, false },        { AUTH_TLS_SELF_SIGNED, false, false },
    };

    _Static_assert(sizeof(cases) / sizeof(cases[0]) == AUTH_METHOD_COUNT, "every method");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client client = client_of(fixture, "machine");

        client.auth_method = cases[i].method;
        update_client(fixture, &client);
        assert_int_equal(can_authenticate(fixture, "machine", "machine-secret", true),
                         cases[i].takes_basic);
        assert_int_equal(can_authenticate(fixture, "machine", "machine-secret", false),
                         cases[i].takes_body);
    }
}

/* The right secret in the wrong way costs what a wrong one costs. */
static void test_ca_05_wrong_method_costs_a_hash(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct client client = client_of(fixture, "machine");
    struct ask ask = { .client = "machine", .secret = "machine-secret", .is_barred = true };
    struct catalog_client *entry;
    struct asking *asking;

    client.auth_method = AUTH_SECRET_BASIC;
    update_client(fixture, &client);
    assert_true(can_authenticate(fixture, "machine", "machine-secret", true));
    asking = asking_new(fixture, &ask);
    assert_int_equal(client_authenticate(&asking->call, &asking->credentials, &entry),
                     RC_NEEDS_HASH);
    asking_end(asking, RC_NEEDS_HASH);
    asking = asking_new(fixture, &(struct ask){ .client = "machine", .secret = "machine-secret" });
    assert_int_equal(client_authenticate(&asking->call, &asking->credentials, &entry), RC_REFUSED);
    assert_string_equal(asking->call.refusal.log_detail, "not the client's authentication method");
    asking_end(asking, RC_REFUSED);
}

/* Names that were tried before there was one do not hold it up. */
static void test_new_service_starts_afresh(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct admin admin = admin_of(fixture);
    struct registry_desk desk = desk_of(fixture, &admin);
    struct service service = { .service_id = STR("late.example"),
                               .name = STR("Late"),
                               .lifetime_s = 60,
                               .secret_hash = hash_of(fixture, "late-secret", true) };

    for (int i = 0; i < 12; i++)
        assert_int_equal(
            ask_introspection(
                fixture, (struct ask){ .client = "late.example", .secret = "wrong", .token = "x" })
                .rc,
            RC_REFUSED);
    assert_int_equal(registry_next_id(fixture->room->store, &service.id), RC_OK);
    assert_int_equal(registry_create_service(&desk, &service), RC_OK);
    assert_int_equal(registry_create_service(&desk, &service), RC_EXISTS);
    assert_int_equal(ask_introspection(fixture, (struct ask){ .client = "late.example",
                                                              .secret = "late-secret",
                                                              .token = "x" })
                         .rc,
                     RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_client_is_tidied),
        WITH_OAUTH(test_every_fault_of_a_client_is_told),
        WITH_OAUTH(test_bounds_of_a_client),
        WITH_OAUTH(test_scope_words_have_one_owner),
        WITH_OAUTH(test_overlap_ends_at_its_moment),
        WITH_OAUTH(test_ca_05_two_chosen_secrets_do_not_overlap),
        WITH_OAUTH(test_overlap_is_ended),
        WITH_OAUTH(test_acts_on_what_has_changed_are_refused),
        WITH_OAUTH(test_change_keeps_the_rest),
        WITH_OAUTH(test_ca_03_registered_method),
        WITH_OAUTH(test_ca_05_wrong_method_costs_a_hash),
        WITH_OAUTH(test_new_service_starts_afresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
