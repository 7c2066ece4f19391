#include "daemon/change.h"

#include "account/grants_end.h"
#include "base/clock.h"
#include "codec/base64url.h"
#include "crypto/random.h"

enum { MADE_SECRET_BYTES = 32 };

struct admin change_admin(struct command_context *context)
{
    return (struct admin){ .by = arena_format(context->arena, "uid %u", context->uid),
                           .now = clock_now_s(),
                           .arena = context->arena };
}

struct str change_detail(struct command_context *context, const char *act)
{
    const struct admin admin = change_admin(context);

    return admin_detail(&admin, act);
}

void change_event(struct command_context *context, struct store_unit *unit, enum event_kind kind,
                  int64_t account_id, int64_t client_id, const char *act)
{
    const struct admin admin = change_admin(context);
    const struct event event = { .kind = kind, .account_id = account_id, .client_id = client_id };

    admin_add_event(&admin, event, act, unit);
}

int change_answer(struct command_context *context, enum rc rc)
{
    if (rc == RC_OK)
        return STATUS_DONE;
    if (rc == RC_EXISTS)
        return command_refuse(context, "that name is taken already; choose another");
    if (rc_is_fault(rc))
        return command_fault(context, rc);
    return command_refuse(context, "%s; somebody else changed it at the same time, try again",
                          rc_words(rc));
}

int change_commit(struct command_context *context, struct store_unit *unit)
{
    return change_answer(context, store_commit(context->store, unit));
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

enum rc change_end_grants(struct command_context *context, int64_t account_id, int64_t client_id,
                          size_t *out_count)
{
    const struct grants_filter filter = { .account_id = account_id, .client_id = client_id };

    return grants_end(context->store, &filter, change_detail(context, "ended"), clock_now_s(),
                      out_count);
}

enum rc change_end_grants_of_service(struct command_context *context, struct str service_id,
                                     size_t *out_count)
{
    const struct grants_filter filter = { .service_id = service_id };

    return grants_end(context->store, &filter, change_detail(context, "ended"), clock_now_s(),
                      out_count);
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
