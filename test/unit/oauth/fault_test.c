/*
 * The store fails at every possible moment of every kind of request: no answer but a fault, nothing
 * handed out, no revocation acknowledged that did not happen (RV-05, LG-06), and every reference
 * given back.
 */
#include <dlfcn.h>

#include "fixture.h"

/* ---- the injector: it stands before the engine's library ------------------------------------ */

enum { ENGINE_FULL = 13 /* SQLITE_FULL: the store goes on when there is room again */ };

struct sqlite3_stmt;
int sqlite3_step(struct sqlite3_stmt *statement);

static _Atomic int calls_left = -1; /* that many succeed before one fails; negative: all do */

int sqlite3_step(struct sqlite3_stmt *statement)
{
    static int (*_Atomic real_step)(struct sqlite3_stmt *);
    int (*step)(struct sqlite3_stmt *) = atomic_load(&real_step);

    if (step == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "sqlite3_step");

        memcpy(&step, &symbol, sizeof(step));
        atomic_store(&real_step, step);
    }
    if (atomic_load(&calls_left) >= 0 && atomic_fetch_sub(&calls_left, 1) == 0)
        return ENGINE_FULL;
    return step(statement);
}

/* ---- the scenarios -------------------------------------------------------------------------- */

/* What a scenario starts from, made before anything fails. */
struct scene {
    struct outcome tokens;
    struct client web;
    char scope[64];
    int round;
};

static struct outcome by_client(struct oauth_fixture *fixture, const struct scene *scene)
{
    return ask_token(
        fixture, (struct ask){ AS_WEB, .grant_type = "client_credentials", .scope = scene->scope });
}

static struct outcome by_password(struct oauth_fixture *fixture, const struct scene *scene)
{
    return ask_token(fixture, (struct ask){ AS_WEB, .grant_type = "password", .username = "alice",
                                            .password = "alice-password", .scope = scene->scope });
}

static struct outcome by_uauth(struct oauth_fixture *fixture, const struct scene *scene)
{
    (void)scene;
    return ask_token(fixture, (struct ask){ .grant_type = "password",
                                            .username = "alice",
                                            .password = "alice-password",
                                            .scope = "service_id=api.example" });
}

static struct outcome by_refresh(struct oauth_fixture *fixture, const struct scene *scene)
{
    return refresh(fixture, scene->tokens.refresh, NULL);
}

static struct outcome by_narrowed_refresh(struct oauth_fixture *fixture, const struct scene *scene)
{
    return refresh(fixture, scene->tokens.refresh, "read");
}

static const struct token_profile keeping = { .format = token_answer_format,
                                              .keeps_refresh = true };

static struct outcome by_kept_refresh(struct oauth_fixture *fixture, const struct scene *scene)
{
    return ask_token(fixture,
                     (struct ask){ AS_WEB, .profile = &keeping, .grant_type = "refresh_token",
                                   .refresh_token = scene->tokens.refresh,
                                   .scope = scene->round % 2 == 0 ? NULL : "read" });
}

/* A session's token, presented with it when it was issued. */
static struct outcome by_session(struct oauth_fixture *fixture, const struct scene *scene)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct secret password = secret_of("alice-password");
    struct session session = { .device = STR("Java/17"), .idle_s = 60 };
    struct issue_plan plan = { .grant_type = GRANT_TYPE_PASSWORD,
                               .client = &scene->web,
                               .permission = { .scope = STR("read"),
                                               .audience = STR(""),
                                               .shape = { .format = TOKEN_JWE } },
                               .session = &session };
    struct token_answer answer;
    struct store_unit unit;
    struct account account;
    enum rc rc;

    store_unit_init(&unit);
    rc = oauth_sign_in(&asking->call, STR("alice"), &password, NULL, false, &unit, &account);
    plan.account = &account;
    if (rc == RC_OK)
        rc = token_issue(&asking->call, &plan, &unit, &answer);
    if (rc == RC_OK) {
        struct token_presented presented = { answer.access_token, answer.session_id, NULL };
        enum token_inactive why;

        assert_int_equal(fixture_find_at(fixture->room, &presented, fixture->now, true, &why),
                         RC_OK);
    }
    return asking_end(asking, rc);
}

static struct outcome by_revocation(struct oauth_fixture *fixture, const struct scene *scene)
{
    const struct outcome *tokens = &scene->tokens;

    return ask_revocation(
        fixture,
        (struct ask){ AS_WEB, .token = scene->round % 2 == 0 ? tokens->refresh : tokens->access });
}

static struct outcome by_introspection(struct oauth_fixture *fixture, const struct scene *scene)
{
    struct outcome outcome =
        ask_introspection(fixture, (struct ask){ AS_WEB, .token = scene->tokens.access });

    /* In memory since it was issued: the store is not asked (design 4). */
    assert_int_equal(outcome.rc, RC_OK);
    assert_non_null(strstr(outcome.json, "\"active\":true"));
    return outcome;
}

typedef struct outcome scenario(struct oauth_fixture *fixture, const struct scene *scene);

static const struct {
    const char *name;
    scenario *run;
} scenarios[] = {
    { "client_credentials", by_client },
    { "password", by_password },
    { "u-Auth", by_uauth },
    { "refresh", by_refresh },
    { "narrowed refresh", by_narrowed_refresh },
    { "kept refresh", by_kept_refresh },
    { "session", by_session },
    { "revocation", by_revocation },
    { "introspection", by_introspection },
};

/* Scopes that no grant had before, so that one must be made. */
static void set_scene(struct oauth_fixture *fixture, struct scene *scene)
{
    static const char *const orders[] = { "read write",     "write read",     "api.read read",
                                          "read api.read",  "write api.read", "api.read write",
                                          "api.write read", "read api.write", "api.write write" };
    const char *order = orders[(size_t)scene->round % (sizeof(orders) / sizeof(orders[0]))];

    snprintf(scene->scope, sizeof(scene->scope), "%s%s", order,
             scene->round / 9 % 2 == 0 ? "" : " jwt.read");
    scene->tokens = sign_in(fixture, "read write");
    scene->web = client_of(fixture, "web");
}

/* One scenario with the n-th call failing, for every n, until none is reached any more. */
static void fail_everywhere(struct oauth_fixture *fixture, const char *name, scenario *run)
{
    bool was_reached = true;
    int fault_count = 0;

    for (int call = 0; was_reached; call++) {
        struct scene scene = { .round = call };
        struct outcome outcome;

        assert_true(call < 500);
        set_scene(fixture, &scene);
        atomic_store(&calls_left, call);
        outcome = run(fixture, &scene);
        was_reached = atomic_exchange(&calls_left, -1) < 0;
        if (outcome.rc != RC_OK && !rc_is_fault(outcome.rc))
            fail_msg("%s, call %d: %s", name, call, rc_name(outcome.rc));
        if (outcome.rc == RC_OK && outcome.access[0] != '\0')
            assert_true(is_active(fixture, outcome.access));
        if (outcome.rc == RC_OK && run == by_revocation)
            assert_false(is_active(fixture, scene.tokens.access)); /* RV-05 */
        fault_count += outcome.rc != RC_OK;
    }
    if (run != by_introspection)
        assert_true(fault_count > 0);
}

static void test_rv_05_no_answer_but_a_fault(void **state)
{
    struct oauth_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        fail_everywhere(fixture, scenarios[i].name, scenarios[i].run);
}

/* A new entry of the catalog has nothing remembered. */
static void forget_secret(struct oauth_fixture *fixture)
{
    struct catalog_client *entry;
    struct client client;
    struct store_unit unit;

    assert_int_equal(catalog_find_client(fixture->room->catalog, STR("web"), true, &entry), RC_OK);
    client = entry->client;
    store_unit_init(&unit);
    store_update_client(&unit, &client);
    commit(fixture, &unit);
    catalog_client_put(entry);
}

/*
 * The first check of a chosen secret: a success that cannot be put on record is one all the same, a
 * failure that cannot is a fault, and neither is ever taken for the other.
 */
static void test_first_check_of_a_secret(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const char *const secrets[] = { "web-secret", "wrong" };
    static const enum rc expected[] = { RC_OK, RC_REFUSED };
    int tolerated_count[2] = { 0, 0 };

    for (int i = 0; i < 2; i++) {
        bool was_reached = true;

        for (int call = 0; was_reached; call++) {
            struct outcome outcome;

            assert_true(call < 100);
            forget_secret(fixture);
            fixture->now += 3600; /* what the throttle held up has passed */
            atomic_store(&calls_left, call);
            outcome = ask_introspection(
                fixture, (struct ask){ .client = "web", .secret = secrets[i], .token = "junk" });
            was_reached = atomic_exchange(&calls_left, -1) < 0;
            assert_true(outcome.rc == expected[i] || rc_is_fault(outcome.rc));
            tolerated_count[i] += was_reached && outcome.rc == expected[i];
        }
    }
    assert_true(tolerated_count[0] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_rv_05_no_answer_but_a_fault),
        WITH_OAUTH(test_first_check_of_a_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
