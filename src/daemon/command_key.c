#include "base/clock.h"
#include "codec/json.h"
#include "daemon/change.h"

enum { ROW_JSON_BYTES = 16 * 1024 };

/* ---- list ---- */

static const char *state_text(const struct key *key, int64_t now)
{
    if (key->retires_at != 0)
        return key->retires_at <= now ? "retired" : "retiring";
    return key->signs_from > now ? "published" : "signing";
}

static void write_json(struct command_context *context, const struct key *key, int64_t now)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, ROW_JSON_BYTES), ROW_JSON_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_string(&json, STR("kid"), key->kid);
    json_member_string(&json, STR("alg"), signing_alg_format(key->alg));
    json_member_string(&json, STR("state"), str_of(state_text(key, now)));
    json_member_number(&json, STR("created_at"), key->created_at);
    json_member_number(&json, STR("signs_from"), key->signs_from);
    json_member_number(&json, STR("retires_at"), key->retires_at);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static void write_row(struct command_context *context, const struct key *key, int64_t now)
{
    struct sink *out = context->out;

    sink_column(out, key->kid, 45);
    sink_column(out, signing_alg_format(key->alg), 7);
    sink_column(out, str_of(state_text(key, now)), 11);
    sink_time_column(out, key->created_at, "-");
    sink_time_column(out, key->signs_from, "-");
    sink_time_column(out, key->retires_at, "-");
    sink_text(out, "\n");
}

static int run_list(struct command_context *context, const struct options *options)
{
    struct key *rows = arena_alloc(context->arena, KEY_COUNT_MAX * sizeof(*rows));
    bool is_json = options_has(options, "json");
    int64_t now = clock_now_s();
    size_t count;
    enum rc rc;

    rc = store_list_keys(context->store, context->arena, rows, KEY_COUNT_MAX, &count);
    if (rc != RC_OK)
        return command_fault(context, rc);
    if (!is_json)
        sink_text(context->out, "KID                                          ALG    STATE      "
                                "CREATED               SIGNS FROM            RETIRES\n");
    for (size_t i = 0; i < count; i++)
        (is_json ? write_json : write_row)(context, &rows[i], now);
    return STATUS_DONE;
}

/* ---- rotate ---- */

static int rotate(struct command_context *context, enum signing_alg alg, bool is_now)
{
    char kid[KEY_ID_BYTES + 1];
    int64_t now = clock_now_s();
    int64_t signs_from = is_now ? now : now + KEY_PUBLISH_LEAD_S;
    char at[SINK_TIME_BYTES];
    enum rc rc;

    rc = key_rotate(context->store, context->master_key, alg, now, signs_from, KEY_OVERLAP_S, kid);
    if (rc == RC_TOO_LARGE)
        return command_refuse(context,
                              "there are as many keys as there may be; some leave once the "
                              "tokens that they signed have ended: see jeton key list");
    if (rc != RC_OK)
        return command_fault(context, rc);
    sink_time_format(signs_from, at);
    sink_format(context->out, "%s\n", kid);
    command_note(context, "the new %.*s key is published now and signs from %s",
                 STR_ARGS(signing_alg_format(alg)), at);
    return STATUS_DONE;
}

/* Every algorithm that has a key already. */
static int rotate_all(struct command_context *context, bool is_now)
{
    struct key *rows = arena_alloc(context->arena, KEY_COUNT_MAX * sizeof(*rows));
    unsigned algs = 0;
    size_t count;
    enum rc rc;

    rc = store_list_keys(context->store, context->arena, rows, KEY_COUNT_MAX, &count);
    if (rc != RC_OK)
        return command_fault(context, rc);
    for (size_t i = 0; i < count; i++)
        algs |= 1u << rows[i].alg;
    if (algs == 0)
        return command_refuse(context, "there is no key yet; name one with --alg");
    for (unsigned alg = 0; alg < ALG_COUNT; alg++) {
        int status = STATUS_DONE;

        if ((algs & 1u << alg) != 0)
            status = rotate(context, (enum signing_alg)alg, is_now);
        if (status != STATUS_DONE)
            return status;
    }
    return STATUS_DONE;
}

static int run_rotate(struct command_context *context, const struct options *options)
{
    const char *text = options_find(options, "alg");
    bool is_now = options_has(options, "now");
    enum signing_alg alg;

    if (text == NULL)
        return rotate_all(context, is_now);
    if (signing_alg_parse(str_of(text), &alg) != RC_OK)
        return command_usage(context, "--alg is 'ES256', 'EdDSA' or 'RS256'");
    return rotate(context, alg, is_now);
}

/* ---- the table ---- */

static const struct option_spec options_list[] = {
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

static const struct option_spec options_rotate[] = {
    { "alg", "ALG", "only this algorithm's: ES256, EdDSA or RS256", false },
    { "now", NULL, "sign with the new key at once, not an hour after it is published", false },
    { 0 },
};

const struct command commands_key[] = {
    { "key", "list", NULL, options_list, "lists the signing keys", false, NULL, run_list },
    { "key", "rotate", NULL, options_rotate, "makes the next signing keys", true, NULL,
      run_rotate },
    { 0 },
};
