/*
 * Any bytes as a sequence of twenty calls, two bytes each: what is asked, and of which of the
 * tokens that came of the calls before. The rooms answer from a store of their own, and a model of
 * a few lines says what each answer has to be: who may have a token, which are active, what ends
 * with what, what was spent, and that nothing ended is ever good again.
 */
#include "../unit/oauth/authorization_fixture.h"
#include "../unit/oauth/permanent_fixture.h"
#include "fuzz.h"
#include "oauth/grant_token_exchange.h"

enum {
    CALL_COUNT = 20,
    TOKEN_COUNT_MAX = 2 * CALL_COUNT,
    CODE_SURE_S = 30, /* a code is good for longer than this … */
    CODE_OVER_S = 900 /* … and for less than this */
};

enum call {
    CALL_ISSUE,
    CALL_SIGN_IN,
    CALL_REFRESH,
    CALL_REVOKE,
    CALL_REVOKE_FOREIGN,
    CALL_ALLOW,
    CALL_REDEEM,
    CALL_EXCHANGE,
    CALL_MAKE,
    CALL_ROTATE,
    CALL_REVOKE_PERMANENT,
    CALL_DISABLE,
    CALL_ENABLE,
    CALL_WAIT,
    CALL_RESTART,
    CALL_KIND_COUNT
};

enum kind { KIND_ACCESS, KIND_REFRESH, KIND_CODE, KIND_PERMANENT };

struct model_token {
    enum kind kind;
    const char *client;
    char value[2048];
    char answer[8192]; /* KIND_REFRESH: what it was spent for */
    int family;        /* by index; -1: none */
    int64_t permanent_id;
    int64_t issued_at;
    int64_t expires_at; /* 0: never */
    int64_t spent_at;   /* 0: not */
    bool is_revoked;
    bool is_newest;   /* KIND_REFRESH: of its family */
    bool is_stranded; /* KIND_CODE: its browser session ended before it was redeemed */
    bool was_ended;   /* the server said so: it may never be active again */
};

struct model_family {
    bool is_ended;
    bool is_doubtful; /* the model does not know; it can only end */
    int64_t expires_at;
};

static struct oauth_fixture *fixture;

/* Of one input. */
static struct {
    struct model_token tokens[TOKEN_COUNT_MAX];
    int token_count;
    struct model_family families[CALL_COUNT];
    int family_count;
    bool is_disabled;  /* alice */
    int failure_count; /* of alice's sign-ins, in a row */
} model;

/* The order of calls is what is looked at, and not what a disk does: no commit waits for one. */
int fdatasync(int fd); /* unistd.h has a revoke of its own */
int fsync(int fd);

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

int fsync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- the model ------------------------------------------------------------------------------ */

static int family_new(void)
{
    model.families[model.family_count] =
        (struct model_family){ .expires_at = fixture->now + FAMILY_S };
    return model.family_count++;
}

static struct model_token *token_new(enum kind kind, const char *client, const char *value,
                                     int family)
{
    struct model_token *token = &model.tokens[model.token_count++];

    ASSERT(model.token_count <= TOKEN_COUNT_MAX && strlen(value) < sizeof(token->value));
    *token = (struct model_token){
        .kind = kind, .client = client, .family = family, .issued_at = fixture->now
    };
    memcpy(token->value, value, strlen(value) + 1);
    return token;
}

/* What came of a call that gave tokens of a family, or one access token without. */
static void take_tokens(const char *client, const struct outcome *outcome, int family)
{
    struct model_token *token = token_new(KIND_ACCESS, client, outcome->access, family);

    ASSERT(outcome->expires_in_s > 0);
    token->expires_at = fixture->now + outcome->expires_in_s;
    if (outcome->refresh[0] == '\0')
        return;
    token = token_new(KIND_REFRESH, client, outcome->refresh, family);
    token->is_newest = true;
    token->expires_at = fixture->now + IDLE_S;
    if (token->expires_at > model.families[family].expires_at)
        token->expires_at = model.families[family].expires_at;
}

static bool is_over(const struct model_token *token)
{
    return token->is_revoked || (token->family >= 0 && model.families[token->family].is_ended) ||
           (token->expires_at != 0 && token->expires_at <= fixture->now);
}

/* Compares what the rooms say of a token with what the model says. */
static void check_token(struct model_token *token)
{
    bool is_good_now;

    if (token->kind == KIND_REFRESH || token->kind == KIND_CODE)
        return;
    if (model.is_disabled && token->family >= 0)
        return;
    is_good_now = is_active(fixture, token->value);
    ASSERT(!(token->was_ended && is_good_now));
    ASSERT(!(is_over(token) && is_good_now));
    if (!is_good_now) {
        ASSERT(is_over(token) || model.families[token->family].is_doubtful);
        token->was_ended = true;
    }
}

/* The token that a byte names among those of a kind; NULL: there is none. */
static struct model_token *token_chosen(enum kind kind, unsigned which)
{
    unsigned count = 0;

    for (int i = 0; i < model.token_count; i++)
        count += model.tokens[i].kind == kind ? 1 : 0;
    if (count == 0)
        return NULL;
    which %= count;
    for (int i = model.token_count; i-- > 0;) /* 0: the newest */
        if (model.tokens[i].kind == kind && which-- == 0)
            return &model.tokens[i];
    return NULL;
}

/* ---- the calls ------------------------------------------------------------------------------ */

static const char *secret_of_client(const char *client)
{
    static char secret[64];

    snprintf(secret, sizeof(secret), "%s-secret", client);
    return secret;
}

static void call_issue(unsigned which)
{
    const char *client = which % 2 == 0 ? "machine" : "web";
    struct outcome outcome =
        ask_token(fixture, (struct ask){ .client = client,
                                         .secret = secret_of_client(client),
                                         .grant_type = "client_credentials",
                                         .scope = which % 4 == 3 ? "jwt.read" : "read" });

    ASSERT(outcome.rc == RC_OK && outcome.refresh[0] == '\0');
    take_tokens(client, &outcome, -1);
}

static void call_sign_in(unsigned which)
{
    struct ask ask = { AS_WEB, .grant_type = "password", .username = "alice",
                       .password = "alice-password",
                       .scope = which % 2 == 0 ? "read" : "read api.read" };
    struct outcome outcome = ask_token(fixture, ask);

    ASSERT(outcome.rc == RC_OK || outcome.rc == RC_REFUSED);
    if (model.is_disabled)
        ASSERT(outcome.rc == RC_REFUSED);
    else if (model.failure_count < THROTTLE_FREE_COUNT) /* else she may have to wait */
        ASSERT(outcome.rc == RC_OK);
    model.failure_count = outcome.rc == RC_OK ? 0 : model.failure_count + 1;
    if (outcome.rc == RC_OK)
        take_tokens("web", &outcome, family_new());
}

static struct outcome refresh_as(const struct model_token *token)
{
    if (strcmp(token->client, "web") == 0)
        return refresh(fixture, token->value, NULL);
    return redeem(fixture, (struct redeeming){
                               .refresh_token = token->value, .verifier = "", .redirect_uri = "" });
}

/* RFC 9700 4.14.2: the newest leads on, one before it gives its answer again for a while, and any
 * other use ends the family. */
static void call_refresh(unsigned which)
{
    struct model_token *token = token_chosen(KIND_REFRESH, which);
    struct model_family *family;
    struct outcome outcome;
    bool was_over;

    if (token == NULL || (model.is_disabled && token->spent_at != 0))
        return;
    if (token->spent_at != 0 && fixture->now - token->spent_at == OAUTH_REFRESH_REPLAY_S)
        return;
    family = &model.families[token->family];
    was_over = is_over(token);
    outcome = refresh_as(token);
    if (was_over || model.is_disabled)
        ASSERT(outcome.rc == RC_REFUSED && outcome.error == OAUTH_INVALID_GRANT);
    if (was_over && token->spent_at != 0)
        family->is_doubtful = true;
    if (was_over || model.is_disabled)
        return;
    if (token->spent_at == 0) {
        ASSERT(outcome.rc == RC_OK || family->is_doubtful);
        if (outcome.rc != RC_OK)
            return;
        token->spent_at = fixture->now;
        token->is_newest = false;
        memcpy(token->answer, outcome.json, sizeof(token->answer));
        take_tokens(token->client, &outcome, token->family);
    } else if (outcome.rc == RC_OK) {
        ASSERT(strcmp(outcome.json, token->answer) == 0);
        ASSERT(fixture->now - token->spent_at < OAUTH_REFRESH_REPLAY_S);
    } else {
        ASSERT(outcome.rc == RC_REFUSED && outcome.error == OAUTH_INVALID_GRANT);
        family->is_ended = true;
    }
}

static void call_revoke(unsigned which, bool is_foreign)
{
    struct model_token *token =
        token_chosen(which % 2 == 0 ? KIND_ACCESS : KIND_REFRESH, which / 2);
    const char *client;

    if (token == NULL)
        return;
    client = !is_foreign ? token->client : strcmp(token->client, "web") == 0 ? "machine" : "web";
    ASSERT(ask_revocation(fixture, (struct ask){ .client = client,
                                                 .secret = secret_of_client(client),
                                                 .token = token->value })
               .rc == RC_OK);
    if (is_foreign) /* RFC 7009 2.1: only the client that it was issued to */
        return;
    if (token->kind == KIND_ACCESS)
        token->is_revoked = true;
    else if (!is_over(token))
        model.families[token->family].is_ended = true;
    else
        model.families[token->family].is_doubtful = true;
}

static void call_allow(void)
{
    struct allowed allowed;

    if (model.is_disabled)
        return;
    allowed =
        allow(fixture, RP_OK "&scope=read%20offline_access", person_new(fixture, "alice"), true);
    ASSERT(allowed.rc == RC_OK);
    (void)token_new(KIND_CODE, "rp", allowed.code, -1);
}

/* RFC 6749 4.1.2: once, and a second time ends what came of it. */
static void call_redeem(unsigned which)
{
    struct model_token *code = token_chosen(KIND_CODE, which);
    int64_t age_s = code == NULL ? 0 : fixture->now - code->issued_at;
    struct outcome outcome;

    if (code == NULL || code->is_revoked || (age_s > CODE_SURE_S && age_s < CODE_OVER_S))
        return;
    outcome = redeem(fixture, (struct redeeming){ .code = code->value });
    if (code->spent_at == 0 && age_s <= CODE_SURE_S && !model.is_disabled && !code->is_stranded) {
        ASSERT(outcome.rc == RC_OK);
        code->spent_at = fixture->now;
        code->family = family_new();
        take_tokens("rp", &outcome, code->family);
        return;
    }
    ASSERT(outcome.rc == RC_REFUSED && outcome.error == OAUTH_INVALID_GRANT);
    if (code->spent_at != 0)
        model.families[code->family].is_ended = true;
    code->is_revoked = true; /* whether it is spent by now does not matter: it is asked no more */
}

/* RFC 8693: for less long, and it ends with what it was given for. */
static void call_exchange(unsigned which)
{
    static const struct str grant = { "urn:ietf:params:oauth:grant-type:token-exchange", 47 };
    static const struct str type = { TOKEN_TYPE_ACCESS, sizeof(TOKEN_TYPE_ACCESS) - 1 };
    struct model_token *subject = token_chosen(KIND_ACCESS, which);
    struct token_exchange exchange = { .subject_token_type = &type,
                                       .audiences = STR("api.example") };
    struct token_request request = { .grant_type = &grant, .profile = &token_profile_standard };
    struct ask ask = { .client = "swap", .secret = "swap-secret" };
    struct asking *asking;
    struct outcome outcome;
    struct str value;

    if (subject == NULL || subject->family < 0 || strcmp(subject->client, "web") != 0)
        return;
    value = str_of(subject->value);
    exchange.subject_token = &value;
    request.exchange = &exchange;
    asking = asking_new(fixture, &ask);
    request.credentials = asking->credentials;
    outcome = asking_end(asking, token_request_answer(&asking->call, &request, &asking->json));
    ASSERT(outcome.rc == RC_OK || outcome.rc == RC_REFUSED);
    if (outcome.rc != RC_OK)
        return;
    ASSERT(!is_over(subject) && !model.is_disabled);
    ASSERT(fixture->now + outcome.expires_in_s <= subject->expires_at);
    take_tokens("swap", &outcome, subject->family);
}

static void take_permanent(const struct made *made)
{
    struct model_token *token = token_new(KIND_PERMANENT, "alice", made->value, family_new());

    token->permanent_id = made->id;
    token->expires_at = made->expires_at;
}

static void call_make(void)
{
    struct made made;

    if (model.is_disabled)
        return;
    made = wish_for(fixture, (struct wish){ 0 });
    ASSERT(made.rc == RC_OK);
    take_permanent(&made);
}

static void call_rotate(unsigned which)
{
    struct model_token *token = token_chosen(KIND_PERMANENT, which);
    struct made made;

    if (token == NULL || model.is_disabled)
        return;
    made = wish_for(fixture, (struct wish){ .rotated_id = token->permanent_id });
    ASSERT((made.rc == RC_OK) == (!is_over(token) && token->spent_at == 0));
    if (made.rc != RC_OK)
        return;
    token->spent_at = fixture->now; /* it has its one successor, and stays good */
    take_permanent(&made);
}

static void call_revoke_permanent(unsigned which)
{
    struct model_token *token = token_chosen(KIND_PERMANENT, which);

    if (token == NULL)
        return;
    ASSERT(!rc_is_fault(act_on(fixture, REVOKE, NULL, token->permanent_id, NULL, NULL)));
    token->is_revoked = true;
}

static void call_restart(void)
{
    oauth_restart(fixture);
    fixture->oauth.subject_key = fixture->keys[0];
    fixture->oauth.root = fixture->oauth.issuer;
}

/* Ends the browser sessions, and so what was not redeemed of theirs. */
static void disable(bool is_disabled)
{
    if (model.is_disabled == is_disabled)
        return;
    set_disabled(fixture, "alice", is_disabled);
    model.is_disabled = is_disabled;
    for (int i = 0; is_disabled && i < model.token_count; i++)
        model.tokens[i].is_stranded |= model.tokens[i].spent_at == 0;
}

static void call(enum call what, unsigned which)
{
    switch (what) {
    case CALL_ISSUE:
        call_issue(which);
        break;
    case CALL_SIGN_IN:
        call_sign_in(which);
        break;
    case CALL_REFRESH:
        call_refresh(which);
        break;
    case CALL_REVOKE:
    case CALL_REVOKE_FOREIGN:
        call_revoke(which, what == CALL_REVOKE_FOREIGN);
        break;
    case CALL_ALLOW:
        call_allow();
        break;
    case CALL_REDEEM:
        call_redeem(which);
        break;
    case CALL_EXCHANGE:
        call_exchange(which);
        break;
    case CALL_MAKE:
        call_make();
        break;
    case CALL_ROTATE:
        call_rotate(which);
        break;
    case CALL_REVOKE_PERMANENT:
        call_revoke_permanent(which);
        break;
    case CALL_DISABLE:
    case CALL_ENABLE:
        disable(what == CALL_DISABLE);
        break;
    case CALL_WAIT:
        fixture->now += which * 3;
        break;
    case CALL_RESTART:
        call_restart();
        break;
    case CALL_KIND_COUNT:
    default:
        ASSERT(false);
    }
}

/* ---- the store ------------------------------------------------------------------------------ */

static void tear_down(void)
{
    void *state = fixture;

    oauth_tear_down(&state);
}

/* Once in a process. */
static void set_up(void)
{
    void *state;

    authorization_set_up(&state);
    fixture = state;
    add_registered(fixture,
                   (struct client){ .client_id = STR("swap"),
                                    .secret_hash = hash_of(fixture, "swap-secret", false),
                                    .grant_types = 1u << GRANT_TYPE_TOKEN_EXCHANGE,
                                    .service_ids = STR("api.example"),
                                    .scope = STR("read") },
                   "{\"redirect_uris\":[\"https://swap.example/"
                   "cb\"],\"jeton_exchange_audiences\":[\"api.example\"],"
                   "\"jeton_exchange_subjects\":[\"web\"]}");
    atexit(tear_down);
}

/* What was refused in one input holds up nobody in the next: the failures of the name are forgotten
 * at its end, and those of the address are another's. */
static void begin(void)
{
    static uint32_t number;

    if (fixture == NULL)
        set_up();
    model.token_count = model.family_count = model.failure_count = 0;
    arena_reset(&fixture->room->arena);
    fixture->now = clock_now_s();
    number++;
    memcpy(&fixture->address[12], &number, sizeof(number));
}

static void forgive(void)
{
    struct store_unit unit;

    if (model.failure_count == 0)
        return;
    store_unit_init(&unit);
    throttle_unlock(fixture->door.throttle, STR("alice"), fixture->now, &unit);
    commit(fixture, &unit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin();
    for (size_t i = 0; i + 1 < size && i < (size_t)2 * CALL_COUNT; i += 2) {
        call((enum call)(data[i] % CALL_KIND_COUNT), data[i + 1]);
        if (model.token_count > 0)
            check_token(&model.tokens[data[i + 1] % model.token_count]);
    }
    disable(false);
    forgive();
    for (int i = 0; i < model.token_count; i++) {
        check_token(&model.tokens[i]);
        /* An account has so many, and the next input needs its own. */
        if (model.tokens[i].kind == KIND_PERMANENT && !model.tokens[i].is_revoked)
            revoke(fixture, model.tokens[i].permanent_id);
    }
    return 0;
}
