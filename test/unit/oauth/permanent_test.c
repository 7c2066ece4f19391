/* Permanent tokens: what may be asked for, and from where they may be used. */
#include "permanent_fixture.h"

/* ---- making ---------------------------------------------------------------------------------- */

static void test_made_and_used_like_an_access_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .name = " nightly export " });
    struct permanent row = found(fixture, made.id);
    struct event event = last_event(fixture);
    char json[8192];

    assert_int_equal(strncmp(made.value, "jtp_", 4), 0);
    assert_int_equal(made.expires_at, 0);
    assert_true(is_active_at(fixture, "api.example", "api-secret", made.value, json));
    assert_non_null(strstr(json, "\"scope\":\"service_id=api.example\""));
    assert_non_null(strstr(json, "\"client_id\":\"public_client\""));
    assert_non_null(strstr(json, "\"username\":\"alice\""));
    assert_non_null(strstr(json, "\"aud\":\"api.example\""));
    assert_null(strstr(json, "\"exp\""));
    assert_false(is_active_at(fixture, "jwt.example", "jwt-secret", made.value, NULL));
    assert_true(str_equal(row.name, STR("nightly export")));
    assert_true(str_equal(row.scope, STR("service_id=api.example")));
    assert_int_equal(row.token_id, made.token_id);
    assert_int_equal(row.created_at, fixture->now);
    assert_int_equal(row.revoked_at + row.replaced_by, 0);
    assert_int_equal(event.kind, EVENT_PERMANENT_CHANGED);
    assert_int_equal(event.token_id, made.token_id);
    assert_int_equal(event.account_id, account_of(fixture, "alice").id);
    assert_int_equal(event.client_id, client_of(fixture, OAUTH_PUBLIC_CLIENT_ID).id);
    oauth_restart(fixture);
    assert_true(is_good(fixture, made.value));
}

/* Two of the same scope share nothing. */
static void test_each_has_a_grant_of_its_own(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made first = make(fixture, (struct wish){ 0 });
    struct made second = make(fixture, (struct wish){ 0 });

    assert_true(first.id != second.id);
    revoke(fixture, first.id);
    assert_false(is_good(fixture, first.value));
    assert_true(is_good(fixture, second.value));
}

/* A service that asks for JWTs gets one, as its access tokens are (contracts 2.3). */
static void test_a_service_of_jwts(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made;
    char json[8192];

    allow_password(fixture, "jwt.example", true, false);
    made = make(fixture, (struct wish){ .scope = "jwt.read" });
    assert_int_equal(strncmp(made.value, "eyJhbGciOiJFU", 13), 0);
    assert_true(is_active_at(fixture, "jwt.example", "jwt-secret", made.value, json));
    assert_null(strstr(json, "\"exp\""));
    fixture->now += 1000LL * DAY_S;
    assert_true(is_active_at(fixture, "jwt.example", "jwt-secret", made.value, NULL));
    made = make(fixture, (struct wish){ .scope = "jwt.example api.example" });
    assert_int_equal(strncmp(made.value, "jtp_", 4), 0);
}

/* ---- scope ----------------------------------------------------------------------------------- */

static void test_one_word_for_one_thing(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct {
        const char *asked;
        const char *granted;
    } cases[] = {
        { "api.example", "service_id=api.example" },
        { "service_id=api.example", "service_id=api.example" },
        { "api.example service_id=api.example api.example", "service_id=api.example" },
        { "  api.read   api.write ", "api.read api.write" },
        { "api.write api.example api.write", "api.write service_id=api.example" },
        { "jeton:tokens", "jeton:tokens" },
        { "jeton:tokens jeton:tokens", "jeton:tokens" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(make(fixture, (struct wish){ .scope = cases[i].asked }).scope,
                            cases[i].granted);
}

static void test_scopes_that_nobody_gets(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct {
        const char *scope;
        enum permanent_problem problem;
        const char *value;
    } cases[] = {
        { "", PERMANENT_SCOPE_MISSING, "" },
        { "   ", PERMANENT_SCOPE_MISSING, "" },
        { "nobody.example", PERMANENT_SCOPE_UNKNOWN, "nobody.example" },
        { "service_id=nobody.example", PERMANENT_SCOPE_UNKNOWN, "nobody.example" },
        { "service_id=", PERMANENT_SCOPE_UNKNOWN, "" },
        { "api.read read", PERMANENT_SCOPE_UNKNOWN, "read" }, /* a client's own word */
        { "api.example shut.example", PERMANENT_SCOPE_NOT_PERMITTED, "shut.example" },
        { "service_id=shut.example", PERMANENT_SCOPE_NOT_PERMITTED, "shut.example" },
        { "shut.read", PERMANENT_SCOPE_NOT_PERMITTED, "shut.read" },
        { "jwt.read", PERMANENT_SCOPE_NOT_PERMITTED, "jwt.read" },
        { "API.example", PERMANENT_SCOPE_UNKNOWN, "API.example" },
        { "api.read\\", PERMANENT_SCOPE_MALFORMED, "api.read\\" },
        { "\"api.read\"", PERMANENT_SCOPE_MALFORMED, "\"api.read\"" },
        { "api.read\tapi.write", PERMANENT_SCOPE_MALFORMED, "api.read\tapi.write" },
        { "caf\xc3\xa9", PERMANENT_SCOPE_MALFORMED, "caf\xc3\xa9" },
        { "jeton:tokens api.read", PERMANENT_SCOPE_NOT_ALONE, "jeton:tokens" },
        { "service_id=jeton:tokens", PERMANENT_SCOPE_UNKNOWN, "jeton:tokens" },
    };
    int64_t ids[4];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_problem(wish_for(fixture, (struct wish){ .scope = cases[i].scope }),
                       cases[i].problem, cases[i].value);
    allow_password(fixture, "api.example", true, true);
    assert_problem(wish_for(fixture, (struct wish){ 0 }), PERMANENT_SCOPE_NOT_PERMITTED,
                   "api.example");
    assert_int_equal(list_ids(fixture, NULL, INT64_MAX, ids, 4), 0);
}

static void test_scopes_that_are_too_many(void **state)
{
    struct oauth_fixture *fixture = *state;
    char scope[SCOPE_BYTES_MAX + 64];
    struct buffer text = buffer_over(scope, sizeof(scope) - 1);

    for (int i = 0; i <= SCOPE_WORD_COUNT_MAX; i++)
        BUFFER_APPEND_LITERAL(&text, "api.read ");
    scope[text.len] = '\0';
    assert_problem(wish_for(fixture, (struct wish){ .scope = scope }), PERMANENT_SCOPE_TOO_LONG,
                   "");
    scope[(size_t)SCOPE_WORD_COUNT_MAX * 9] = '\0';
    assert_string_equal(make(fixture, (struct wish){ .scope = scope }).scope, "api.read");
    memset(scope, 'x', sizeof(scope));
    scope[SCOPE_BYTES_MAX + 1] = '\0';
    assert_problem(wish_for(fixture, (struct wish){ .scope = scope }), PERMANENT_SCOPE_TOO_LONG,
                   "");
}

/* What is offered may be asked for, and all that may be asked for is offered. */
static void test_choices(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct permanent_fault fault;
    struct str choices;
    struct str word;
    size_t count = 0;

    assert_int_equal(permanent_choices(&asking->call, &choices), RC_OK);
    assert_true(str_equal(choices, STR("service_id=api.example api.read api.write jeton:tokens")));
    while (str_next_word(&choices, &word)) {
        assert_int_equal(permanent_check_word(&asking->call, word, &fault), RC_OK);
        count++;
    }
    assert_int_equal(count, 4);
    assert_int_equal(permanent_check_word(&asking->call, STR(" api.example "), &fault), RC_OK);
    assert_int_equal(permanent_check_word(&asking->call, STR(""), &fault), RC_REFUSED);
    assert_int_equal(fault.problem, PERMANENT_SCOPE_MISSING);
    assert_int_equal(permanent_check_word(&asking->call, STR("api.read api.write"), &fault),
                     RC_REFUSED);
    assert_int_equal(fault.problem, PERMANENT_SCOPE_MALFORMED);
    assert_int_equal(permanent_check_word(&asking->call, STR("shut.read"), &fault), RC_REFUSED);
    assert_int_equal(fault.problem, PERMANENT_SCOPE_NOT_PERMITTED);
    assert_true(str_equal(fault.value, STR("shut.read")));
    asking_end(asking, RC_OK);
}

/* ---- name, addresses, lifetime --------------------------------------------------------------- */

static void test_names(void **state)
{
    struct oauth_fixture *fixture = *state;
    char name[PERMANENT_NAME_BYTES_MAX + 2];
    static const struct {
        const char *name;
        enum permanent_problem problem;
    } cases[] = {
        { "", PERMANENT_NAME_MISSING },
        { " \t\r\n ", PERMANENT_NAME_MISSING },
        { "a\nb", PERMANENT_NAME_MALFORMED },
        { "a\x7f", PERMANENT_NAME_MALFORMED },
        { "a\x1b[31m", PERMANENT_NAME_MALFORMED },
        { "a\xc2\x85"
          "b",
          PERMANENT_NAME_MALFORMED }, /* NEXT LINE */
        { "a\xe2\x80\xa8"
          "b",
          PERMANENT_NAME_MALFORMED }, /* LINE SEPARATOR */
        { "a\xe2\x80\xae"
          "b",
          PERMANENT_NAME_MALFORMED }, /* turns the text around */
        { "a\xe2\x81\xa6"
          "b",
          PERMANENT_NAME_MALFORMED },
        { "\xc3(", PERMANENT_NAME_MALFORMED },
        { "\xed\xa0\x80", PERMANENT_NAME_MALFORMED }, /* a surrogate */
    };
    static const char *const good[] = { "x", "<script>alert(1)</script>",
                                        "caf\xc3\xa9 \xe2\x80\x94 5 \xe2\x82\xac",
                                        "\xf0\x9f\x94\x91" };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_problem(wish_for(fixture, (struct wish){ .name = cases[i].name }), cases[i].problem,
                       "");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct made made = make(fixture, (struct wish){ .name = good[i] });

        assert_true(str_equal(found(fixture, made.id).name, str_of(good[i])));
    }
    memset(name, 'n', sizeof(name));
    name[PERMANENT_NAME_BYTES_MAX + 1] = '\0';
    assert_problem(wish_for(fixture, (struct wish){ .name = name }), PERMANENT_NAME_TOO_LONG, "");
    name[PERMANENT_NAME_BYTES_MAX] = '\0';
    make(fixture, (struct wish){ .name = name });
}

static void test_addresses_in_one_form(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct {
        const char *asked;
        const char *kept;
    } cases[] = {
        { "", "" },
        { " , ", "" },
        { "10.0.0.0/8", "10.0.0.0/8" },
        { "192.0.2.7/32,192.0.2.7", "192.0.2.7" },
        { "10.0.0.0/8, 2001:DB8:0::/32\n::ffff:192.0.2.1", "10.0.0.0/8 2001:db8::/32 192.0.2.1" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(make(fixture, (struct wish){ .addresses = cases[i].asked }).addresses,
                            cases[i].kept);
}

static void test_addresses_that_are_none(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct {
        const char *addresses;
        enum permanent_problem problem;
        const char *value;
    } cases[] = {
        { "10.0.0.0/8 office", PERMANENT_ADDRESSES_MALFORMED, "office" },
        { "10.0.0.0/33", PERMANENT_ADDRESSES_MALFORMED, "10.0.0.0/33" },
        { "10.0.0.1;10.0.0.2", PERMANENT_ADDRESSES_MALFORMED, "10.0.0.1;10.0.0.2" },
        { "unix", PERMANENT_ADDRESSES_MALFORMED, "unix" },
        { "::/0", PERMANENT_ADDRESSES_MALFORMED, "::/0" },
        { "10.0.0.0 /8", PERMANENT_ADDRESSES_MALFORMED, "/8" },
        { "10.0.0.1/8", PERMANENT_ADDRESSES_HOST_BITS, "10.0.0.0/8" },
    };
    char many[PERMANENT_ADDRESSES_BYTES_MAX + 64];
    struct buffer text = buffer_over(many, sizeof(many) - 1);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_problem(wish_for(fixture, (struct wish){ .addresses = cases[i].addresses }),
                       cases[i].problem, cases[i].value);
    for (int i = 0; i < PERMANENT_NETWORK_COUNT_MAX; i++)
        buffer_append_format(&text, "192.0.2.%d,", i);
    many[text.len] = '\0';
    make(fixture, (struct wish){ .addresses = many });
    BUFFER_APPEND_LITERAL(&text, "10.0.0.1");
    many[text.len] = '\0';
    assert_problem(wish_for(fixture, (struct wish){ .addresses = many }),
                   PERMANENT_ADDRESSES_TOO_LONG, "");
    memset(many, ' ', sizeof(many));
    many[PERMANENT_ADDRESSES_BYTES_MAX + 1] = '\0';
    assert_problem(wish_for(fixture, (struct wish){ .addresses = many }),
                   PERMANENT_ADDRESSES_TOO_LONG, "");
}

/* Only from there; and only what was let in is a use, which its owner sees at once. */
static void test_used_from_where_it_may_be(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made =
        make(fixture, (struct wish){ .scope = "api.read", .addresses = "10.0.0.0/8" });
    struct permanent row;

    assert_refused(present(fixture, made.value, outside, "api.read"), OAUTH_INVALID_TOKEN);
    assert_refused(present(fixture, made.value, NULL, "api.read"), OAUTH_INVALID_TOKEN);
    assert_refused(present(fixture, made.value, inside, "api.write"), OAUTH_INSUFFICIENT_SCOPE);
    assert_false(is_good(fixture, made.value)); /* introspection without an address */
    assert_int_equal(found(fixture, made.id).last_used_at, 0);
    fixture->now += 7;
    assert_int_equal(present(fixture, made.value, inside, "api.read").rc, RC_OK);
    row = found(fixture, made.id);
    assert_int_equal(row.last_used_at, fixture->now);
    assert_memory_equal(row.last_used_address, inside, sizeof(inside));
    oauth_restart(fixture);
    row = found(fixture, made.id);
    assert_int_equal(row.last_used_at, fixture->now);
    assert_memory_equal(row.last_used_address, inside, sizeof(inside));
}

static void test_lifetimes(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct {
        int64_t lifetime_s;
        int64_t max_s;
        enum permanent_problem problem;
    } cases[] = {
        { 0, 90 * DAY_S, PERMANENT_LIFETIME_NEEDED },
        { 90 * DAY_S + 1, 90 * DAY_S, PERMANENT_LIFETIME_TOO_LONG },
        { -1, 0, PERMANENT_LIFETIME_MALFORMED },
        { -1, 90 * DAY_S, PERMANENT_LIFETIME_MALFORMED },
        { INT64_MAX, 0, PERMANENT_LIFETIME_MALFORMED },
    };
    struct made made;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_problem(wish_for(fixture, (struct wish){ .lifetime_s = cases[i].lifetime_s,
                                                        .lifetime_s_max = cases[i].max_s }),
                       cases[i].problem, "");
    made = make(fixture, (struct wish){ .lifetime_s = 90 * DAY_S, .lifetime_s_max = 90 * DAY_S });
    assert_int_equal(made.expires_at, fixture->now + 90 * DAY_S);
    fixture->now = made.expires_at - 1;
    assert_true(is_good(fixture, made.value));
    fixture->now++;
    assert_false(is_good(fixture, made.value));
    assert_int_equal(found(fixture, made.id).revoked_at, 0);
}

/* A form that is sent twice makes one token. */
static void test_an_id_is_good_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made first;
    struct made second;
    int64_t id;
    int64_t ids[4];

    assert_int_equal(store_next_id(fixture->room->store, SEQUENCE_NOUN, &id), RC_OK);
    assert_problem(wish_for(fixture, (struct wish){ .id = id, .name = "" }), PERMANENT_NAME_MISSING,
                   "");
    first = make(fixture, (struct wish){ .id = id });
    second = wish_for(fixture, (struct wish){ .id = id, .scope = "api.write" });
    assert_int_equal(first.id, id);
    assert_int_equal(second.rc, RC_EXISTS);
    assert_int_equal(wish_for(fixture, (struct wish){ .id = id, .owner = "bob" }).rc, RC_EXISTS);
    oauth_restart(fixture);
    assert_int_equal(wish_for(fixture, (struct wish){ .id = id }).rc, RC_EXISTS);
    assert_int_equal(list_ids(fixture, NULL, INT64_MAX, ids, 4), 1);
    assert_true(is_good(fixture, first.value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OWNERS(test_made_and_used_like_an_access_token),
        WITH_OWNERS(test_each_has_a_grant_of_its_own),
        WITH_OWNERS(test_a_service_of_jwts),
        WITH_OWNERS(test_one_word_for_one_thing),
        WITH_OWNERS(test_scopes_that_nobody_gets),
        WITH_OWNERS(test_scopes_that_are_too_many),
        WITH_OWNERS(test_choices),
        WITH_OWNERS(test_names),
        WITH_OWNERS(test_addresses_in_one_form),
        WITH_OWNERS(test_addresses_that_are_none),
        WITH_OWNERS(test_used_from_where_it_may_be),
        WITH_OWNERS(test_lifetimes),
        WITH_OWNERS(test_an_id_is_good_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
