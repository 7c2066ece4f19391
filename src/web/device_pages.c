#include "web/device_pages.h"

#include "oauth/device.h"
#include "web/account_pages.h"
#include "web/consent_lists.h"
#include "web/sign_in_pages.h"

/*
 * A code may come in the address (verification_uri_complete) or be typed. Either way the page shows
 * whose it is and what for, and nothing is allowed before a click (RFC 8628 3.3.1, 5.4; DV-05). The
 * click names the request by a handle that only the page before could give, so that it is no guess.
 */

enum rc device_authorization_endpoint(struct web_call *call)
{
    struct client_credentials credentials;
    enum rc rc = parameters_credentials(call, &credentials);

    call->has_oauth = true;
    if (rc == RC_OK)
        rc = device_request_answer(&call->oauth, &credentials, &call->form,
                                   &call->exchange->response.body);
    if (rc == RC_OK)
        answer_json(call->exchange, 200);
    return rc;
}

/* ---- typing the code ------------------------------------------------------------------------- */

static enum rc show_form(struct page_call *page, int status, struct str typed,
                         struct page_words error)
{
    const struct page_device values = { .frame = &page->frame,
                                        .user_code = typed,
                                        .user_code_error = error };

    if (error.text != PAGE_TEXT_NONE)
        page_add_error(page, "user-code", error);
    page_device_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

/* One that was answered, has expired or never was: all the same to whoever guesses. */
static enum rc show_wrong(struct page_call *page, struct str typed)
{
    return show_form(page, 404, typed, page_say(PAGE_TEXT_DEVICE_CODE_WRONG));
}

/* ---- the question ---------------------------------------------------------------------------- */

static enum rc show_question(struct page_call *page, const struct device *device)
{
    const struct client *client = &device->client->client;
    const struct consent_lists *lists;
    struct page_device_confirm values = {
        .frame = &page->frame,
        .client_name = consent_name_of(client),
        .client_id = client->client_id,
        .is_unsure = consent_is_unsure(client),
        .user_code = { device->user_code, sizeof(device->user_code) },
        .request = page_handle_seal(page, "device", device->request.id),
        .username = page->account.name,
    };
    enum rc rc = consent_lists_make(page, &device->metadata, device->request.scope,
                                    device->request.details, &lists);

    if (rc != RC_OK)
        return rc;
    CONSENT_LISTS_SHOW(device_confirm, page->call->exchange->arena, lists, &values);
    page_device_confirm_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

static enum rc ask(struct page_call *page, struct str typed)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct device device;
    enum rc rc = device_find(oauth, &page->account, typed, &device);

    if (rc == RC_REFUSED) { /* DV-02 */
        page_log_refusal(page, "too many user codes");
        page_add_wait(page, oauth->refusal.retry_after_s);
        return show_form(page, 429, typed, page_say(PAGE_TEXT_NONE));
    }
    if (rc == RC_NOT_FOUND) {
        page_log_refusal(page, "no such user code");
        return show_wrong(page, typed);
    }
    if (rc != RC_OK)
        return rc;
    rc = show_question(page, &device);
    device_put(&device);
    return rc;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void show_done(struct page_call *page, bool is_allowed)
{
    const struct page_message values = {
        .frame = &page->frame,
        .title =
            page_say(is_allowed ? PAGE_TEXT_DEVICE_ALLOWED_TITLE : PAGE_TEXT_DEVICE_DENIED_TITLE),
        .text = page_say(is_allowed ? PAGE_TEXT_DEVICE_ALLOWED_TEXT : PAGE_TEXT_DEVICE_DENIED_TEXT),
        .onward = STR("applications"),
    };

    page_message_render(&values, page->language, page_begin(page, 200));
}

static enum rc take_answer(struct page_call *page, int64_t id, struct str user_code,
                           bool is_allowed)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct authorization_person person = { .account = &page->account,
                                                 .session = &page->session };
    struct device device;
    enum rc rc = device_find_again(oauth, id, user_code, &device);

    if (rc == RC_OK) {
        rc = is_allowed ? device_allow(oauth, &device, &person)
                        : device_deny(oauth, &device, &person);
        device_put(&device);
    }
    if (rc == RC_NOT_FOUND)
        return show_wrong(page, user_code);
    if (rc == RC_OK)
        show_done(page, is_allowed);
    return rc;
}

enum rc device_page(struct page_call *page)
{
    struct str typed = str_trim(page_is_get(page) ? page_parameter(page, STR("user_code"))
                                                  : page_field(page, STR("user_code")));
    struct str answer = page_field(page, STR("answer"));
    int64_t id;

    page->call->has_oauth = true;
    if (!page_is_get(page) && answer.len > 0) {
        if (!page_handle_open(page, "device", page_field(page, STR("request")), &id))
            return show_wrong(page, typed);
        return take_answer(page, id, typed, str_equal(answer, STR("allow")));
    }
    if (typed.len > 0)
        return ask(page, typed);
    return page_is_get(page) ? show_form(page, 200, typed, page_say(PAGE_TEXT_NONE))
                             : show_form(page, 400, typed, page_say(PAGE_TEXT_DEVICE_CODE_MISSING));
}
