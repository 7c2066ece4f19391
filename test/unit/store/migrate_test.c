/* A store of an older schema opens, keeps its rows and gains the rest; half a step is none. */
#include "authorized.h"
#include "store/driver.h"

/* As the program of version 1 left it: one row at least in every table that later ones change. */
static const char *const rows_of_version_1[] = {
    "UPDATE sequence SET next = 500 WHERE number = 0",
    "INSERT INTO account (id, name, folded_name, full_name, email, password_hash, is_admin,"
    " is_disabled, created_at) VALUES (41, 'Ada', 'ada', 'Ada Example', 'ada@example.org',"
    " '$argon2id$one', 1, 0, 1700000000)",
    "INSERT INTO granted (id, account_id, client_id, scope, audience, is_family, parent_id,"
    " created_at, expires_at, ended_at) VALUES"
    " (42, 41, 7, 'read', 'one.example', 0, 0, 1700000000, 0, 0),"
    " (43, 41, 7, 'read', 'one.example', 1, 0, 1700000000, 4000000000, 0),"
    " (44, 41, 7, 'write', 'one.example', 1, 43, 1700000000, 4000000000, 0)",
    "INSERT INTO token (id, kind, format, grant_id, issued_at, expires_at, digest)"
    " VALUES (5, 0, 1, 42, 1700000000, 4000000000, zeroblob(32))",
    "INSERT INTO long_token (id, kind, format, grant_id, issued_at, expires_at, digest)"
    " VALUES (281474976710661, 2, 0, 42, 1700000000, 0, zeroblob(32))",
    "INSERT INTO event (id, at, kind, account_id, client_id, token_id, address, detail)"
    " VALUES (1, 1700000000, 1, 41, 7, 5, zeroblob(16), 'password')",
};

/* What version 2 added to the tables of version 1, and a row in each table of its own. */
static const char *const rows_of_version_2[] = {
    "INSERT INTO granted (id, account_id, client_id, scope, audience, is_family, parent_id,"
    " created_at, expires_at, ended_at, is_session) VALUES"
    " (45, 41, 7, 'read', '', 1, 0, 1700000000, 0, 0, 1)",
    "INSERT INTO session (id, account_id, digest, address, address_bits, device, idle_s,"
    " created_at, last_active_at) VALUES (45, 41, zeroblob(32), zeroblob(16), 128, 'Agent/1.0',"
    " 4000000000, 1700000000, 1700000001)",
    ("INSERT INTO factor (id, account_id, kind, name, sealed, created_at, last_step, last_used_at)"
     " VALUES (46, 41, 0, 'telephone', x'0102', 1700000000, 7, 1700000000)"),
    "INSERT INTO recovery_code (account_id, digest, used_at) VALUES (41, zeroblob(32), 0)",
};

/* What version 3 added to older tables, and a row in those that version 4 changes. */
static const char *const rows_of_version_3[] = {
    "INSERT INTO client (id, client_id, name, type, secret_hash, grant_types, scope, service_ids,"
    " redirect_uris, refresh_lifetime_s, refresh_idle_lifetime_s, is_disabled, created_at)"
    " VALUES (7, 'cli', 'A client', 0, 'hmac:11', 5, 'read', '', 'https://a.example/cb', 86400,"
    " 3600, 0, 1700000000)",
    "INSERT INTO name (name) VALUES ('cli')",
    "INSERT INTO granted (id, account_id, client_id, scope, audience, is_family, parent_id,"
    " created_at, expires_at, ended_at, is_session, is_permanent) VALUES"
    " (47, 41, 7, 'read', '', 1, 0, 1700000000, 0, 0, 0, 1)",
    "INSERT INTO permanent (id, account_id, token_id, name, scope, addresses, created_at,"
    " expires_at, replaced_by, last_used_at, last_used_address) VALUES (47, 41, 9, 'nightly',"
    " 'read', '', 1700000000, 0, 0, 0, zeroblob(16))",
    "INSERT INTO browser_session (id, account_id, digest, stage, address, device, created_at,"
    " proved_at, last_active_at, expires_at) VALUES (48, 41, zeroblob(32), 1, zeroblob(16),"
    " 'Agent/1.0', 1700000000, 1700000001, 4000000000, 4000000000)",
};

static const int64_t permanent_id = STORE_LONG_TOKEN_FIRST + 5;

/* Opens the store below its door, as no program does. */
static struct driver_session *open_below(struct fixture *fixture)
{
    struct store_config config = fixture_config(fixture);
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error));
    struct driver_session *session;

    assert_int_equal(driver_sqlite.open(&config, SESSION_WRITER, &session, &error), RC_OK);
    return session;
}

static void run_below(struct driver_session *session, const char *text)
{
    assert_int_equal(driver_sqlite.run_text(session, text), RC_OK);
}

static void run_steps(struct driver_session *session, int version)
{
    struct store_param params[2] = { { .type = STORE_INT, .number = version },
                                     { .type = STORE_INT, .number = 1700000000 } };
    uint64_t row_count;
    size_t index;

    for (index = 0; index < driver_sqlite.schema_step_count; index++) {
        if (driver_sqlite.schema[index].version == version)
            run_below(session, driver_sqlite.schema[index].text);
    }
    if (version > 0)
        assert_int_equal(
            driver_sqlite.run(session, STATEMENT_INSERT_VERSION, params, 2, &row_count, NULL),
            RC_OK);
}

static void make_version(struct fixture *fixture, int version)
{
    struct driver_session *session = open_below(fixture);
    size_t index;

    run_steps(session, 0);
    run_steps(session, 1);
    for (index = 0; index < sizeof(rows_of_version_1) / sizeof(rows_of_version_1[0]); index++)
        run_below(session, rows_of_version_1[index]);
    if (version >= 2)
        run_steps(session, 2);
    for (index = 0;
         version >= 2 && index < sizeof(rows_of_version_2) / sizeof(rows_of_version_2[0]); index++)
        run_below(session, rows_of_version_2[index]);
    if (version >= 3)
        run_steps(session, 3);
    for (index = 0;
         version >= 3 && index < sizeof(rows_of_version_3) / sizeof(rows_of_version_3[0]); index++)
        run_below(session, rows_of_version_3[index]);
    driver_sqlite.close(session);
}

static void expect_rows_of_version_1(struct fixture *fixture, bool has_factor)
{
    struct account account;
    struct grant grant;
    struct token token;
    struct event event;
    size_t count = 0;
    int64_t id;

    assert_int_equal(
        store_find_account_by_name(fixture->store, STR("ADA"), &fixture->arena, &account), RC_OK);
    assert_int_equal(account.id, 41);
    ASSERT_STR(account.email, "ada@example.org");
    assert_true(account.is_admin && !account.is_disabled);
    assert_int_equal(account.has_second_factor, has_factor);
    assert_int_equal(account.created_at, 1700000000);
    for (id = 42; id <= 44; id++) {
        assert_int_equal(store_find_grant(fixture->store, id, &fixture->arena, &grant), RC_OK);
        assert_int_equal(grant.account_id, 41);
        assert_int_equal(grant.is_family, id != 42);
        assert_int_equal(grant.parent_id, id == 44 ? 43 : 0);
        assert_int_equal(grant.expires_at, id == 42 ? 0 : 4000000000);
        assert_int_equal(grant.ended_at, 0);
        assert_false(grant.is_session || grant.is_permanent);
        assert_true(grant.authorization_id == 0 && grant.binding.kind == BINDING_NONE);
    }
    assert_int_equal(store_find_token(fixture->store, 5, &token), RC_OK);
    assert_true(token.grant_id == 42 && token.format == TOKEN_JWT);
    assert_int_equal(store_find_token(fixture->store, permanent_id, &token), RC_OK);
    assert_true(token.kind == TOKEN_PERMANENT && token.expires_at == 0);
    assert_int_equal(
        store_list_events(fixture->store, INT64_MAX, &fixture->arena, &event, 1, &count), RC_OK);
    assert_int_equal(count, 1);
    ASSERT_STR(event.detail, "password");
    assert_true(fixture_id(fixture, SEQUENCE_NOUN) >= 500);
}

static void expect_gains_of_version_2(struct fixture *fixture)
{
    unsigned char digest[DIGEST_BYTES] = { 3 };
    struct grant grant = sample_grant(fixture, true);
    struct session session = { .id = grant.id,
                               .account_id = 41,
                               .device = STR("test"),
                               .idle_s = 1800,
                               .last_active_at = fixture->now };
    struct factor factor = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                             .account_id = 41,
                             .name = STR("telephone"),
                             .sealed = STR("sealed") };
    struct account account;
    struct store_unit unit;

    grant.account_id = 41;
    grant.is_session = true;
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_session(&unit, &session);
    store_insert_factor(&unit, &factor);
    store_insert_recovery_code(&unit, 41, digest);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(store_find_account(fixture->store, 41, &fixture->arena, &account), RC_OK);
    assert_true(account.has_second_factor);
    assert_int_equal(store_find_grant(fixture->store, grant.id, &fixture->arena, &grant), RC_OK);
    assert_true(grant.is_session);
    assert_int_equal(store_find_session(fixture->store, grant.id, &fixture->arena, &session),
                     RC_OK);
    assert_int_equal(store_find_recovery_code(fixture->store, 41, digest), RC_OK);
}

static void expect_rows_of_version_2(struct fixture *fixture)
{
    static const unsigned char digest[DIGEST_BYTES] = { 0 };
    struct factor factors[FACTOR_COUNT_MAX];
    struct session session;
    struct grant grant;
    size_t count = 0;

    assert_int_equal(store_find_grant(fixture->store, 45, &fixture->arena, &grant), RC_OK);
    assert_true(grant.is_session && grant.is_family && !grant.is_permanent && grant.ended_at == 0);
    assert_int_equal(store_find_session(fixture->store, 45, &fixture->arena, &session), RC_OK);
    assert_true(session.address_bits == 128 && session.last_active_at == 1700000001);
    assert_int_equal(store_list_factors(fixture->store, 41, &fixture->arena, factors, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_true(factors[0].id == 46 && factors[0].last_step == 7);
    assert_int_equal(store_find_recovery_code(fixture->store, 41, digest), RC_OK);
}

static void expect_gains_of_version_3(struct fixture *fixture)
{
    struct browser_session session = insert_browser_session(fixture, 41);
    struct made_permanent made = insert_permanent(fixture, 41, 0);
    struct mail mail = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                         .at = fixture->now,
                         .until = fixture->now + 3600,
                         .next_at = fixture->now,
                         .sealed = STR("sealed") };
    struct credential_record passkey = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                                         .account_id = 41,
                                         .credential_id = STR("credential"),
                                         .user_handle = STR("handle"),
                                         .public_key = STR("key") };
    struct session rows[2];
    struct grant grant;
    size_t count = 0;

    assert_int_equal(find_browser_session(fixture, &session), RC_OK);
    ASSERT_STR(read_permanent(fixture, made.grant.id).name, "nightly reports");
    assert_int_equal(store_find_grant(fixture->store, made.grant.id, &fixture->arena, &grant),
                     RC_OK);
    assert_true(grant.is_permanent && grant.last_used_at == 0);
    assert_int_equal(
        store_list_sessions(fixture->store, 41, INT64_MAX, &fixture->arena, rows, 2, &count),
        RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_passkey, &passkey), RC_OK);
    assert_int_equal(
        store_find_passkey(fixture->store, STR("credential"), &fixture->arena, &passkey), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_mail, &mail), RC_OK);
    assert_int_equal(store_count_mails(fixture->store, &count), RC_OK);
    assert_true(count >= 1);
}

static void expect_rows_of_version_3(struct fixture *fixture)
{
    static const unsigned char digest[DIGEST_BYTES] = { 0 };
    struct browser_session session;
    struct client client;
    struct grant grant;

    assert_int_equal(store_find_client(fixture->store, 7, &fixture->arena, &client), RC_OK);
    ASSERT_STR(client.redirect_uris, "https://a.example/cb");
    assert_true(client.auth_method == AUTH_SECRET && client.policy == 0);
    assert_true(client.metadata.len == 0 && client.previous_secret_hash.len == 0 &&
                client.previous_secret_until == 0 && client.registration_digest.len == 0);
    assert_int_equal(store_find_grant(fixture->store, 47, &fixture->arena, &grant), RC_OK);
    assert_true(grant.is_permanent && grant.authorization_id == 0 &&
                grant.binding.kind == BINDING_NONE);
    ASSERT_STR(read_permanent(fixture, 47).name, "nightly");
    /* Whoever was signed in still is, by a sign-in of which nobody knows how it was proven. */
    assert_int_equal(store_find_browser_session(fixture->store, digest, &fixture->arena, &session),
                     RC_OK);
    assert_true(session.id == 48 && session.login_id == 48 && session.methods == 0 &&
                session.proved_at == 1700000001);
}

static void expect_gains_of_version_4(struct fixture *fixture)
{
    struct authorization authorization = insert_authorization(fixture, 41);
    struct code code = insert_code(fixture, authorization.id);
    struct device_request device = insert_device_request(fixture);
    struct pushed_request pushed = sample_pushed_request(fixture);
    struct grant grant = sample_grant(fixture, true);
    struct consent consent = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                               .account_id = 41,
                               .client_id = grant.client_id };
    unsigned char digest[DIGEST_BYTES] = { 4 };
    struct grant rows[2];
    size_t count = 0;
    struct store_unit unit;

    grant.authorization_id = authorization.id;
    grant.binding = sample_binding(BINDING_DPOP);
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_spend_code(&unit, code.id, grant.id, fixture->now);
    store_insert_pushed_request(&unit, &pushed);
    store_put_consent(&unit, &consent);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    if (COMMIT_ONE(fixture, store_insert_seen, digest, fixture->now + 60) != RC_OK)
        assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, digest, 1), RC_SPENT);
    assert_int_equal(read_device_request(fixture, &device).id, device.id);
    assert_true(insert_delivery(fixture, fixture->now) > 0);
    assert_int_equal(store_list_grants_of_login(fixture->store, authorization.login_id,
                                                grant.id - 1, &fixture->arena, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_true(rows[0].id == grant.id && is_binding(&rows[0].binding, BINDING_DPOP));
}

static void test_store_of_version_1_keeps_its_rows_and_gains_the_rest(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;

    make_version(fixture, 1);
    /* Whoever only reads does not migrate. */
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_INVALID);
    assert_non_null(strstr(fixture->error, "schema 1"));
    fixture_open(fixture);
    expect_rows_of_version_1(fixture, false);
    expect_gains_of_version_2(fixture);
    expect_gains_of_version_3(fixture);
    expect_gains_of_version_4(fixture);
    fixture_reopen(fixture);
    expect_rows_of_version_1(fixture, true);
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_OK);
    store_close(reader);
}

static void test_half_a_step_of_version_2_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct driver_session *session;

    make_version(fixture, 1);
    session = open_below(fixture);
    run_below(session, "CREATE TABLE recovery_code (a INTEGER)"); /* the last of them fails */
    driver_sqlite.close(session);
    assert_true(rc_is_fault(fixture_try_open(fixture, false, &fixture->store)));
    assert_non_null(strstr(fixture->error, "schema 2"));
    session = open_below(fixture);
    assert_int_not_equal(driver_sqlite.run_text(session, "SELECT is_session FROM granted"), RC_OK);
    assert_int_not_equal(driver_sqlite.run_text(session, "SELECT id FROM session"), RC_OK);
    run_below(session, "DROP TABLE recovery_code");
    driver_sqlite.close(session);
    fixture_open(fixture);
    expect_rows_of_version_1(fixture, false);
    expect_gains_of_version_2(fixture);
}

static void test_store_of_version_2_keeps_its_rows_and_gains_the_rest(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;

    make_version(fixture, 2);
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_INVALID);
    assert_non_null(strstr(fixture->error, "schema 2"));
    fixture_open(fixture);
    expect_rows_of_version_1(fixture, true);
    expect_rows_of_version_2(fixture);
    expect_gains_of_version_3(fixture);
    fixture_reopen(fixture);
    expect_rows_of_version_1(fixture, true);
    expect_rows_of_version_2(fixture);
}

static void test_half_a_step_of_version_3_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct driver_session *session;

    make_version(fixture, 2);
    session = open_below(fixture);
    run_below(session, "CREATE TABLE permanent (a INTEGER)"); /* one of the last fails */
    driver_sqlite.close(session);
    assert_true(rc_is_fault(fixture_try_open(fixture, false, &fixture->store)));
    assert_non_null(strstr(fixture->error, "schema 3"));
    session = open_below(fixture);
    assert_int_not_equal(driver_sqlite.run_text(session, "SELECT is_permanent FROM granted"),
                         RC_OK);
    assert_int_not_equal(driver_sqlite.run_text(session, "SELECT id FROM browser_session"), RC_OK);
    run_below(session, "DROP TABLE permanent");
    driver_sqlite.close(session);
    fixture_open(fixture);
    expect_rows_of_version_1(fixture, true);
    expect_rows_of_version_2(fixture);
    expect_gains_of_version_3(fixture);
}

static void test_store_of_version_3_keeps_its_rows_and_gains_the_rest(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;

    make_version(fixture, 3);
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_INVALID);
    assert_non_null(strstr(fixture->error, "schema 3"));
    fixture_open(fixture);
    expect_rows_of_version_1(fixture, true);
    expect_rows_of_version_2(fixture);
    expect_rows_of_version_3(fixture);
    expect_gains_of_version_4(fixture);
    fixture_reopen(fixture);
    expect_rows_of_version_3(fixture);
    expect_gains_of_version_4(fixture);
}

static void test_half_a_step_of_version_4_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct driver_session *session;

    make_version(fixture, 3);
    session = open_below(fixture);
    run_below(session, "CREATE TABLE delivery (a INTEGER)"); /* the last one fails */
    driver_sqlite.close(session);
    assert_true(rc_is_fault(fixture_try_open(fixture, false, &fixture->store)));
    assert_non_null(strstr(fixture->error, "schema 4"));
    session = open_below(fixture);
    assert_int_not_equal(driver_sqlite.run_text(session, "SELECT policy FROM client"), RC_OK);
    assert_int_not_equal(driver_sqlite.run_text(session, "SELECT binding FROM granted"), RC_OK);
    assert_int_not_equal(driver_sqlite.run_text(session, "SELECT id FROM authorized"), RC_OK);
    run_below(session, "DROP TABLE delivery");
    driver_sqlite.close(session);
    fixture_open(fixture);
    expect_rows_of_version_3(fixture);
    expect_gains_of_version_4(fixture);
}

#define ON_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FOLDER(test_store_of_version_1_keeps_its_rows_and_gains_the_rest),
        ON_FOLDER(test_half_a_step_of_version_2_is_none),
        ON_FOLDER(test_store_of_version_2_keeps_its_rows_and_gains_the_rest),
        ON_FOLDER(test_half_a_step_of_version_3_is_none),
        ON_FOLDER(test_store_of_version_3_keeps_its_rows_and_gains_the_rest),
        ON_FOLDER(test_half_a_step_of_version_4_is_none),
    };

    if (fixture_is_shared())
        return FIXTURE_SKIPPED; /* of files */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
