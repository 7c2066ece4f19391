/* Doors that differ from the standard's: their writers, their tokens, and refresh tokens that are
 * used again and again. */
#include "codec/base64url.h"
#include "fixture.h"

enum { DOOR_LIFETIME_S = 7200 };

/* As the standard's, with what dialects say of the account. */
static void format_named(const struct token_answer *answer, struct buffer *out_json)
{
    struct json_out json = { .to = out_json, .needs_comma = true };

    token_answer_format(answer, out_json);
    out_json->len--; /* the brace */
    json_member_string(&json, STR("jti"), answer->jti);
    if (answer->account != NULL)
        json_member_string(&json, STR("username"), answer->account->name);
    json_end_object(&json);
}

static const struct token_profile rotating = { .format = format_named };
static const struct token_profile keeping = { .format = token_answer_format,
                                              .keeps_refresh = true };
static const struct token_profile sealed = { .format = format_named,
                                             .has_shape = true,
                                             .shape = { .format = TOKEN_JWE,
                                                        .lifetime_s = DOOR_LIFETIME_S } };
static const struct token_profile spring = {
    .format = format_named,
    .has_shape = true,
    .shape = { .format = TOKEN_SPRING_JWT, .alg = ALG_RS256, .lifetime_s = DOOR_LIFETIME_S }
};
static const struct token_profile spring_keeping = {
    .format = format_named,
    .has_shape = true,
    .shape = { .format = TOKEN_SPRING_JWT, .alg = ALG_RS256, .lifetime_s = DOOR_LIFETIME_S },
    .keeps_refresh = true
};

static struct outcome sign_in_at(struct oauth_fixture *fixture, const struct token_profile *profile,
                                 const char *scope)
{
    return ask_token(fixture, (struct ask){ AS_WEB, .profile = profile, .grant_type = "password",
                                            .username = "alice", .password = "alice-password",
                                            .scope = scope });
}

static struct outcome refresh_at(struct oauth_fixture *fixture, const struct token_profile *profile,
                                 const char *token, const char *scope)
{
    return ask_token(fixture,
                     (struct ask){ AS_WEB, .profile = profile, .grant_type = "refresh_token",
                                   .refresh_token = token, .scope = scope });
}

static struct outcome keep(struct oauth_fixture *fixture, const char *token, const char *scope)
{
    return refresh_at(fixture, &keeping, token, scope);
}

/* ---- what a profile changes of the answer and the token ------------------------------------- */

static size_t count_dots(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '.';
    return count;
}

static void test_shape_is_the_doors_and_lifetime_the_services(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct ask ask = { AS_WEB, .profile = &sealed, .grant_type = "client_credentials",
                       .scope = "read" };
    struct outcome outcome = ask_token(fixture, ask);

    assert_int_equal(outcome.rc, RC_OK);
    assert_int_equal(count_dots(outcome.access), 4);
    assert_int_equal(outcome.expires_in_s, DOOR_LIFETIME_S);
    assert_true(is_active(fixture, outcome.access));
    /* The shortest of the services that are named; and none of their formats. */
    ask.scope = "api.read jwt.read";
    outcome = ask_token(fixture, ask);
    assert_int_equal(outcome.rc, RC_OK);
    assert_int_equal(count_dots(outcome.access), 4);
    assert_int_equal(outcome.expires_in_s, JWT_LIFETIME_S);
    /* Without a shape of its own a door leaves it to the services. */
    ask.profile = &rotating;
    ask.scope = "jwt.read";
    assert_int_equal(count_dots(ask_token(fixture, ask).access), 2);
}

static void test_writer_is_told_of_the_account(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = sign_in_at(fixture, &rotating, "read");

    assert_int_equal(outcome.rc, RC_OK);
    assert_non_null(strstr(outcome.json, "\"username\":\"alice\""));
    assert_non_null(strstr(refresh_at(fixture, &rotating, outcome.refresh, NULL).json,
                           "\"username\":\"alice\""));
    outcome =
        ask_token(fixture, (struct ask){ AS_WEB, .profile = &rotating,
                                         .grant_type = "client_credentials", .scope = "read" });
    assert_int_equal(outcome.rc, RC_OK);
    assert_null(strstr(outcome.json, "username"));
}

/* A lost answer is given again in the words of the door that wrote it. */
static void test_rt_11_lost_answer_is_its_profiles(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &rotating, "read");
    struct outcome next = refresh_at(fixture, &rotating, first.refresh, NULL);
    struct outcome again = refresh_at(fixture, &rotating, first.refresh, NULL);

    assert_int_equal(again.rc, RC_OK);
    assert_string_equal(again.json, next.json);
    assert_non_null(strstr(again.json, "\"username\":\"alice\""));
    assert_true(next.has_issued);
    assert_false(again.has_issued);
}

/* A member's text of a token's claims, whatever stands around it. */
static void assert_claims(const char *token, const char *expected)
{
    const char *start = strchr(token, '.');
    char memory[4096];
    struct buffer claims = buffer_over(memory, sizeof(memory) - 1);

    assert_non_null(start);
    start++;
    assert_int_equal(base64url_decode((struct str){ start, strcspn(start, ".") }, &claims), RC_OK);
    memory[claims.len] = '\0';
    assert_non_null(strstr(memory, expected));
}

/* Spring's claims carry the account's names, also after a refresh of either kind; and jti is the
 * same in answer, claims and introspection. */
static void test_spring_claims_survive_a_refresh(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome chain[3] = { sign_in_at(fixture, &spring, "read") };
    char jti[64];

    chain[1] = refresh_at(fixture, &spring, chain[0].refresh, NULL);
    chain[2] = refresh_at(fixture, &spring_keeping, chain[1].refresh, NULL);
    for (size_t i = 0; i < 3; i++) {
        const char *found = strstr(chain[i].json, "\"jti\":\"");
        struct outcome introspected;

        assert_int_equal(chain[i].rc, RC_OK);
        assert_int_equal(chain[i].expires_in_s, DOOR_LIFETIME_S);
        assert_claims(chain[i].access, "\"username\":\"alice\"");
        assert_non_null(found);
        snprintf(jti, sizeof(jti), "%.*s", 7 + 36 + 1, found);
        assert_int_equal(jti[7 + 36], '"'); /* a UUID */
        assert_claims(chain[i].access, jti);
        introspected = ask_introspection(fixture, (struct ask){ AS_WEB, .token = chain[i].access });
        assert_non_null(strstr(introspected.json, jti));
    }
}

/* ---- refresh tokens that are kept ------------------------------------------------------------ */

static struct event newest_event(struct oauth_fixture *fixture)
{
    struct event event;
    size_t count;

    assert_int_equal(store_list_events(fixture->room->store, INT64_MAX, &fixture->room->arena,
                                       &event, 1, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    return event;
}

static void test_kept_token_is_good_again_and_again(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &keeping, "read api.read");
    struct outcome next[3];

    for (int i = 0; i < 3; i++) {
        next[i] = keep(fixture, first.refresh, NULL);
        assert_int_equal(next[i].rc, RC_OK);
        assert_string_equal(next[i].refresh, first.refresh);
        assert_string_not_equal(next[i].access, first.access);
        assert_string_equal(next[i].scope, "read api.read");
        assert_int_equal(next[i].expires_in_s, API_LIFETIME_S);
        assert_int_equal(next[i].issued_by, GRANT_TYPE_REFRESH_TOKEN);
        assert_int_equal(newest_event(fixture).kind, EVENT_TOKEN_REFRESHED);
        fixture->now += OAUTH_REFRESH_REPLAY_S + 1;
    }
    assert_string_not_equal(next[0].access, next[1].access);
    for (int i = 0; i < 3; i++)
        assert_true(is_active(fixture, next[i].access));
    oauth_restart(fixture);
    assert_int_equal(keep(fixture, first.refresh, NULL).rc, RC_OK);
    assert_true(is_active(fixture, next[2].access));
    /* It is one of the family: with it all end. */
    assert_int_equal(ask_revocation(fixture, (struct ask){ AS_WEB, .token = first.refresh }).rc,
                     RC_OK);
    for (int i = 0; i < 3; i++)
        assert_false(is_active(fixture, next[i].access));
    assert_refused_for(keep(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
}

/* RT-08 */
static void test_rt_08_kept_token_may_narrow(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &keeping, "read api.read");
    struct outcome narrow = keep(fixture, first.refresh, "read");
    struct outcome grown = keep(fixture, first.refresh, "read write");

    assert_int_equal(narrow.rc, RC_OK);
    assert_string_equal(narrow.scope, "read");
    assert_string_equal(narrow.refresh, first.refresh);
    assert_int_equal(narrow.expires_in_s, OAUTH_LIFETIME_DEFAULT_S);
    assert_refused_for(grown, OAUTH_INVALID_SCOPE, REASON_SCOPE_UNKNOWN);
    assert_string_equal(grown.word, "write");
    assert_string_equal(keep(fixture, first.refresh, NULL).scope, "read api.read");
    assert_true(is_active(fixture, narrow.access));
    assert_int_equal(ask_revocation(fixture, (struct ask){ AS_WEB, .token = first.refresh }).rc,
                     RC_OK);
    assert_false(is_active(fixture, narrow.access));
}

/* RT-09: a use gives it no longer life, neither the token nor the family. */
static void test_rt_09_kept_token_lives_as_long_as_its_family(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &keeping, "read");
    struct outcome last;

    fixture->now += FAMILY_S - 1;
    last = keep(fixture, first.refresh, NULL);
    assert_int_equal(last.rc, RC_OK);
    fixture->now += 1;
    assert_refused_for(keep(fixture, last.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_EXPIRED);
    assert_true(is_active(fixture, last.access));
}

static void test_rt_07_kept_token_is_its_clients(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &keeping, "read");
    struct ask thief = { .client = "other",
                         .secret = "other-secret",
                         .profile = &keeping,
                         .grant_type = "refresh_token",
                         .refresh_token = first.refresh };

    assert_refused_for(ask_token(fixture, thief), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_OF_OTHER_CLIENT);
    assert_refused_for(keep(fixture, first.access, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_NO_REFRESH_TOKEN);
    assert_refused_for(keep(fixture, "junk", NULL), OAUTH_INVALID_GRANT, REASON_REFRESH_UNKNOWN);
    assert_refused_for(keep(fixture, "", NULL), OAUTH_INVALID_REQUEST, REASON_NO_REFRESH_TOKEN);
    assert_int_equal(keep(fixture, first.refresh, NULL).rc, RC_OK);
}

/* RT-10: the account must stand; another password is no reason to end what was granted. */
static void test_rt_10_kept_token_needs_its_account(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &keeping, "read write");
    struct account alice = account_of(fixture, "alice");
    struct client web = client_of(fixture, "web");
    struct store_unit unit;

    set_disabled(fixture, "alice", true);
    assert_refused_for(keep(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
    set_disabled(fixture, "alice", false);
    assert_int_equal(keep(fixture, first.refresh, NULL).rc, RC_OK);
    alice.password_hash = hash_of(fixture, "another-password", true);
    store_unit_init(&unit);
    store_set_password_hash(&unit, alice.id, alice.password_hash);
    commit(fixture, &unit);
    assert_int_equal(keep(fixture, first.refresh, NULL).rc, RC_OK);
    web.scope = STR("read");
    update_client(fixture, &web);
    assert_refused_for(keep(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
}

/* The look after the commit: what changed since the account was read. */
static struct outcome issue_under(struct oauth_fixture *fixture, const struct account *account,
                                  enum grant_type type, const char *refresh_token)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct client web = client_of(fixture, "web");
    struct issue_plan plan = {
        .grant_type = type,
        .client = &web,
        .account = account,
        .permission = { .scope = STR("read"), .audience = STR(""), .shape = { .lifetime_s = 60 } }
    };
    struct token_answer answer;
    struct token_record record;
    struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    assert_int_equal(token_read(fixture->room->room, str_of(refresh_token), &record), RC_OK);
    rc = token_issue_under(&asking->call, &plan, record.grant, &unit, &answer);
    grant_put(token_room_grants(fixture->room->room), record.grant);
    return asking_end(asking, rc);
}

static void test_rt_10_second_look_at_the_account(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome families[3] = { sign_in(fixture, "read"), sign_in(fixture, "read"),
                                   sign_in(fixture, "read") };
    struct account before = account_of(fixture, "alice");
    struct account changed = before;
    struct store_unit unit;

    changed.password_hash = hash_of(fixture, "another-password", true);
    store_unit_init(&unit);
    store_set_password_hash(&unit, changed.id, changed.password_hash);
    commit(fixture, &unit);
    /* A refresh rests on no password, a sign-in does: it ends what it was about to give. */
    assert_int_equal(
        issue_under(fixture, &before, GRANT_TYPE_REFRESH_TOKEN, families[0].refresh).rc, RC_OK);
    assert_true(is_active(fixture, families[0].access));
    assert_refused_for(issue_under(fixture, &before, GRANT_TYPE_PASSWORD, families[1].refresh),
                       OAUTH_INVALID_GRANT, REASON_NONE);
    assert_false(is_active(fixture, families[1].access));
    set_disabled(fixture, "alice", true);
    assert_refused_for(issue_under(fixture, &before, GRANT_TYPE_REFRESH_TOKEN, families[2].refresh),
                       OAUTH_INVALID_GRANT, REASON_REFRESH_ENDED);
    assert_false(is_active(fixture, families[2].access));
}

/* RT-02: what was rotated elsewhere has been used; here that is always reuse. */
static void test_rt_02_kept_token_that_was_rotated_is_reuse(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &keeping, "read");
    struct outcome kept = keep(fixture, first.refresh, NULL);
    struct outcome next = refresh(fixture, first.refresh, NULL);

    assert_int_equal(next.rc, RC_OK);
    assert_string_not_equal(next.refresh, first.refresh);
    assert_int_equal(keep(fixture, next.refresh, NULL).rc, RC_OK);
    assert_refused_for(keep(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
    assert_int_equal(newest_event(fixture).kind, EVENT_REFRESH_REUSED);
    assert_false(is_active(fixture, kept.access));
    assert_false(is_active(fixture, next.access));
    assert_refused(refresh(fixture, next.refresh, NULL), OAUTH_INVALID_GRANT);
}

/* Off the work lane nothing happens. */
static void test_kept_token_belongs_on_the_work_lane(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in_at(fixture, &keeping, "read");
    struct ask ask = { AS_WEB, .profile = &keeping, .grant_type = "refresh_token",
                       .refresh_token = first.refresh, .is_barred = true };

    assert_int_equal(ask_token(fixture, ask).rc, RC_WOULD_BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_shape_is_the_doors_and_lifetime_the_services),
        WITH_OAUTH(test_writer_is_told_of_the_account),
        WITH_OAUTH(test_rt_11_lost_answer_is_its_profiles),
        WITH_OAUTH(test_spring_claims_survive_a_refresh),
        WITH_OAUTH(test_kept_token_is_good_again_and_again),
        WITH_OAUTH(test_rt_08_kept_token_may_narrow),
        WITH_OAUTH(test_rt_09_kept_token_lives_as_long_as_its_family),
        WITH_OAUTH(test_rt_07_kept_token_is_its_clients),
        WITH_OAUTH(test_rt_10_kept_token_needs_its_account),
        WITH_OAUTH(test_rt_10_second_look_at_the_account),
        WITH_OAUTH(test_rt_02_kept_token_that_was_rotated_is_reuse),
        WITH_OAUTH(test_kept_token_belongs_on_the_work_lane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
