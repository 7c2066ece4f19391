/*
 * Permanent tokens of alice and of bob, and what the outside says of them.
 */
#ifndef JETON_TEST_PERMANENT_FIXTURE_H
#define JETON_TEST_PERMANENT_FIXTURE_H

#include "fixture.h"
#include "oauth/permanent.h"

enum { DAY_S = 86400 };

static const unsigned char inside[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };
static const unsigned char outside[16] = { [10] = 0xff, [11] = 0xff, [12] = 11, [15] = 1 };

struct wish {
    const char *owner; /* NULL: alice */
    int64_t id;
    const char *name;  /* NULL: "nightly" */
    const char *scope; /* NULL: "api.example" */
    const char *addresses;
    int64_t lifetime_s;
    int64_t lifetime_s_max;
    int64_t rotated_id;            /* not 0: a rotation of this one instead */
    const struct account *account; /* as it was read before; NULL: it is read now */
};

struct made {
    enum rc rc;
    enum permanent_problem problem; /* with RC_REFUSED */
    char fault_value[256];
    char value[2048];
    int64_t id;
    int64_t token_id;
    int64_t expires_at;
    char scope[1024];
    char addresses[1025];
};

static inline void keep(struct str text, char *out_text, size_t bytes)
{
    assert_true(text.len < bytes);
    snprintf(out_text, bytes, "%.*s", STR_ARGS(text));
}

static inline struct account owner_of(struct oauth_fixture *fixture, struct arena *arena,
                                      const char *name)
{
    struct account account;

    assert_int_equal(store_find_account_by_name(fixture->room->store,
                                                str_of(name == NULL ? "alice" : name), arena,
                                                &account),
                     RC_OK);
    return account;
}

/* Threads may do this, too. */
static inline struct made wish_for(struct oauth_fixture *fixture, struct wish wish)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct account account =
        wish.account != NULL ? *wish.account : owner_of(fixture, &asking->arena, wish.owner);
    struct permanent_demand demand = {
        .id = wish.id,
        .name = str_of(wish.name == NULL ? "nightly" : wish.name),
        .scope = str_of(wish.scope == NULL ? "api.example" : wish.scope),
        .addresses = str_of(wish.addresses == NULL ? "" : wish.addresses),
        .lifetime_s = wish.lifetime_s,
    };
    struct permanent_fault fault = { .problem = PERMANENT_PROBLEM_COUNT };
    struct permanent permanent = { 0 };
    struct str value = STR("");
    struct made made = { .problem = PERMANENT_PROBLEM_COUNT };

    made.rc = wish.rotated_id != 0
                  ? permanent_rotate(&asking->call, &account, wish.rotated_id, wish.lifetime_s_max,
                                     &permanent, &value, &fault)
                  : permanent_create(&asking->call, &account, &demand, wish.lifetime_s_max,
                                     &permanent, &value, &fault);
    if (made.rc == RC_REFUSED) {
        made.problem = fault.problem;
        keep(fault.value, made.fault_value, sizeof(made.fault_value));
    }
    if (made.rc == RC_OK) {
        assert_int_equal(asking->call.log_token_id, permanent.token_id);
        made.id = permanent.id;
        made.token_id = permanent.token_id;
        made.expires_at = permanent.expires_at;
        keep(value, made.value, sizeof(made.value));
        keep(permanent.scope, made.scope, sizeof(made.scope));
        keep(permanent.addresses, made.addresses, sizeof(made.addresses));
    }
    arena_deinit(&asking->arena);
    free(asking);
    return made;
}

static inline struct made make(struct oauth_fixture *fixture, struct wish wish)
{
    struct made made = wish_for(fixture, wish);

    assert_int_equal(made.rc, RC_OK);
    return made;
}

static inline void assert_problem(struct made made, enum permanent_problem problem,
                                  const char *value)
{
    assert_int_equal(made.rc, RC_REFUSED);
    if (made.problem != problem)
        fail_msg("%s", permanent_problem_words(made.problem));
    assert_string_equal(made.fault_value, value);
}

/* ---- acts on one that was made --------------------------------------------------------------- */

enum act { FIND, RENAME, REVOKE };

static inline enum rc act_on(struct oauth_fixture *fixture, enum act act, const char *owner,
                             int64_t id, const char *name, struct permanent *out_permanent)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    int64_t account_id = owner_of(fixture, &asking->arena, owner).id;
    struct permanent_fault fault;
    enum rc rc;

    if (act == REVOKE)
        rc = permanent_revoke(&asking->call, account_id, id);
    else if (act == RENAME)
        rc = permanent_rename(&asking->call, account_id, id, str_of(name), &fault);
    else
        rc = permanent_find(&asking->call, account_id, id, out_permanent);
    if (act == FIND && rc == RC_OK) {
        out_permanent->name = arena_copy(&fixture->room->arena, out_permanent->name);
        out_permanent->scope = arena_copy(&fixture->room->arena, out_permanent->scope);
        out_permanent->addresses = arena_copy(&fixture->room->arena, out_permanent->addresses);
    }
    arena_deinit(&asking->arena);
    free(asking);
    return rc;
}

static inline struct permanent found(struct oauth_fixture *fixture, int64_t id)
{
    struct permanent permanent;

    assert_int_equal(act_on(fixture, FIND, NULL, id, NULL, &permanent), RC_OK);
    return permanent;
}

static inline void revoke(struct oauth_fixture *fixture, int64_t id)
{
    assert_int_equal(act_on(fixture, REVOKE, NULL, id, NULL, NULL), RC_OK);
}

/* Ids alone, newest first. */
static inline size_t list_ids(struct oauth_fixture *fixture, const char *owner, int64_t before_id,
                              int64_t *out_ids, size_t max)
{
    struct arena arena;
    struct oauth_call call = { .oauth = &fixture->oauth, .arena = &arena, .now = fixture->now };
    struct permanent *rows = calloc(max, sizeof(*rows));
    int64_t account_id;
    size_t count;

    assert_non_null(rows);
    arena_init(&arena, 2048 + max * PERMANENT_TEXT_BYTES_MAX);
    account_id = owner_of(fixture, &arena, owner).id;
    assert_int_equal(permanent_list(&call, account_id, before_id, rows, max, &count), RC_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].account_id, account_id);
        out_ids[i] = rows[i].id;
    }
    arena_deinit(&arena);
    free(rows);
    return count;
}

/* As a resource server asks about it; out_json may be NULL. */
static inline bool is_active_at(struct oauth_fixture *fixture, const char *service,
                                const char *secret, const char *value, char *out_json)
{
    struct outcome outcome = ask_introspection(
        fixture,
        (struct ask){ .client = service, .secret = secret, .token = value, .is_basic = true });

    assert_int_equal(outcome.rc, RC_OK);
    if (out_json != NULL)
        snprintf(out_json, sizeof(outcome.json), "%s", outcome.json);
    return strstr(outcome.json, "\"active\":true") != NULL;
}

static inline bool is_good(struct oauth_fixture *fixture, const char *value)
{
    return is_active_at(fixture, "api.example", "api-secret", value, NULL);
}

/* As somebody uses it at api.example. */
static inline struct outcome present(struct oauth_fixture *fixture, const char *value,
                                     const unsigned char *address, const char *scope)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct token_presented presented = { .value = str_of(value), .address = address };
    struct bearer_demand demand = { .service_id = STR("api.example"), .scope = str_of(scope) };
    struct token_view view;
    enum rc rc = bearer_check(&asking->call, &presented, &demand, &view);

    if (rc == RC_OK)
        token_view_put(fixture->room->room, &view);
    return asking_end(asking, rc);
}

static inline void allow_password(struct oauth_fixture *fixture, const char *service_id,
                                  bool is_allowed, bool is_disabled)
{
    struct catalog_service *entry;
    struct service service;
    struct store_unit unit;

    assert_int_equal(catalog_find_service(fixture->room->catalog, str_of(service_id), true, &entry),
                     RC_OK);
    assert_int_equal(store_find_service(fixture->room->store, entry->service.id,
                                        &fixture->room->arena, &service),
                     RC_OK);
    catalog_service_put(entry);
    service.allows_password = is_allowed;
    service.is_disabled = is_disabled;
    store_unit_init(&unit);
    store_update_service(&unit, &service);
    commit(fixture, &unit);
}

static inline struct event last_event(struct oauth_fixture *fixture)
{
    struct event event;
    size_t count;

    assert_int_equal(store_list_events(fixture->room->store, INT64_MAX, &fixture->room->arena,
                                       &event, 1, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    return event;
}

static inline int permanent_set_up(void **state)
{
    int rc = oauth_set_up(state);

    add_account(*state, "bob", "bob-password");
    return rc;
}

#define WITH_OWNERS(test) cmocka_unit_test_setup_teardown(test, permanent_set_up, oauth_tear_down)

#endif
