#include "web/authorize_pages.h"

#include "codec/uri.h"
#include "web/consent_lists.h"

/* ---- the question ---------------------------------------------------------------------------- */

/* Where the browser goes afterwards, as people know places; a private-use scheme is its own. */
static struct str host_of(struct str redirect_uri)
{
    struct uri uri;

    if (uri_parse(redirect_uri, &uri) != RC_OK)
        return redirect_uri;
    return uri.host.len > 0 ? uri.host : uri.scheme;
}

static enum rc show_consent(struct page_call *page, const struct authorize_visit *visit)
{
    const struct authorization_request *request = &visit->request;
    const struct client *client = &request->client->client;
    const struct consent_lists *lists;
    struct page_consent values = {
        .frame = &page->frame,
        .client_name = consent_name_of(client),
        .client_id = client->client_id,
        .host = host_of(request->redirect_uri),
        .is_unsure = consent_is_unsure(client),
        .request = visit->asked_query,
        .username = page->account.name,
        .next = page_next(arena_format(page->call->exchange->arena, "/oauth2/authorize?%.*s",
                                       STR_ARGS(visit->query))),
    };
    enum rc rc = consent_lists_make(page, &request->metadata, request->consent_scope,
                                    request->details, &lists);

    if (rc != RC_OK)
        return rc;
    CONSENT_LISTS_SHOW(consent, page->call->exchange->arena, lists, &values);
    page_allow_form_to(page, request->redirect_uri);
    page_consent_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static enum rc allow(struct page_call *page, struct authorize_visit *visit, bool was_asked)
{
    struct authorize_parameter parameters[] = { { STR("code"), STR("") } };
    enum rc rc = authorization_allow(&page->call->oauth, &visit->request, &visit->person, was_asked,
                                     &parameters[0].value);

    if (rc == RC_OK)
        authorize_answer(page, &visit->request, parameters, 1);
    return rc;
}

/* ---- the way there --------------------------------------------------------------------------- */

enum { OTHER_PATHS_BYTES_MAX = 64 }; /* those that one is led to from there are a bit longer */

/* AZ-19: what would not come back. */
static enum rc refuse_long(struct page_call *page)
{
    struct authorize_visit here = { .request.client = NULL };
    enum rc rc = oauth_refuse(&page->call->oauth, OAUTH_INVALID_REQUEST,
                              "the request is too long, or has a character that is to be "
                              "percent-encoded: push it (RFC 9126)",
                              NULL);

    authorize_refuse(page, &here, false);
    return rc == RC_REFUSED ? RC_OK : rc;
}

/* A page where one signs in, and the way back, which is encoded there once more. */
static enum rc send_away(struct page_call *page, struct authorize_visit *visit, struct str path,
                         bool is_other)
{
    struct str asked = page_next(authorize_path_asked(page, visit));

    if (asked.len == 1)
        return refuse_long(page);
    path = page_path_with_next(page, path, asked);
    if (is_other)
        path = arena_format(page->call->exchange->arena, "%.*s&other=1", STR_ARGS(path));
    if (is_other && visit->request.login_hint.len > 0)
        path = page_path_with_hint(page, path, visit->request.login_hint);
    if (path.len > HTTP_TARGET_BYTES_MAX - OTHER_PATHS_BYTES_MAX)
        return refuse_long(page);
    page_redirect(page, path);
    return RC_OK;
}

static enum rc go_on(struct page_call *page, struct authorize_visit *visit,
                     enum authorization_step step)
{
    bool creates = (visit->request.prompt & PROMPT_CREATE) != 0;

    switch (step) {
    case STEP_NONE:
        return allow(page, visit, false);
    case STEP_CONSENT:
        return show_consent(page, visit);
    case STEP_SIGN_IN:
        return send_away(page, visit, creates ? STR("/register") : STR("/sign-in"), true);
    case STEP_SIGN_IN_AGAIN:
    case STEP_STEP_UP:
        break;
    }
    return send_away(page, visit, STR("/sign-in/again"), false);
}

/* A refusal is answered, whoever gets it. */
static enum rc close_visit(struct page_call *page, struct authorize_visit *visit, enum rc rc,
                           bool can_redirect)
{
    if (rc == RC_REFUSED) {
        authorize_refuse(page, visit, can_redirect);
        rc = RC_OK;
    }
    authorization_put(&visit->request);
    return rc;
}

enum rc authorize_page(struct page_call *page)
{
    struct authorize_visit *visit = arena_alloc(page->call->exchange->arena, sizeof(*visit));
    enum authorization_step step;
    bool can_redirect;
    enum rc rc;

    page->call->has_oauth = true;
    if (!page_is_get(page)) {
        page_come_by_get(page); /* OpenID Connect Core 3.1.2.1: by POST as well */
        return RC_OK;
    }
    rc = authorize_open(page, page->call->exchange->request.query, visit, &can_redirect);
    if (rc == RC_OK) {
        can_redirect = true;
        rc = authorization_next(&page->call->oauth, &visit->request, &visit->person, &step);
    }
    if (rc == RC_OK)
        rc = go_on(page, visit, step);
    return close_visit(page, visit, rc, can_redirect);
}

/* SE-04: the form carries the request, and its csrf field that it was shown in this browser to this
 * account; the request is judged anew, and must have come so far. */
enum rc consent_page(struct page_call *page)
{
    struct authorize_visit *visit = arena_alloc(page->call->exchange->arena, sizeof(*visit));
    bool is_allowed = str_equal(page_field(page, STR("answer")), STR("allow"));
    enum authorization_step step;
    bool can_redirect;
    enum rc rc = authorize_open(page, page_field(page, STR("request")), visit, &can_redirect);

    page->call->has_oauth = true;
    if (rc == RC_OK) {
        can_redirect = true;
        rc = authorization_next(&page->call->oauth, &visit->request, &visit->person, &step);
    }
    if (rc == RC_OK && (step == STEP_CONSENT || step == STEP_NONE))
        rc = is_allowed ? allow(page, visit, step == STEP_CONSENT)
                        : authorization_deny(&page->call->oauth, &visit->request, &visit->person);
    else if (rc == RC_OK)
        rc = go_on(page, visit, step);
    return close_visit(page, visit, rc, can_redirect);
}

enum rc pushed_request_endpoint(struct web_call *call)
{
    struct client_credentials credentials;
    enum rc rc = parameters_credentials(call, &credentials);

    call->has_oauth = true;
    if (rc == RC_OK)
        rc = pushed_request_answer(&call->oauth, &credentials, &call->form,
                                   &call->exchange->response.body);
    if (rc == RC_OK)
        answer_json(call->exchange, 201); /* RFC 9126 2.2 */
    return rc;
}
