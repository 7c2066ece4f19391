#include "daemon/change.h"

#include "base/clock.h"
#include "codec/base64url.h"
#include "crypto/random.h"

enum {
    GRANTS_PER_UNIT = 8, /* a step each, and one event */
    MADE_SECRET_BYTES = 32
};

_Static_assert((int)GRANTS_PER_UNIT < (int)STORE_UNIT_STEP_COUNT_MAX, "an event must fit too");

struct str change_detail(struct command_context *context, const char *act)
{
    return arena_format(context->arena, "%s by uid %u", act, context->uid);
}

void change_event(struct command_context *context, struct store_unit *unit, enum event_kind kind,
                  int64_t account_id, int64_t client_id, const char *act)
{
    struct event event = { .at = clock_now_s(),
                           .kind = kind,
                           .account_id = account_id,
                           .client_id = client_id,
                           .detail = change_detail(context, act) };

    store_insert_event(unit, &event);
}

int change_commit(struct command_context *context, struct store_unit *unit)
{
    enum rc rc = store_commit(context->store, unit);

    if (rc == RC_OK)
        return STATUS_DONE;
    if (rc == RC_EXISTS)
        return command_refuse(context, "that name is taken already; choose another");
    if (rc_is_fault(rc))
        return command_fault(context, rc);
    return command_refuse(context, "%s; somebody else changed it at the same time, try again",
                          rc_words(rc));
}

int change_find_account(struct command_context *context, const char *name,
                        struct account *out_account)
{
    enum rc rc =
        store_find_account_by_name(context->store, str_of(name), context->arena, out_account);

    if (rc == RC_NOT_FOUND)
        return command_refuse(context, "there is no account '%s'; 'jeton user list' shows all",
                              name);
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}

/* ---- grants ---- */

static enum rc end_page(struct command_context *context, const struct grant *grants, size_t count)
{
    struct store_unit unit;
    int64_t now = clock_now_s();

    store_unit_init(&unit);
    for (size_t i = 0; i < count; i++)
        store_end_grant(&unit, grants[i].id, now);
    change_event(context, &unit, EVENT_GRANT_ENDED, grants[0].account_id, grants[0].client_id,
                 "ended");
    return store_commit(context->store, &unit);
}

/* Which grants to end. */
struct grant_filter {
    int64_t account_id;
    int64_t client_id;
    struct str service_id; /* not empty: grants of this service */
};

static enum rc end_grants(struct command_context *context, const struct grant_filter *filter,
                          size_t *out_count)
{
    __attribute__((cleanup(arena_deinit))) struct arena page = { 0 };
    struct grant grants[GRANTS_PER_UNIT];
    size_t total = 0;
    size_t count;
    enum rc rc;

    arena_init(&page, COMMAND_PAGE_BYTES);
    do {
        arena_reset(&page);
        /* Those of the page before live no more, so the first page is always the next one. */
        if (filter->service_id.len > 0)
            rc = store_list_grants_of_service(context->store, filter->service_id, 0, &page, grants,
                                              GRANTS_PER_UNIT, &count);
        else
            rc = store_list_grants(context->store, filter->account_id, filter->client_id, INT64_MAX,
                                   &page, grants, GRANTS_PER_UNIT, &count);
        if (rc == RC_OK && count > 0)
            rc = end_page(context, grants, count);
        if (rc != RC_OK)
            return rc;
        total += count;
    } while (count > 0);
    *out_count = total;
    return RC_OK;
}

enum rc change_end_grants(struct command_context *context, int64_t account_id, int64_t client_id,
                          size_t *out_count)
{
    ASSERT(account_id != 0 || client_id != 0);
    return end_grants(context,
                      &(struct grant_filter){ .account_id = account_id, .client_id = client_id },
                      out_count);
}

enum rc change_end_grants_of_service(struct command_context *context, struct str service_id,
                                     size_t *out_count)
{
    return end_grants(context, &(struct grant_filter){ .service_id = service_id }, out_count);
}

/* ---- secrets ---- */

void change_make_secret(struct secret *out_secret)
{
    unsigned char random[MADE_SECRET_BYTES];
    struct buffer text = buffer_over(out_secret->bytes, sizeof(out_secret->bytes));

    random_bytes(random, sizeof(random));
    base64url_encode((struct str){ (const char *)random, sizeof(random) }, &text);
    ASSERT(!text.overflow);
    out_secret->len = text.len;
    explicit_bzero(random, sizeof(random));
}

void change_forgive(struct command_context *context, struct str id, struct store_unit *unit)
{
    throttle_unlock(context->throttle, secret_throttle_name(context->arena, id), clock_now_s(),
                    unit);
}

void change_forgive_account(struct command_context *context, const struct account *account,
                            struct store_unit *unit)
{
    int64_t now = clock_now_s();

    throttle_unlock(context->throttle, account->name, now, unit);
    throttle_unlock(context->throttle, factor_throttle_name(context->arena, account->id), now,
                    unit);
}

int change_secret(struct command_context *context, bool is_chosen, struct str *out_hash,
                  struct secret *out_made)
{
    char *hash = arena_alloc(context->arena, PASSWORD_HASH_BYTES_MAX);
    const struct secret *chosen = context->input;
    enum rc rc;

    if (!is_chosen) {
        change_make_secret(out_made);
        secret_store_made(context->checker, out_made, hash);
        *out_hash = str_of(hash);
        return STATUS_DONE;
    }
    if (chosen->len == 0)
        return command_refuse(context, "a secret may not be empty; give one on standard input");
    if (!str_is_utf8(secret_expose(chosen)) || str_has_control(secret_expose(chosen)))
        return command_refuse(context, "a secret must be UTF-8 without control characters");
    rc = password_hash(chosen, context->checker->cost, hash);
    if (rc != RC_OK)
        return command_fault(context, rc);
    *out_hash = str_of(hash);
    return STATUS_DONE;
}

/* ---- words ---- */

static enum rc refuse(struct buffer *out_error, struct str words)
{
    buffer_append_str(out_error, words);
    return RC_INVALID;
}

/* RFC 6749 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
static bool is_scope_word(struct str word)
{
    for (size_t i = 0; i < word.len; i++) {
        unsigned char byte = (unsigned char)word.at[i];

        if (byte < 0x21 || byte > 0x7e || byte == '"' || byte == '\\')
            return false;
    }
    return word.len > 0;
}

enum rc change_scope_parse(struct str text, struct arena *arena, struct str *out_scope,
                           struct buffer *out_error)
{
    struct buffer scope;
    struct str word;
    size_t count = 0;

    if (text.len > SCOPE_BYTES_MAX)
        return refuse(out_error, STR("a scope may have at most 4096 bytes"));
    scope = buffer_over(arena_alloc(arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX);
    while (str_next_word(&text, &word)) {
        if (!is_scope_word(word))
            return refuse(out_error, STR("a scope is made of words of visible ASCII characters "
                                         "without '\"' and '\\', separated by spaces"));
        if (str_starts_with(word, STR("service_id=")))
            return refuse(out_error, STR("words that begin with service_id= have a meaning of "
                                         "their own; choose another word"));
        if (str_has_word(buffer_str(&scope), word)) {
            buffer_append_format(out_error, "the scope word %.*s stands twice", STR_ARGS(word));
            return RC_INVALID;
        }
        if (++count > SCOPE_WORD_COUNT_MAX)
            return refuse(out_error, STR("a scope may have at most 128 words"));
        if (scope.len > 0)
            buffer_append_byte(&scope, ' ');
        buffer_append_str(&scope, word);
    }
    ASSERT(!scope.overflow);
    *out_scope = buffer_str(&scope);
    return RC_OK;
}

enum rc change_id_check(struct str id, bool may_hold_colon, struct buffer *out_error)
{
    if (id.len == 0 || id.len > CLIENT_ID_BYTES_MAX)
        return refuse(out_error, STR("an id must have 1 to 255 characters"));
    for (size_t i = 0; i < id.len; i++) {
        unsigned char byte = (unsigned char)id.at[i];

        /* RFC 6749 A.1 allows all of VSCHAR; a space would part an audience's words, the others a
         * header's. */
        if (byte <= 0x20 || byte > 0x7e || byte == '"' || byte == '\\' || byte == ',')
            return refuse(out_error, STR("an id is made of visible ASCII characters without "
                                         "space, '\"', '\\' and ','"));
        if (byte == ':' && !may_hold_colon) /* RFC 7617 2 */
            return refuse(out_error, STR("a client's id may not hold a colon: Basic "
                                         "authentication ends the id there"));
    }
    return RC_OK;
}

enum rc change_text_check(struct str text, size_t bytes_max, struct buffer *out_error)
{
    if (text.len > bytes_max) {
        buffer_append_format(out_error, "it may have at most %zu bytes", bytes_max);
        return RC_INVALID;
    }
    if (!str_is_utf8(text) || str_has_control(text))
        return refuse(out_error, STR("it must be UTF-8 without control characters"));
    return RC_OK;
}

struct str change_option(const struct options *options, const char *name, struct str fallback)
{
    const char *text = options_find(options, name);

    return text == NULL ? fallback : str_of(text);
}
