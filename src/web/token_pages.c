#include "web/token_pages.h"

#include "web/account_pages.h"

/* The list of a person's permanent tokens, and what can be done with one of them. */

static const char token_kind[] = "token"; /* of handles in paths */

struct page_words token_fault_words(const struct page_call *page,
                                    const struct permanent_fault *fault)
{
    static const enum page_text texts[PERMANENT_PROBLEM_COUNT] = {
#define PERMANENT_PROBLEM(name, field, words) [PERMANENT_##name] = PAGE_TEXT_TOKEN_##name,
#include "oauth/permanent.def"
#undef PERMANENT_PROBLEM
    };
    struct page_words words = { .text = texts[fault->problem], .value = fault->value };

    if (fault->problem == PERMANENT_NAME_TOO_LONG)
        words.number = PERMANENT_NAME_BYTES_MAX;
    else if (fault->problem == PERMANENT_LIFETIME_TOO_LONG)
        words.number = page->call->web->permanent_days_max;
    return words;
}

void token_log(struct page_call *page, const struct permanent *permanent)
{
    page->call->has_oauth = true;
    page->call->oauth.log_username = page->account.name;
    page->call->oauth.log_token_id = permanent->token_id;
}

void token_value_answer(struct page_call *page, const struct permanent *permanent, struct str value,
                        bool is_rotation)
{
    struct page_token_created values = {
        .frame = &page->frame, .name = permanent->name, .value = value, .is_rotation = is_rotation
    };

    page_token_created_render(&values, page->language, page_begin(page, 200));
}

/* ---- the list -------------------------------------------------------------------------------- */

static size_t count_words(struct str words)
{
    struct str word;
    size_t count = 0;

    while (str_next_word(&words, &word))
        count++;
    return count;
}

static void list_scopes(struct page_call *page, struct str words, struct page_tokens_tokens *row)
{
    size_t count = count_words(words);
    struct str word;
    struct page_tokens_tokens_scopes *scopes =
        arena_alloc(page->call->exchange->arena, (count + 1) * sizeof(*scopes));

    for (size_t i = 0; i < count && str_next_word(&words, &word); i++)
        scopes[i].scope = permanent_word_shown(word);
    row->scopes = scopes;
    row->scopes_count = count;
}

static void show_row(struct page_call *page, const struct permanent *permanent,
                     struct page_tokens_tokens *row)
{
    enum permanent_state state = permanent_state_of(permanent, page->call->oauth.now);

    row->id = page_handle_seal(page, token_kind, permanent->id);
    row->name = permanent->name;
    row->addresses = permanent->addresses;
    row->created_at = permanent->created_at;
    row->expires_at = permanent->expires_at;
    row->last_used_at = permanent->last_used_at;
    row->last_used_from = permanent_last_used_from(permanent, page->call->exchange->arena);
    row->is_over = permanent_is_over(state);
    row->may_rotate = permanent->replaced_by == 0;
    row->is_revoked = state == PERMANENT_REVOKED;
    row->is_expired = state == PERMANENT_EXPIRED;
    row->is_replaced = state == PERMANENT_REPLACED;
    row->is_soon_over = state == PERMANENT_EXPIRES_SOON;
    list_scopes(page, permanent->scope, row);
}

/* One row more than a page shows; above a place and at the end of the list it is the first page. */
static enum rc read_rows(struct page_call *page, struct page_place *place, struct permanent *rows,
                         size_t *out_count)
{
    struct oauth_call *oauth = &page->call->oauth;

    if (place->is_above) {
        enum rc rc = permanent_list_up(oauth, page->account.id, place->id, rows,
                                       PERMANENT_ROW_COUNT + 1, out_count);

        if (rc != RC_OK || *out_count > PERMANENT_ROW_COUNT)
            return rc;
        *place = (struct page_place){ .id = INT64_MAX };
    }
    return permanent_list(oauth, page->account.id, place->id, rows, PERMANENT_ROW_COUNT + 1,
                          out_count);
}

enum rc tokens_page(struct page_call *page)
{
    struct arena *arena = page->call->exchange->arena;
    struct permanent *rows = arena_alloc(arena, (PERMANENT_ROW_COUNT + 1) * sizeof(*rows));
    struct page_tokens_tokens *shown = arena_alloc(arena, PERMANENT_ROW_COUNT * sizeof(*shown));
    struct page_tokens values = { .frame = &page->frame, .may_create = true, .tokens = shown };
    struct page_place place;
    int64_t next_id = 0;
    size_t count;
    enum rc rc;

    page->frame.at_tokens = true;
    if (!page_place_read(page, token_kind, &place)) {
        page_answer_error(page, 404, PAGE_TEXT_TOKEN_NOT_FOUND);
        return RC_OK;
    }
    rc = read_rows(page, &place, rows, &count);
    if (rc != RC_OK)
        return rc;
    if (count > PERMANENT_ROW_COUNT) { /* the one too many stands at the far end */
        rows += place.is_above;
        count = PERMANENT_ROW_COUNT;
        next_id = rows[place.is_above ? 0 : count - 1].id;
    }
    page_place_links(page, token_kind, place, next_id, &values.newer, &values.older);
    for (size_t i = 0; i < count; i++) {
        show_row(page, &rows[i], &shown[i]);
        shown[i].n = (int64_t)i + 1;
    }
    values.tokens_count = count;
    page_tokens_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- one token ------------------------------------------------------------------------------- */

/* Answers: RC_OK · RC_NOT_FOUND the answer is written */
static enum rc find_token(struct page_call *page, struct permanent *out_permanent)
{
    int64_t id;
    enum rc rc = RC_NOT_FOUND;

    page->frame.at_tokens = true;
    if (page_handle_open(page, token_kind, page->call->rest, &id))
        rc = permanent_find(&page->call->oauth, page->account.id, id, out_permanent);
    if (rc == RC_NOT_FOUND)
        page_answer_error(page, 404, PAGE_TEXT_TOKEN_NOT_FOUND);
    return rc;
}

static enum rc answered_as_not_found(enum rc rc)
{
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static void ask_revoke(struct page_call *page, const struct permanent *permanent)
{
    struct page_token_revoke values = {
        .frame = &page->frame,
        .id = page->call->rest,
        .name = permanent->name,
        .last_used_at = permanent->last_used_at,
        .last_used_from = permanent_last_used_from(permanent, page->call->exchange->arena),
    };

    page_token_revoke_render(&values, page->language, page_begin(page, 200));
}

enum rc token_revoke_page(struct page_call *page)
{
    struct permanent permanent;
    enum rc rc = find_token(page, &permanent);

    if (rc != RC_OK)
        return answered_as_not_found(rc);
    if (page_is_get(page)) {
        ask_revoke(page, &permanent);
        return RC_OK;
    }
    rc = permanent_revoke(&page->call->oauth, page->account.id, permanent.id);
    if (rc != RC_OK)
        return rc;
    token_log(page, &permanent);
    page_redirect_notice(
        page, STR("/tokens"),
        (struct page_words){ .text = PAGE_TEXT_TOKEN_REVOKED, .value = permanent.name });
    return RC_OK;
}

static void ask_name(struct page_call *page, struct str name, const struct permanent_fault *fault)
{
    struct page_token_rename values = { .frame = &page->frame,
                                        .id = page->call->rest,
                                        .name = name };

    if (fault != NULL) {
        values.name_error = token_fault_words(page, fault);
        page_add_error(page, "token-name", values.name_error);
    }
    page_token_rename_render(&values, page->language, page_begin(page, fault == NULL ? 200 : 422));
}

enum rc token_rename_page(struct page_call *page)
{
    struct permanent permanent;
    struct permanent_fault fault;
    struct str name = str_trim(page_field(page, STR("name")));
    enum rc rc = find_token(page, &permanent);

    if (rc != RC_OK)
        return answered_as_not_found(rc);
    if (page_is_get(page)) {
        ask_name(page, permanent.name, NULL);
        return RC_OK;
    }
    rc = permanent_rename(&page->call->oauth, page->account.id, permanent.id, name, &fault);
    if (rc == RC_REFUSED) {
        ask_name(page, name, &fault);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    token_log(page, &permanent);
    page_redirect_notice(page, STR("/tokens"),
                         (struct page_words){ .text = PAGE_TEXT_TOKEN_RENAMED, .value = name });
    return RC_OK;
}

static void ask_rotate(struct page_call *page, const struct permanent *permanent,
                       const struct permanent_fault *fault)
{
    struct page_token_rotate values = { .frame = &page->frame,
                                        .id = page->call->rest,
                                        .name = permanent->name };

    if (fault != NULL)
        page_add_error(page, "", token_fault_words(page, fault));
    page_token_rotate_render(&values, page->language, page_begin(page, fault == NULL ? 200 : 422));
}

static enum rc rotate(struct page_call *page, const struct permanent *old)
{
    struct permanent permanent;
    struct permanent_fault fault;
    struct str value;
    enum rc rc = permanent_rotate(&page->call->oauth, &page->account, old->id,
                                  page->call->web->permanent_days_max * 24 * 3600, &permanent,
                                  &value, &fault);

    if (rc == RC_OK) {
        token_log(page, &permanent);
        token_value_answer(page, &permanent, value, true);
    } else if (rc == RC_SPENT) { /* the form was sent twice, or two people had it open */
        page_redirect_notice(page, STR("/tokens"), page_say(PAGE_TEXT_TOKEN_REPLACED_ALREADY));
    } else if (rc == RC_NOT_FOUND) {
        page_redirect_notice(page, STR("/tokens"), page_say(PAGE_TEXT_TOKEN_NOT_ALIVE));
    } else if (rc == RC_REFUSED) {
        ask_rotate(page, old, &fault);
    } else {
        return rc;
    }
    return RC_OK;
}

enum rc token_rotate_page(struct page_call *page)
{
    struct permanent permanent;
    enum rc rc = find_token(page, &permanent);

    if (rc != RC_OK)
        return answered_as_not_found(rc);
    if (!page_is_get(page))
        return rotate(page, &permanent);
    if (permanent.replaced_by != 0)
        page_redirect_notice(page, STR("/tokens"), page_say(PAGE_TEXT_TOKEN_REPLACED_ALREADY));
    else
        ask_rotate(page, &permanent, NULL);
    return RC_OK;
}
