#include "account/audit.h"
#include "http/address.h"
#include "mail/address.h"
#include "web/admin_acts.h"
#include "web/api_admin.h"

/* The server itself, the audit trail, the signing keys and the mails that wait, by the
 * administration API. */

/* ---- the server ------------------------------------------------------------------------------ */

static enum rc format_server(struct api_admin *api, const void *noun, struct json_out *json)
{
    struct audit_restoration restored = audit_restoration_of(api->store);
    struct web *web = api->call->web;

    (void)noun;
    json_member_string(json, STR("version"), STR(JETON_VERSION));
    json_member_string(json, STR("issuer"), web->oauth->issuer);
    json_member_bool(json, STR("ready"), oauth_check_ready(web->oauth) == OAUTH_READY);
    api_member_time(json, "restored_at", restored.at);
    api_member_time(json, "backup_taken_at", restored.taken_at);
    json_name(json, STR("tokens_issued"));
    json_begin_object(json);
    for (unsigned type = 0; type < GRANT_TYPE_COUNT; type++)
        json_member_number(
            json, grant_type_format((enum grant_type)type),
            (int64_t)atomic_load_explicit(&web->tokens_issued[type], memory_order_relaxed));
    json_end_object(json);
    return RC_OK;
}

static enum rc show_server(struct api_admin *api)
{
    return api_answer(api, 200, format_server, NULL, STR(""));
}

const struct api_resource api_server_resource = { .get = show_server };

/* ---- events ---------------------------------------------------------------------------------- */

static enum rc format_event(struct api_admin *api, const void *noun, struct json_out *json)
{
    static const unsigned char none[16] = { 0 };
    const struct audit_row *row = noun;
    const struct event *event = &row->event;
    struct http_address from = { 0 };
    char text[HTTP_ADDRESS_TEXT_BYTES];
    bool has_address = memcmp(event->address, none, sizeof(none)) != 0;

    memcpy(from.bytes, event->address, sizeof(from.bytes));
    json_member_string(json, STR("id"), arena_format(&api->arena, "%lld", (long long)event->id));
    json_member_number(json, STR("at"), event->at);
    json_member_string(json, STR("kind"), event_kind_format(event->kind));
    api_member_text(json, "account", row->account);
    api_member_text(json, "client", row->client);
    api_member_text(json, "token",
                    event->token_id == 0
                        ? STR("")
                        : arena_format(&api->arena, "%lld", (long long)event->token_id));
    api_member_text(json, "address", has_address ? http_address_format(&from, text) : STR(""));
    api_member_text(json, "detail", event->detail);
    return RC_OK;
}

static bool read_kind(struct api_admin *api, enum event_kind *out_kind)
{
    struct str word = api_filter(api, STR("kind"));
    enum event_kind kind = EVENT_TOKEN_ISSUED;

    if (str_equal(word, STR("unknown"))) /* of a number that a newer version wrote */
        return false;
    while (word.len > 0 && !str_equal(event_kind_format(kind), word)) {
        if (str_equal(event_kind_format(kind), STR("unknown")))
            return false;
        kind = (enum event_kind)(kind + 1);
    }
    if (word.len > 0)
        *out_kind = kind;
    return true;
}

/* False: the answer is written. */
static bool read_time(struct api_admin *api, const char *name, int64_t *out_at)
{
    struct str text = api_filter(api, str_of(name));

    if (text.len == 0 || audit_time_read(text, out_at) == RC_OK)
        return true;
    api_answer_problem(api->call, 400, STR("invalid_request"),
                       STR("a time is Unix seconds, or as 2026-11-22T06:13:28Z"));
    return false;
}

static enum rc list_events(struct api_admin *api)
{
    enum { MAX = API_ROW_COUNT_MAX + 1 };
    struct audit_row *found = arena_alloc(&api->arena, MAX * sizeof(*found));
    struct audit_query query = { .kind = 0 };
    struct http_address address;
    struct audit_walk walk;
    struct api_list page;
    struct str from;
    size_t count;
    enum rc rc;

    if (!api_list_begin(api, "events", STR("kind account client address since until"), &page))
        return RC_OK;
    query.account = api_filter(api, STR("account"));
    query.client = api_filter(api, STR("client"));
    from = api_filter(api, STR("address"));
    if (!read_kind(api, &query.kind) || (from.len > 0 && !address_parse(from, &address))) {
        api_answer_problem(api->call, 400, STR("invalid_request"),
                           STR("there is no such kind, or this is no address"));
        return RC_OK;
    }
    if (from.len > 0)
        query.address = address.bytes;
    if (!read_time(api, "since", &query.since) || !read_time(api, "until", &query.until))
        return RC_OK;
    walk.before_id = page.before_id;
    rc = audit_list(api->store, api->call->oauth.oauth->catalog, &query, &walk, &api->arena, found,
                    page.limit + 1, &count);
    if (rc != RC_OK)
        return rc;
    if (count <= page.limit) {
        page.next_id = walk.before_id;
        page.looked_back_until = walk.looked_back_until;
    }
    return api_list_answer(api, &page, format_event, found, sizeof(*found), count,
                           offsetof(struct audit_row, event.id));
}

const struct api_resource api_events_resource = { .get = list_events };

/* ---- what seals them ------------------------------------------------------------------------- */

static void member_hex(struct api_admin *api, struct json_out *json, const char *name,
                       struct str bytes)
{
    size_t room = 2 * bytes.len + 1;
    struct buffer text = buffer_over(arena_alloc(&api->arena, room), room);

    for (size_t i = 0; i < bytes.len; i++)
        buffer_append_format(&text, "%02x", (unsigned)(unsigned char)bytes.at[i]);
    json_member_string(json, str_of(name), buffer_str(&text));
}

static enum rc format_checkpoint(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct audit_checkpoint *checkpoint = noun;

    json_member_number(json, STR("number"), checkpoint->number);
    json_member_number(json, STR("at"), checkpoint->at);
    json_member_string(json, STR("last_event"),
                       arena_format(&api->arena, "%lld", (long long)checkpoint->last_event_id));
    json_member_number(json, STR("event_count"), checkpoint->event_count);
    member_hex(api, json, "digest", checkpoint->digest);
    member_hex(api, json, "public_key", checkpoint->public_key);
    member_hex(api, json, "signature", checkpoint->signature);
    api_member_time(json, "trimmed_at", checkpoint->trimmed_at);
    return RC_OK;
}

static enum rc list_checkpoints(struct api_admin *api)
{
    struct audit_checkpoint *found =
        arena_alloc(&api->arena, (API_ROW_COUNT_MAX + 1) * sizeof(*found));
    struct api_list page;
    size_t count;
    enum rc rc;

    if (!api_list_begin(api, "checkpoints", STR(""), &page))
        return RC_OK;
    rc = audit_list_sealed(api->store, page.before_id, &api->arena, found, page.limit + 1, &count);
    return rc == RC_OK ? api_list_answer(api, &page, format_checkpoint, found, sizeof(*found),
                                         count, offsetof(struct audit_checkpoint, number))
                       : rc;
}

const struct api_resource api_checkpoints_resource = { .get = list_checkpoints };

/* ---- signing keys ---------------------------------------------------------------------------- */

static enum rc format_key(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct key_view *key = noun;

    (void)api;
    json_member_string(json, STR("id"), (struct str){ key->kid, KEY_ID_BYTES });
    json_member_string(json, STR("alg"), signing_alg_format(key->alg));
    json_member_bool(json, STR("signing"), key->is_signing);
    json_member_number(json, STR("created_at"), key->created_at);
    json_member_number(json, STR("signs_from"), key->signs_from);
    api_member_time(json, "retires_at", key->retires_at);
    return RC_OK;
}

/* All of them: they are few. */
static enum rc answer_keys(struct api_admin *api)
{
    struct key_view views[KEY_COUNT_MAX];
    struct api_list page = { .kind = "keys", .limit = KEY_COUNT_MAX };
    size_t count;
    enum rc rc = key_ring_list(token_room_keys(api->call->oauth.oauth->tokens), api->admin.now,
                               views, &count);

    return rc == RC_OK ? api_list_answer(api, &page, format_key, views, sizeof(views[0]), count,
                                         offsetof(struct key_view, created_at))
                       : rc;
}

static enum rc list_keys(struct api_admin *api)
{
    struct api_list page;

    return api_list_begin(api, "keys", STR(""), &page) ? answer_keys(api) : RC_OK;
}

static enum rc rotate_keys(struct api_admin *api)
{
    enum rc rc = admin_act_rotate_keys(api->call, &api->admin);

    if (rc == RC_TOO_LARGE)
        return api_answer_conflict(api, "there are as many keys as there may be");
    return rc == RC_OK ? answer_keys(api) : rc;
}

const struct api_resource api_keys_resource = { .get = list_keys };
const struct api_resource api_keys_rotate_resource = { .post = rotate_keys, .in_parts = true };

/* ---- mails ----------------------------------------------------------------------------------- */

/* Neither to whom nor what it says. */
static enum rc format_mail(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct mail *mail = noun;

    json_member_string(json, STR("id"), arena_format(&api->arena, "%lld", (long long)mail->id));
    json_member_number(json, STR("queued_at"), mail->at);
    json_member_number(json, STR("next_at"), mail->next_at);
    json_member_number(json, STR("until"), mail->until);
    json_member_number(json, STR("attempts"), mail->attempt_count);
    json_member_number(json, STR("last_code"), mail->last_code);
    return RC_OK;
}

/* The oldest first: a place is what has been shown. */
static enum rc list_mails(struct api_admin *api)
{
    struct mail *found = arena_alloc(&api->arena, (API_ROW_COUNT_MAX + 1) * sizeof(*found));
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct api_list page;
    size_t count;
    enum rc rc;

    if (!api_list_begin(api, "mails", STR(""), &page))
        return RC_OK;
    arena_init(&arena, (page.limit + 1) * (OUTBOX_CONTENT_BYTES_MAX + 1024));
    rc = outbox_list(api->store, page.before_id == INT64_MAX ? 0 : page.before_id, &arena, found,
                     page.limit + 1, &count);
    return rc == RC_OK ? api_list_answer(api, &page, format_mail, found, sizeof(*found), count,
                                         offsetof(struct mail, id))
                       : rc;
}

static enum rc retry_mails(struct api_admin *api)
{
    return api_answer_done(api, outbox_hasten(api->store, api->admin.now));
}

/* By the queue, as other mail: how it went is seen there. */
static enum rc test_mail(struct api_admin *api)
{
    const struct outbox *outbox = api->call->web->outbox;
    struct mail_draft draft;
    struct str address;
    enum rc rc;

    if (!api_has_only(api->call, api->body, STR("address")))
        return RC_OK;
    if (json_get_string(json_find(api->body, STR("address")), &address) != RC_OK ||
        mail_address_check(address) != RC_OK) {
        api_answer_field(api->call, "address", STR(""), "this is no e-mail address");
        return RC_OK;
    }
    if (outbox == NULL)
        return api_answer_conflict(api, "this server sends no mail");
    draft = mail_test_draft(address);
    rc = outbox_send(outbox, &draft, api->admin.now, &api->arena);
    if (rc == RC_INVALID) {
        api_answer_field(api->call, "address", STR(""), "this address cannot be written to");
        return RC_OK;
    }
    return api_answer_done(api, rc);
}

const struct api_resource api_mails_resource = { .get = list_mails };
const struct api_resource api_mails_retry_resource = { .post = retry_mails };
const struct api_resource api_mails_test_resource = { .post = test_mail, .bodies = METHOD_POST };
