#include "codec/qr.h"
#include "web/account_pages.h"
#include "web/page_mail.h"

enum { CODES_BYTES_MAX = RECOVERY_CODE_COUNT * (RECOVERY_CODE_TEXT_BYTES + 1) };

/* ---- a new app ------------------------------------------------------------------------------- */

/* The QR code as runs of black modules in each row. */
static enum rc fill_picture(struct page_call *page, struct str uri,
                            struct page_factor_totp_new *values)
{
    struct arena *arena = page->call->exchange->arena;
    struct page_factor_totp_new_qr_runs *runs;
    struct qr qr;
    size_t count = 0;
    enum rc rc = qr_encode(uri, arena, &qr);

    if (rc == RC_TOO_LARGE) /* then the key is to be typed */
        return RC_OK;
    if (rc != RC_OK)
        return rc;
    runs = arena_alloc(arena, qr.width * (qr.width / 2 + 1) * sizeof(*runs));
    for (size_t y = 0; y < qr.width; y++) {
        const bool *row = qr.is_black + y * qr.width;

        for (size_t x = 0; x < qr.width; x++) {
            if (!row[x])
                continue;
            if (x == 0 || !row[x - 1])
                runs[count++] =
                    (struct page_factor_totp_new_qr_runs){ .x = (int64_t)x + QR_QUIET_WIDTH,
                                                           .y = (int64_t)y + QR_QUIET_WIDTH };
            runs[count - 1].width++;
        }
    }
    explicit_bzero((void *)(uintptr_t)qr.is_black, qr.width * qr.width * sizeof(*qr.is_black));
    values->qr_size = (int64_t)qr.width + (int64_t)(2 * QR_QUIET_WIDTH);
    values->qr_runs = runs;
    values->qr_runs_count = count;
    return RC_OK;
}

/* What an app shows above the name: the issuer's host. */
static struct str issuer_title(const struct page_call *page)
{
    struct str rest = page->call->web->root;
    size_t at = str_index_of(rest, '/');

    return at + 2 <= rest.len ? str_from(rest, at + 2) : rest;
}

/* The page is written: what else holds the key, as letters or as a picture, has done its work. */
static void wipe(struct buffer *uri, struct secret *key, struct page_factor_totp_new *values)
{
    explicit_bzero(uri->at, uri->len);
    secret_cleanup(key);
    if (values->qr_runs_count > 0)
        explicit_bzero((void *)(uintptr_t)values->qr_runs,
                       values->qr_runs_count * sizeof(*values->qr_runs));
}

static enum rc show_enrolment(struct page_call *page, int status,
                              struct page_factor_totp_new *values)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct buffer uri =
        buffer_over(arena_alloc(oauth->arena, FACTOR_URI_BYTES_MAX), FACTOR_URI_BYTES_MAX);
    struct secret *key = arena_alloc(oauth->arena, sizeof(*key));
    char key_bytes[FACTOR_KEY_TEXT_BYTES];
    struct buffer key_text = buffer_over(key_bytes, sizeof(key_bytes));
    enum rc rc;

    rc = factor_show_draft(&oauth->oauth->door->factor_keys, &page->account, issuer_title(page),
                           values->enrolment, oauth->now, &uri, &key_text);
    if (rc != RC_OK)
        return rc;
    rc = secret_set(key, buffer_str(&key_text));
    explicit_bzero(key_bytes, sizeof(key_bytes));
    if (rc == RC_OK && !uri.overflow)
        rc = fill_picture(page, buffer_str(&uri), values);
    if (rc != RC_OK)
        return rc_is_fault(rc) ? rc : RC_SYSTEM;
    values->key = key;
    values->frame = &page->frame;
    page->frame.at_account = true;
    page_factor_totp_new_render(values, page->language, page_begin(page, status));
    wipe(&uri, key, values);
    return RC_OK;
}

static enum rc begin_enrolment(struct page_call *page, int status)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct buffer enrolment = buffer_over(arena_alloc(oauth->arena, FACTOR_ENROLMENT_BYTES_MAX),
                                          FACTOR_ENROLMENT_BYTES_MAX);
    struct page_factor_totp_new values = { .name = page_field(page, STR("name")) };
    enum rc rc =
        factor_draft_totp(&oauth->oauth->door->factor_keys, &page->account, oauth->now, &enrolment);

    if (rc != RC_OK)
        return rc;
    values.enrolment = buffer_str(&enrolment);
    rc = show_enrolment(page, status, &values);
    return rc == RC_NOT_FOUND ? RC_SYSTEM : rc;
}

/* With a factor comes the question what to do when it is lost. */
static enum rc answer_added(struct page_call *page, struct str name)
{
    const struct page_words words = { .text = PAGE_TEXT_FACTOR_ADDED, .value = name };
    size_t code_count;
    enum rc rc =
        profile_count_recovery_codes(page->call->oauth.oauth->store, page->account.id, &code_count);

    if (rc == RC_OK)
        page_redirect_notice(
            page, code_count > 0 ? STR("/account") : STR("/account/recovery-codes"), words);
    return rc;
}

static enum rc refuse_enrolment(struct page_call *page, struct page_factor_totp_new *values,
                                enum rc rc)
{
    if (rc == RC_EXISTS) {
        page_add_error(
            page, "",
            (struct page_words){ .text = PAGE_TEXT_FACTORS_TOO_MANY, .number = FACTOR_COUNT_MAX });
    } else if (rc == RC_REFUSED) {
        values->code_error = page_say(PAGE_TEXT_CODE_WRONG);
        page_add_error(page, "code", values->code_error);
    }
    rc = rc == RC_NOT_FOUND ? RC_NOT_FOUND : show_enrolment(page, 400, values);
    if (rc != RC_NOT_FOUND)
        return rc;
    page_add_error(page, "", page_say(PAGE_TEXT_FACTOR_EXPIRED));
    return begin_enrolment(page, 400);
}

/* Those of Spectrum too, which rest on a sign-in as a browser's does (SE-06). */
static enum rc end_other_sessions(struct page_call *page)
{
    const struct browser browser = page_browser(page);

    return logout_account(&page->call->oauth, &browser, page->account.id, page->session.id,
                          STR("all other sessions, by a change of the second factors"));
}

static enum rc confirm_enrolment(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct page_factor_totp_new values = { .name = str_trim(page_field(page, STR("name"))),
                                           .enrolment = page_field(page, STR("enrolment")) };
    struct factor_confirmation confirmation = { .account_id = page->account.id,
                                                .session_id = page->session.id,
                                                .enrolment = values.enrolment,
                                                .name = values.name,
                                                .address = page_browser(page).address,
                                                .code = page_field(page, STR("code")) };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc;

    values.name_error = page_name_fault(values.name, FACTOR_NAME_BYTES_MAX);
    if (values.name_error.text != PAGE_TEXT_NONE) {
        page_add_error(page, "factor-name", values.name_error);
        return refuse_enrolment(page, &values, RC_INVALID);
    }
    if (confirmation.name.len == 0)
        confirmation.name = STR("TOTP");
    rc = page_tell(page, &page->account, NEWS_FACTOR_ADDED, confirmation.name, &letter);
    confirmation.notice = letter.row;
    if (rc == RC_OK)
        rc = factor_confirm_totp(&oauth->oauth->door->factor_keys, oauth->oauth->store,
                                 &confirmation, oauth->now);
    if (rc == RC_OK)
        rc = end_other_sessions(page);
    if (rc_is_fault(rc))
        return rc;
    return rc == RC_OK ? answer_added(page, confirmation.name)
                       : refuse_enrolment(page, &values, rc);
}

enum rc factor_new_page(struct page_call *page)
{
    return page_is_get(page) ? begin_enrolment(page, 200) : confirm_enrolment(page);
}

/* ---- one that is there ----------------------------------------------------------------------- */

/* The factor that the path names, and how many there are; RC_NOT_FOUND. */
static enum rc find_factor(struct page_call *page, struct factor *out_factor, size_t *out_count)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct factor rows[FACTOR_COUNT_MAX];
    int64_t id;
    enum rc rc;

    if (!page_handle_open(page, "factor", page->call->rest, &id))
        return RC_NOT_FOUND;
    rc = profile_list_factors(oauth->oauth->store, page->account.id, oauth->arena, rows, out_count);
    for (size_t i = 0; rc == RC_OK && i < *out_count; i++) {
        if (rows[i].id == id) {
            *out_factor = rows[i];
            return RC_OK;
        }
    }
    return rc == RC_OK ? RC_NOT_FOUND : rc;
}

static enum rc answer_missing(struct page_call *page, enum rc rc)
{
    if (rc != RC_NOT_FOUND)
        return rc;
    page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
    return RC_OK;
}

static enum rc show_rename(struct page_call *page, int status, struct page_factor_rename *values)
{
    values->frame = &page->frame;
    values->id = page->call->rest;
    page->frame.at_account = true;
    page_factor_rename_render(values, page->language, page_begin(page, status));
    return RC_OK;
}

enum rc factor_rename_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct page_factor_rename values = { .name = str_trim(page_field(page, STR("name"))) };
    struct factor factor;
    size_t count;
    enum rc rc = find_factor(page, &factor, &count);

    if (rc != RC_OK)
        return answer_missing(page, rc);
    if (page_is_get(page)) {
        values.name = factor.name;
        return show_rename(page, 200, &values);
    }
    values.name_error = values.name.len == 0 ? page_say(PAGE_TEXT_NAME_MISSING)
                                             : page_name_fault(values.name, FACTOR_NAME_BYTES_MAX);
    if (values.name_error.text != PAGE_TEXT_NONE) {
        page_add_error(page, "factor-name", values.name_error);
        return show_rename(page, 400, &values);
    }
    rc = factor_rename(oauth->oauth->store, page->account.id, factor.id, values.name,
                       page_browser(page).address, oauth->now);
    if (rc != RC_OK)
        return answer_missing(page, rc);
    page_redirect_notice(
        page, STR("/account"),
        (struct page_words){ .text = PAGE_TEXT_FACTOR_RENAMED, .value = values.name });
    return RC_OK;
}

static enum rc ask_remove(struct page_call *page, int status, const struct factor *factor,
                          bool is_last, struct page_words password_error)
{
    const struct password_owner alone = { .has_second_factor = false };
    const struct page_factor_remove values = { .frame = &page->frame,
                                               .id = page->call->rest,
                                               .name = factor->name,
                                               .is_last = is_last,
                                               .password_error = password_error,
                                               .password_min =
                                                   (int64_t)password_characters_min(&alone) };

    if (password_error.text != PAGE_TEXT_NONE)
        page_add_error(page, "password", password_error);
    page->frame.at_account = true;
    page_factor_remove_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

static enum rc answer_last(struct page_call *page, const struct factor *factor,
                           const struct factor_removal_result *result)
{
    const struct password_owner alone = { .has_second_factor = false };
    const struct page_words too_short = { .text = PAGE_TEXT_PASSWORD_SHORT_ALONE,
                                          .number = (int64_t)password_characters_min(&alone) };

    if (result->verdict == SIGN_IN_WAIT) {
        page_add_wait(page, result->wait_s);
        return ask_remove(page, 429, factor, true, page_say(PAGE_TEXT_NONE));
    }
    if (result->verdict != SIGN_IN_OK) {
        page_log_refusal(page, result->why);
        return ask_remove(page, 403, factor, true, page_say(PAGE_TEXT_PASSWORD_WRONG));
    }
    return ask_remove(page, 409, factor, true, too_short);
}

/* Answers: RC_OK · RC_NOT_FOUND · RC_REFUSED the answer is written.  RC_NEEDS_HASH */
static enum rc remove_last(struct page_call *page, const struct factor *factor,
                           const struct factor_removal *removal)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    const struct secret *password = page_secret(page, STR("password"));
    const struct page_words too_long = { .text = PAGE_TEXT_PASSWORD_LONG,
                                         .number = SECRET_BYTES_MAX };
    struct factor_removal_result result;
    enum rc rc;

    if (!oauth->may_hash)
        return RC_NEEDS_HASH;
    if (password == NULL) {
        rc = ask_remove(page, 400, factor, true, too_long);
        return rc == RC_OK ? RC_REFUSED : rc;
    }
    oauth->log_username = page->account.name;
    rc = profile_remove_last_factor(oauth->oauth->door, &browser, &page->account, password, removal,
                                    oauth->arena, &result);
    if (rc != RC_OK || (result.verdict == SIGN_IN_OK && !result.is_password_short))
        return rc;
    rc = answer_last(page, factor, &result);
    return rc == RC_OK ? RC_REFUSED : rc;
}

static enum rc do_remove(struct page_call *page, const struct factor *factor, bool is_last)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct factor_removal removal = { .account_id = page->account.id,
                                      .factor_id = factor->id,
                                      .address = page_browser(page).address,
                                      .session_id = page->session.id };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = page_tell(page, &page->account, NEWS_FACTOR_REMOVED, factor->name, &letter);

    removal.notice = letter.row;
    if (rc == RC_OK)
        rc = is_last ? remove_last(page, factor, &removal)
                     : factor_remove(oauth->oauth->store, &removal, oauth->now);
    if (rc == RC_OK)
        rc = end_other_sessions(page);
    if (rc == RC_OK)
        page_redirect_notice(
            page, STR("/account"),
            (struct page_words){ .text = PAGE_TEXT_FACTOR_REMOVED, .value = factor->name });
    if (rc == RC_NOT_FOUND)
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
    return rc == RC_REFUSED || rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc factor_remove_page(struct page_call *page)
{
    struct factor factor;
    size_t count;
    enum rc rc = find_factor(page, &factor, &count);

    if (rc != RC_OK)
        return answer_missing(page, rc);
    return page_is_get(page) ? ask_remove(page, 200, &factor, count == 1, page_say(PAGE_TEXT_NONE))
                             : do_remove(page, &factor, count == 1);
}

/* ---- recovery codes -------------------------------------------------------------------------- */

static enum rc show_codes(struct page_call *page, const struct page_recovery_codes_codes *codes,
                          size_t count)
{
    struct page_recovery_codes values = { .frame = &page->frame,
                                          .codes = codes,
                                          .codes_count = count,
                                          .code_count = RECOVERY_CODE_COUNT };

    page->frame.at_account = true;
    page_recovery_codes_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

static enum rc make_codes(struct page_call *page, struct buffer *out_lines)
{
    const struct oauth *oauth = page->call->oauth.oauth;
    struct act_note note = { .detail = STR("recovery codes, by their owner"),
                             .address = page_browser(page).address,
                             .now = page->call->oauth.now };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = page_tell(page, &page->account, NEWS_RECOVERY_CODES, STR(""), &letter);

    note.notice = letter.row;
    return rc == RC_OK ? factor_make_recovery_codes(&oauth->door->factor_keys, oauth->store,
                                                    page->account.id, &note, out_lines)
                       : rc;
}

enum rc recovery_codes_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct page_recovery_codes_codes codes[RECOVERY_CODE_COUNT];
    struct buffer lines = buffer_over(arena_alloc(oauth->arena, CODES_BYTES_MAX), CODES_BYTES_MAX);
    struct str rest;
    enum rc rc;

    if (!page->account.has_second_factor) { /* they replace one, and nothing else */
        page_redirect(page, STR("/account"));
        return RC_OK;
    }
    if (page_is_get(page))
        return show_codes(page, NULL, 0);
    rc = make_codes(page, &lines);
    rest = buffer_str(&lines);
    for (size_t i = 0; rc == RC_OK && i < RECOVERY_CODE_COUNT; i++) {
        struct secret *code = arena_alloc(oauth->arena, sizeof(*code));

        rc = secret_set(code, (struct str){ rest.at, RECOVERY_CODE_TEXT_BYTES });
        codes[i].code = code;
        rest = str_from(rest, RECOVERY_CODE_TEXT_BYTES + 1);
    }
    return rc == RC_OK ? show_codes(page, codes, RECOVERY_CODE_COUNT) : rc;
}
