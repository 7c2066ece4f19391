/* What may be granted: words, services, audience and shape. */
#include "../token/room_fixture.h"

#include "oauth/scope.h"

struct scope_fixture {
    struct room_fixture *room;
    struct oauth oauth;
    struct client client;
};

static int set_up(void **state)
{
    struct scope_fixture *fixture = calloc(1, sizeof(*fixture));
    void *room;

    assert_non_null(fixture);
    fixture_set_up(&room);
    fixture->room = room;
    fixture_add_service(room, (struct service){ .service_id = STR("a.example"),
                                                .scope = STR("a.read a.write"),
                                                .format = TOKEN_OPAQUE,
                                                .lifetime_s = 600 });
    fixture_add_service(room, (struct service){ .service_id = STR("b.example"),
                                                .scope = STR("b.read"),
                                                .format = TOKEN_JWT,
                                                .alg = ALG_EDDSA,
                                                .lifetime_s = 60 });
    fixture_add_service(room, (struct service){ .service_id = STR("open.example"),
                                                .allows_password = true,
                                                .lifetime_s = 3600 });
    fixture_add_service(room, (struct service){ .service_id = STR("off.example"),
                                                .scope = STR("off.read"),
                                                .allows_password = true,
                                                .is_disabled = true,
                                                .lifetime_s = 3600 });
    fixture->oauth =
        (struct oauth){ .store = fixture->room->store, .catalog = fixture->room->catalog };
    fixture->client = (struct client){ .id = 1,
                                       .client_id = STR("c"),
                                       .scope = STR("a.read loose off.read"),
                                       .service_ids = STR("b.example off.example") };
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct scope_fixture *fixture = *state;
    void *room = fixture->room;

    fixture_tear_down(&room);
    free(fixture);
    return 0;
}

/* Asks; on RC_REFUSED the error is invalid_scope. NULL: no scope parameter. */
static enum rc permit(struct scope_fixture *fixture, bool by_service, const char *scope,
                      struct permission *out_permission)
{
    struct oauth_call call = { .oauth = &fixture->oauth,
                               .arena = &fixture->room->arena,
                               .may_block = true };
    struct str words = scope == NULL ? STR("") : str_of(scope);
    enum rc rc = scope_permit(&call, &fixture->client, by_service, scope == NULL ? NULL : &words,
                              out_permission);

    if (rc == RC_REFUSED)
        assert_int_equal(call.refusal.error, OAUTH_INVALID_SCOPE);
    return rc;
}

static void assert_permits(struct scope_fixture *fixture, const char *asked, const char *scope,
                           const char *audience)
{
    struct permission permission;

    assert_int_equal(permit(fixture, false, asked, &permission), RC_OK);
    assert_true(str_equal(permission.scope, str_of(scope)));
    assert_true(str_equal(permission.audience, str_of(audience)));
}

static void test_words_name_their_service(void **state)
{
    assert_permits(*state, "a.read", "a.read", "a.example");
    assert_permits(*state, "b.read a.read", "b.read a.read", "b.example a.example");
    assert_permits(*state, "service_id=b.example", "service_id=b.example", "b.example");
}

static void test_word_of_nobody_is_the_issuers(void **state)
{
    assert_permits(*state, "loose", "loose", "");
    assert_permits(*state, "loose a.read", "loose a.read", "a.example");
}

static void test_repeated_word_is_granted_once(void **state)
{
    assert_permits(*state, "a.read a.read", "a.read", "a.example");
}

/* AZ-18's rule at this endpoint: more than the registration is refused, not narrowed. */
static void test_more_than_registered_is_refused(void **state)
{
    static const char *const asked[] = { "a.write",     "a.read a.write",
                                         "unknown",     "service_id=a.example",
                                         "service_id=", "service_id=nobody.example",
                                         "off.read",    "service_id=off.example" };
    struct permission permission;

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        assert_int_equal(permit(*state, false, asked[i], &permission), RC_REFUSED);
}

static void test_malformed_scope_is_refused(void **state)
{
    static const char *const asked[] = { " a.read", "a.read ",       "a.read  loose", "a\"read",
                                         "a\\read", "a.read\tloose", "\xc3\xa9" };
    struct permission permission;

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        assert_int_equal(permit(*state, false, asked[i], &permission), RC_REFUSED);
}

static void test_absent_scope_means_the_registered_one(void **state)
{
    struct scope_fixture *fixture = *state;

    /* A service that is disabled takes nothing but its own words along. */
    fixture->client.scope = STR("a.read off.read");
    fixture->client.service_ids = STR("b.example open.example off.example gone.example");
    assert_permits(fixture, NULL, "a.read b.read service_id=open.example",
                   "a.example b.example open.example");
}

/* Words that stand for a person, or for the administration, are left out, not refused. */
static void test_absent_scope_without_a_person(void **state)
{
    struct scope_fixture *fixture = *state;
    struct client before = fixture->client;

    fixture->client.scope = STR("openid profile a.read " SCOPE_ADMIN_WORD " email");
    fixture->client.service_ids = STR("");
    assert_permits(fixture, NULL, "a.read", "a.example");
    fixture->client = before;
}

/* CA-12: without a client only services that were opened to passwords, and only as a whole. */
static void test_ca_12_password_without_client_is_confined(void **state)
{
    static const char *const refused[] = { "service_id=a.example", "service_id=off.example",
                                           "a.read", "loose", "" };
    struct permission permission;

    assert_int_equal(permit(*state, true, "service_id=open.example", &permission), RC_OK);
    assert_true(str_equal(permission.audience, STR("open.example")));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(permit(*state, true, refused[i], &permission), RC_REFUSED);
    assert_int_equal(permit(*state, true, NULL, &permission), RC_REFUSED);
}

static void test_shape_is_the_services(void **state)
{
    struct permission permission;

    assert_int_equal(permit(*state, false, "b.read", &permission), RC_OK);
    assert_int_equal(permission.shape.format, TOKEN_JWT);
    assert_int_equal(permission.shape.alg, ALG_EDDSA);
    assert_int_equal(permission.shape.lifetime_s, 60);
    /* Two services: what both can check, for no longer than either allows. */
    assert_int_equal(permit(*state, false, "a.read b.read", &permission), RC_OK);
    assert_int_equal(permission.shape.format, TOKEN_OPAQUE);
    assert_int_equal(permission.shape.lifetime_s, 60);
}

static enum rc permit_all(struct scope_fixture *fixture, struct permission *out_permission)
{
    struct oauth_call call = { .oauth = &fixture->oauth,
                               .arena = &fixture->room->arena,
                               .may_block = true };
    enum rc rc = scope_permit_all(&call, &fixture->client, out_permission);

    /* Whoever runs the server reads what to do. */
    if (rc == RC_REFUSED)
        assert_non_null(strstr(call.refusal.log_detail, "register the client for some"));
    return rc;
}

/* Whoever names neither scope nor client gets what was registered or opened for that. */
static void test_all_is_what_is_registered_or_open(void **state)
{
    struct scope_fixture *fixture = *state;
    struct client before = fixture->client;
    struct permission permission;

    fixture->client.scope = STR("a.read off.read");
    fixture->client.service_ids = STR("b.example");
    assert_int_equal(permit_all(fixture, &permission), RC_OK);
    assert_true(str_equal(permission.audience, STR("a.example b.example")));
    assert_true(str_equal(permission.scope, STR("a.read b.read")));

    /* Registered for nothing: what allows passwords and is not disabled. */
    fixture->client.scope = STR("");
    fixture->client.service_ids = STR("");
    assert_int_equal(permit_all(fixture, &permission), RC_OK);
    assert_true(str_equal(permission.audience, STR("open.example")));
    assert_true(str_equal(permission.scope, STR("service_id=open.example")));
    assert_int_equal(permission.shape.lifetime_s, 3600);

    /* Registered for what is disabled: that is no reason to open everything else. */
    fixture->client.service_ids = STR("off.example");
    assert_int_equal(permit_all(fixture, &permission), RC_OK);
    assert_true(str_equal(permission.audience, STR("")));
    fixture->client = before;
}

/* Nothing is open: the issuer's token. */
static void test_all_of_nothing_is_the_issuers(void **state)
{
    struct scope_fixture *fixture = *state;
    struct client before = fixture->client;
    struct catalog_service *entry;
    struct permission permission;
    struct service service;
    struct store_unit unit;

    assert_int_equal(
        catalog_find_service(fixture->room->catalog, STR("open.example"), true, &entry), RC_OK);
    service = entry->service;
    service.allows_password = false;
    store_unit_init(&unit);
    store_update_service(&unit, &service);
    assert_int_equal(store_commit(fixture->room->store, &unit), RC_OK);
    fixture->client.scope = STR("");
    fixture->client.service_ids = STR("");
    assert_int_equal(permit_all(fixture, &permission), RC_OK);
    assert_int_equal(permission.scope.len, 0);
    assert_int_equal(permission.audience.len, 0);
    assert_int_equal(permission.shape.format, TOKEN_OPAQUE);
    assert_int_equal(permission.shape.lifetime_s, OAUTH_LIFETIME_DEFAULT_S);
    service.allows_password = true;
    store_unit_init(&unit);
    store_update_service(&unit, &service);
    assert_int_equal(store_commit(fixture->room->store, &unit), RC_OK);
    catalog_service_put(entry);
    fixture->client = before;
}

/* More services than one scope can name: refused in words, not cut. */
static void test_all_of_too_many_is_refused(void **state)
{
    struct scope_fixture *fixture = *state;
    struct client before = fixture->client;
    struct permission permission;

    fixture->client.scope = STR("");
    fixture->client.service_ids = STR("");
    for (int i = 1; i <= SCOPE_WORD_COUNT_MAX; i++) { /* and the one that is open already */
        char id[16];

        snprintf(id, sizeof(id), "s%d.example", i);
        fixture_add_service(fixture->room, (struct service){ .service_id = str_of(id),
                                                             .allows_password = true,
                                                             .lifetime_s = 60 });
        if (i == SCOPE_WORD_COUNT_MAX - 1)
            assert_int_equal(permit_all(fixture, &permission), RC_OK);
    }
    assert_int_equal(permit_all(fixture, &permission), RC_REFUSED);
    fixture->client = before;
}

/* The same where their names alone are too long. */
static void test_all_of_too_much_is_refused(void **state)
{
    struct scope_fixture *fixture = *state;
    struct client before = fixture->client;
    struct permission permission;

    for (int i = 0; i < 24; i++) {
        char id[SERVICE_ID_BYTES_MAX];

        memset(id, 'a' + i, sizeof(id));
        fixture_add_service(fixture->room, (struct service){ .service_id = { id, sizeof(id) },
                                                             .allows_password = true,
                                                             .lifetime_s = 60 });
    }
    fixture->client.scope = STR("");
    fixture->client.service_ids = STR("");
    assert_int_equal(permit_all(fixture, &permission), RC_REFUSED);
    fixture->client = before;
}

/* AZ-19: many words and long ones end in a refusal, and soon. */
static void test_az_19_huge_scopes_are_refused(void **state)
{
    struct scope_fixture *fixture = *state;
    char *words = arena_alloc(&fixture->room->arena, 200001);
    struct permission permission;

    for (size_t i = 0; i < 200000; i++)
        words[i] = i % 2 == 0 ? 'x' : ' ';
    words[199999] = '\0';
    assert_int_equal(permit(fixture, false, words, &permission), RC_REFUSED);
    words[SCOPE_BYTES_MAX - 1] = '\0';
    assert_int_equal(permit(fixture, false, words, &permission), RC_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_name_their_service),
        cmocka_unit_test(test_word_of_nobody_is_the_issuers),
        cmocka_unit_test(test_repeated_word_is_granted_once),
        cmocka_unit_test(test_more_than_registered_is_refused),
        cmocka_unit_test(test_malformed_scope_is_refused),
        cmocka_unit_test(test_ca_12_password_without_client_is_confined),
        cmocka_unit_test(test_shape_is_the_services),
        cmocka_unit_test(test_az_19_huge_scopes_are_refused),
        cmocka_unit_test(test_all_is_what_is_registered_or_open),
        cmocka_unit_test(test_all_of_nothing_is_the_issuers),
        cmocka_unit_test(test_absent_scope_means_the_registered_one),
        cmocka_unit_test(test_absent_scope_without_a_person),
        cmocka_unit_test(test_all_of_too_many_is_refused), /* the last two: they open services */
        cmocka_unit_test(test_all_of_too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
