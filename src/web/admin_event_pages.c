#include "account/audit.h"
#include "http/address.h"
#include "web/admin_acts.h"
#include "web/admin_pages.h"

/* The audit trail and the signing keys, for administrators. */

enum { EVENTS_PER_PAGE = 50, EVENT_KINDS_SHOWN = 64 };

static const char list_kind[] = "admin events"; /* of the place where a list goes on */

/* ---- events ---------------------------------------------------------------------------------- */

static bool is_known(enum event_kind kind)
{
    return !str_equal(event_kind_format(kind), STR("unknown"));
}

/* All kinds for the list to choose from; answers the chosen one, or 0. */
static enum event_kind fill_kinds(struct page_call *page, struct page_admin_events *values)
{
    struct str word = page_parameter(page, STR("kind"));
    struct page_admin_events_kinds *kinds =
        arena_alloc(page->call->exchange->arena, EVENT_KINDS_SHOWN * sizeof(*kinds));
    enum event_kind chosen = 0;

    for (int kind = 1; kind <= EVENT_KINDS_SHOWN && is_known((enum event_kind)kind); kind++) {
        struct str text = event_kind_format((enum event_kind)kind);

        if (str_equal(text, word)) {
            chosen = (enum event_kind)kind;
            values->kind = text;
        }
        kinds[values->kinds_count++] =
            (struct page_admin_events_kinds){ .word = text, .is_chosen = str_equal(text, word) };
    }
    values->kinds = kinds;
    return chosen;
}

static struct page_admin_events_events row_of(struct page_call *page, const struct audit_row *row)
{
    const struct event *event = &row->event;

    return (struct page_admin_events_events){
        .at = event->at,
        .kind = event_kind_format(event->kind),
        .account = row->account,
        .client = row->client,
        .address = admin_address_text(page, event->address),
        .detail = event->detail,
        .token = event->token_id == 0 ? STR("")
                                      : arena_format(page->call->exchange->arena, "%lld",
                                                     (long long)event->token_id),
    };
}

static enum rc fill_seal(struct page_call *page, struct page_admin_events *values)
{
    const struct oauth *oauth = page->call->oauth.oauth;
    struct audit_seal seal;
    enum rc rc = audit_find_seal(oauth->store, oauth->door->factor_keys.master_key, &seal);

    if (rc != RC_OK)
        return rc;
    values->is_broken = seal.is_broken;
    values->checkpoint = seal.number;
    values->sealed_at = seal.at;
    values->kept_since = seal.kept_since;
    return RC_OK;
}

static enum rc show_events(struct page_call *page, const struct audit_query *query,
                           struct page_admin_events *values)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct oauth_call *oauth = &page->call->oauth;
    struct audit_row rows[EVENTS_PER_PAGE];
    struct page_admin_events_events *shown =
        arena_alloc(oauth->arena, EVENTS_PER_PAGE * sizeof(*shown));
    int64_t before_id = page_list_begin(page, list_kind);
    struct audit_walk walk = { .before_id = before_id };
    enum rc rc;

    arena_init(&arena, (size_t)EVENTS_PER_PAGE * AUDIT_ROW_BYTES_MAX);
    rc = audit_list(oauth->oauth->store, oauth->oauth->catalog, query, &walk, &arena, rows,
                    EVENTS_PER_PAGE, &values->events_count);
    if (rc == RC_OK)
        rc = fill_seal(page, values);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < values->events_count; i++)
        shown[i] = row_of(page, &rows[i]);
    values->events = shown;
    values->looked_back_until = walk.looked_back_until;
    if (walk.before_id != 0)
        values->older = page_handle_seal(page, list_kind, walk.before_id);
    if (before_id != INT64_MAX) /* back to where the list begins */
        values->newer = STR("all");
    page_admin_events_render(values, page->language, page_begin(page, 200));
    return RC_OK;
}

enum rc admin_events_page(struct page_call *page)
{
    struct page_admin_events values = { .frame = &page->frame,
                                        .account = str_trim(page_parameter(page, STR("account"))),
                                        .client = str_trim(page_parameter(page, STR("client"))),
                                        .address = str_trim(page_parameter(page, STR("address"))) };
    struct audit_query query = { .kind = fill_kinds(page, &values),
                                 .account = values.account,
                                 .client = values.client };
    struct http_address address;

    page->frame.at_admin = true;
    page->frame.at_admin_events = true;
    if (values.address.len > 0) {
        if (!address_parse(values.address, &address)) { /* nothing comes from there */
            page_add_error(page, "address", page_say(PAGE_TEXT_ADDRESS_WRONG));
            page_admin_events_render(&values, page->language, page_begin(page, 422));
            return RC_OK;
        }
        query.address = address.bytes;
    }
    return show_events(page, &query, &values);
}

/* ---- signing keys ---------------------------------------------------------------------------- */

enum rc admin_keys_page(struct page_call *page)
{
    struct arena *arena = page->call->exchange->arena;
    struct key_view views[KEY_COUNT_MAX];
    struct page_admin_keys_keys *rows = arena_alloc(arena, KEY_COUNT_MAX * sizeof(*rows));
    struct page_admin_keys values = { .frame = &page->frame, .keys = rows };
    int64_t now = page->call->oauth.now;
    enum rc rc = key_ring_list(token_room_keys(page->call->oauth.oauth->tokens), now, views,
                               &values.keys_count);

    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < values.keys_count; i++)
        rows[i] = (struct page_admin_keys_keys){
            .kid = arena_copy(arena, (struct str){ views[i].kid, KEY_ID_BYTES }),
            .alg = signing_alg_format(views[i].alg),
            .created_at = views[i].created_at,
            .signs_from = views[i].signs_from,
            .retires_at = views[i].retires_at,
            .is_signing = views[i].is_signing,
            .is_waiting = views[i].signs_from > now
        };
    page->frame.at_admin = true;
    page->frame.at_admin_keys = true;
    page_admin_keys_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

enum rc admin_keys_rotate_page(struct page_call *page)
{
    const struct admin_question question = { .title = page_say(PAGE_TEXT_KEYS_ROTATE_TITLE),
                                             .text = PAGE_TEXT_KEYS_ROTATE_TEXT,
                                             .is_harmless = true,
                                             .section = STR("keys") };
    const struct admin admin = page_admin(page);
    enum rc rc;

    page->frame.at_admin = true;
    page->frame.at_admin_keys = true;
    if (page_is_get(page)) {
        admin_ask(page, &question);
        return RC_OK;
    }
    rc = admin_act_rotate_keys(page->call, &admin);
    if (rc == RC_TOO_LARGE) { /* as many as there may be: somebody rotated very often */
        page_redirect_notice(page, STR("/admin/keys"), page_say(PAGE_TEXT_KEYS_TOO_MANY));
        return RC_OK;
    }
    if (rc == RC_OK)
        page_redirect_notice(page, STR("/admin/keys"), page_say(PAGE_TEXT_KEYS_ROTATED));
    return rc;
}
