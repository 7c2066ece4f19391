#include "codec/uri.h"
#include "web/token_pages.h"

/*
 * New token creation. The list of scopes grows on the form itself: each press of Add or Remove
 * posts all of it, and only Create makes something. A form carries the id of what it will make, so
 * that it makes one token however often it is sent.
 */

static const char form_kind[] = "new-token"; /* of handles in forms */

enum {
    PRESET_COUNT_MAX = 4,
    OFFERED_COUNT_MAX = 1000 /* a list that long is for nobody to read */
};

struct token_form {
    int64_t id;           /* of the token that Create makes */
    struct str name;      /* as typed */
    struct str word;      /* in the field Scope */
    struct buffer scopes; /* in the list Scopes: words with spaces between them */
    struct str addresses;
    int64_t days; /* 0: never expires; -1: not readable */
    struct page_words name_error, scope_error, lifetime_error, addresses_error;
    bool is_cut; /* the list was longer than this page ever makes it */
    bool has_error;
};

/* ---- reading --------------------------------------------------------------------------------- */

static int64_t parse_days(struct str text)
{
    uint64_t days;

    return str_parse_u64(text, PERMANENT_DAYS_MAX, &days) ? (int64_t)days : -1;
}

/* Addresses stand on lines of their own, or with spaces or commas between them. */
static struct str on_one_line(struct page_call *page, struct str text)
{
    char *copy = arena_alloc(page->call->exchange->arena, text.len + 1);

    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i];

        copy[i] = byte;
        if (byte == '\r' || byte == '\n' || byte == '\t')
            copy[i] = ' ';
    }
    return str_trim((struct str){ copy, text.len });
}

/* False: there is no room for it. */
static bool append_scope(struct token_form *form, struct str word)
{
    if (form->scopes.len + 1 + word.len > form->scopes.max_bytes)
        return false;
    if (form->scopes.len > 0)
        buffer_append_byte(&form->scopes, ' ');
    buffer_append_str(&form->scopes, word);
    return true;
}

/* An empty form that makes the token of this id, or, for 0, of a new one. */
static enum rc init_form(struct page_call *page, int64_t id, struct token_form *out_form)
{
    char *memory = arena_alloc(page->call->exchange->arena, SCOPE_BYTES_MAX);
    enum rc rc = RC_OK;

    if (id == 0)
        rc = permanent_draw_id(&page->call->oauth, &id);
    if (rc == RC_OK)
        *out_form = (struct token_form){ .id = id, .scopes = buffer_over(memory, SCOPE_BYTES_MAX) };
    return rc;
}

static enum rc read_form(struct page_call *page, struct token_form *out_form)
{
    struct str scopes = page_field(page, STR("scopes"));
    struct str word;
    int64_t id = 0;
    enum rc rc;

    if (!page_handle_open(page, form_kind, page_field(page, STR("form")), &id))
        id = 0;
    rc = init_form(page, id, out_form);
    if (rc != RC_OK)
        return rc;
    out_form->name = str_trim(page_field(page, STR("name")));
    out_form->word = str_trim(page_field(page, STR("scope")));
    out_form->addresses = page_field(page, STR("addresses"));
    out_form->days = parse_days(page_field(page, STR("lifetime")));
    while (str_next_word(&scopes, &word))
        if (!append_scope(out_form, word))
            out_form->is_cut = true;
    return RC_OK;
}

/* ---- showing --------------------------------------------------------------------------------- */

static void list_scopes(struct page_call *page, struct str words, struct page_token_new *values)
{
    struct page_token_new_scopes *scopes =
        arena_alloc(page->call->exchange->arena, SCOPE_WORD_COUNT_MAX * sizeof(*scopes));
    size_t count = 0;

    while (count < SCOPE_WORD_COUNT_MAX && str_next_word(&words, &scopes[count].scope)) {
        scopes[count].n = (int64_t)count + 1;
        count++;
    }
    values->scopes = scopes;
    values->scopes_count = count;
}

static enum rc list_offered(struct page_call *page, struct page_token_new *values)
{
    struct page_token_new_offered *offered =
        arena_alloc(page->call->exchange->arena, OFFERED_COUNT_MAX * sizeof(*offered));
    const struct str own_word = STR(PERMANENT_TOKENS_WORD);
    struct str words, word;
    size_t count = 0;
    enum rc rc = permanent_choices(&page->call->oauth, &words);

    if (rc != RC_OK)
        return rc;
    while (count < OFFERED_COUNT_MAX - 1 && str_next_word(&words, &word))
        if (!str_equal(word, own_word))
            offered[count++].scope = permanent_word_shown(word);
    offered[count++].scope = own_word;
    values->offered = offered;
    values->offered_count = count;
    return RC_OK;
}

/* 30, 90 and 365 days as far as the policy goes, what it allows at the most, and never. */
static void list_lifetimes(struct page_call *page, int64_t chosen, struct page_token_new *values)
{
    static const int64_t presets[] = { 30, 90, 365 };
    struct page_token_new_lifetimes *rows =
        arena_alloc(page->call->exchange->arena, (PRESET_COUNT_MAX + 1) * sizeof(*rows));
    int64_t days_max = page->call->web->permanent_days_max;
    size_t count = 0;

    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
        if (days_max == 0 || presets[i] < days_max)
            rows[count++].days = presets[i];
    rows[count++].days = days_max; /* 0: never */
    for (size_t i = 0; i < count; i++)
        rows[i].is_chosen = rows[i].days == chosen;
    values->lifetimes = rows;
    values->lifetimes_count = count;
}

static enum rc show_form(struct page_call *page, const struct token_form *form)
{
    struct page_token_new values = { .frame = &page->frame,
                                     .form = page_handle_seal(page, form_kind, form->id),
                                     .name = form->name,
                                     .scope = form->word,
                                     .scopes_text = buffer_str(&form->scopes),
                                     .addresses = form->addresses,
                                     .name_error = form->name_error,
                                     .scope_error = form->scope_error,
                                     .lifetime_error = form->lifetime_error,
                                     .addresses_error = form->addresses_error };
    enum rc rc = list_offered(page, &values);

    if (rc != RC_OK)
        return rc;
    list_scopes(page, buffer_str(&form->scopes), &values);
    list_lifetimes(page, form->days, &values);
    page_token_new_render(&values, page->language, page_begin(page, form->has_error ? 422 : 200));
    return RC_OK;
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static void add_error(struct page_call *page, struct token_form *form, enum permanent_field field,
                      struct page_words words)
{
    static const char *const ids[] = { [PERMANENT_NAME] = "token-name",
                                       [PERMANENT_SCOPE] = "token-scope",
                                       [PERMANENT_ADDRESSES] = "token-addresses",
                                       [PERMANENT_LIFETIME] = "token-lifetime" };
    struct page_words *const places[] = { [PERMANENT_NAME] = &form->name_error,
                                          [PERMANENT_SCOPE] = &form->scope_error,
                                          [PERMANENT_ADDRESSES] = &form->addresses_error,
                                          [PERMANENT_LIFETIME] = &form->lifetime_error };

    if (places[field]->text != PAGE_TEXT_NONE)
        return; /* one thing at a time for each field */
    *places[field] = words;
    form->has_error = true;
    page_add_error(page, ids[field], words);
}

static void add_fault(struct page_call *page, struct token_form *form,
                      const struct permanent_fault *fault)
{
    add_error(page, form, permanent_problem_field(fault->problem), token_fault_words(page, fault));
}

/* ---- acts ------------------------------------------------------------------------------------ */

/* "X" and "service_id=X" are the same. */
static bool has_scope(struct str scopes, struct str word)
{
    struct str one;

    while (str_next_word(&scopes, &one))
        if (str_equal(permanent_word_shown(one), permanent_word_shown(word)))
            return true;
    return false;
}

static bool is_full(const struct token_form *form)
{
    struct str rest = buffer_str(&form->scopes);
    struct str one;
    size_t count = 0;

    while (str_next_word(&rest, &one))
        count++;
    return count >= SCOPE_WORD_COUNT_MAX;
}

/* Answers: RC_OK in the list now · RC_REFUSED with the reason at the field */
static enum rc add_word(struct page_call *page, struct token_form *form, struct str word)
{
    struct permanent_fault fault;
    enum rc rc;

    if (has_scope(buffer_str(&form->scopes), word))
        return RC_OK;
    rc = permanent_check_word(&page->call->oauth, word, &fault);
    if (rc == RC_OK && (is_full(form) || !append_scope(form, word))) {
        fault = (struct permanent_fault){ .problem = PERMANENT_SCOPE_TOO_LONG };
        rc = RC_REFUSED;
    }
    if (rc == RC_REFUSED)
        add_fault(page, form, &fault);
    return rc;
}

/* Moves what stands in the field Scope to the list; what is refused stays there. */
static enum rc add_typed(struct page_call *page, struct token_form *form)
{
    struct str word;

    for (struct str rest = form->word; str_next_word(&rest, &word); form->word = str_trim(rest)) {
        enum rc rc = add_word(page, form, word);

        if (rc != RC_OK)
            return rc == RC_REFUSED ? RC_OK : rc;
    }
    return RC_OK;
}

static void remove_word(struct token_form *form, struct str word)
{
    size_t bytes = form->scopes.len;
    struct str rest = buffer_str(&form->scopes);
    struct str one;
    struct buffer kept = buffer_over(form->scopes.at, SCOPE_BYTES_MAX);

    /* In place: what is kept never gets ahead of what is read. */
    while (str_next_word(&rest, &one)) {
        if (str_equal(one, word))
            continue;
        if (kept.len > 0)
            kept.at[kept.len++] = ' ';
        memmove(kept.at + kept.len, one.at, one.len);
        kept.len += one.len;
    }
    ASSERT(kept.len <= bytes);
    form->scopes = kept;
}

/* Answers: RC_OK the answer is written, or the form has errors */
static enum rc make_token(struct page_call *page, struct token_form *form, bool *out_is_answered)
{
    const int64_t day_s = 24 * 3600;
    struct permanent_demand demand = { .id = form->id,
                                       .name = form->name,
                                       .scope = buffer_str(&form->scopes),
                                       .addresses = on_one_line(page, form->addresses),
                                       .lifetime_s = form->days * day_s };
    struct permanent permanent;
    struct permanent_fault fault;
    struct str value;
    enum rc rc =
        permanent_create(&page->call->oauth, &page->account, &demand,
                         page->call->web->permanent_days_max * day_s, &permanent, &value, &fault);

    if (rc == RC_REFUSED) {
        add_fault(page, form, &fault);
        return RC_OK;
    }
    if (rc != RC_OK && rc != RC_EXISTS)
        return rc;
    *out_is_answered = true;
    if (rc == RC_EXISTS) {
        page_redirect_notice(page, STR("/tokens"), page_say(PAGE_TEXT_TOKEN_MADE_ALREADY));
        return RC_OK;
    }
    token_log(page, &permanent);
    token_value_answer(page, &permanent, value, false);
    return RC_OK;
}

static enum rc create(struct page_call *page, struct token_form *form)
{
    bool is_answered = false;
    enum rc rc = add_typed(page, form);

    if (form->is_cut)
        add_error(page, form, PERMANENT_SCOPE, page_say(PAGE_TEXT_TOKEN_SCOPE_TOO_LONG));
    if (rc == RC_OK && form->days < 0)
        add_error(page, form, PERMANENT_LIFETIME, page_say(PAGE_TEXT_TOKEN_LIFETIME_MALFORMED));
    if (rc == RC_OK && !form->has_error)
        rc = make_token(page, form, &is_answered);
    return rc != RC_OK || is_answered ? rc : show_form(page, form);
}

/* A proof that is too old by now: the way back keeps what was typed, as far as a link can. */
static void ask_proof(struct page_call *page, const struct token_form *form)
{
    char memory[PAGE_PATH_BYTES_MAX];
    struct buffer link = buffer_over(memory, sizeof(memory));

    BUFFER_APPEND_LITERAL(&link, "/tokens/new?name=");
    uri_encode(form->name, &link);
    BUFFER_APPEND_LITERAL(&link, "&scope=");
    uri_encode(buffer_str(&form->scopes), &link);
    page_redirect(page, page_path_with_next(page, STR("/sign-in/again"),
                                            link.overflow ? STR("/tokens/new")
                                                          : page_next(buffer_str(&link))));
}

static enum rc answer_post(struct page_call *page)
{
    struct token_form form;
    struct str removed = page_field(page, STR("remove"));
    enum rc rc = read_form(page, &form);

    if (rc != RC_OK)
        return rc;
    if (browser_session_needs_proof(&page->session, page->call->oauth.now)) {
        ask_proof(page, &form);
        return RC_OK;
    }
    if (removed.len > 0) {
        remove_word(&form, removed);
        return show_form(page, &form);
    }
    if (str_equal(page_field(page, STR("act")), STR("create")))
        return create(page, &form);
    if (form.word.len == 0)
        add_error(page, &form, PERMANENT_SCOPE, page_say(PAGE_TEXT_TOKEN_SCOPE_EMPTY));
    rc = add_typed(page, &form);
    return rc == RC_OK ? show_form(page, &form) : rc;
}

/* A link may fill in the form: /tokens/new?name=NAME&scope=WORDS. It never makes anything. */
static enum rc answer_get(struct page_call *page)
{
    struct token_form form;
    enum rc rc = init_form(page, 0, &form);

    if (rc != RC_OK)
        return rc;
    form.name = str_trim(page_parameter(page, STR("name")));
    form.word = str_trim(page_parameter(page, STR("scope")));
    form.days = permanent_days_default(page->call->web->permanent_days_max);
    rc = add_typed(page, &form);
    return rc == RC_OK ? show_form(page, &form) : rc;
}

enum rc token_new_page(struct page_call *page)
{
    page->frame.at_tokens = true;
    if (!page_is_get(page))
        return answer_post(page);
    return page_require_proof(page) ? answer_get(page) : RC_OK;
}
