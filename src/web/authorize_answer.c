#include "base/log.h"
#include "codec/uri.h"
#include "web/authorize_pages.h"

/* A redirect URI and parameters, percent-encoded, at their longest; the code, the error's words and
 * the issuer are short. */
enum {
    LOCATION_BYTES_MAX = REDIRECT_URI_BYTES_MAX + 3 * STATE_BYTES_MAX + 3 * 1024,
    PARAMETER_COUNT_MAX = 8
};

_Static_assert((int)LOCATION_BYTES_MAX + 2048 <= (int)HTTP_ANSWER_HEADER_BYTES_MAX,
               "it fits beside the other headers of a page");

static void redirect_to_client(struct page_call *page, const struct authorization_request *request,
                               const struct authorize_parameter *parameters, size_t count)
{
    char *memory = arena_alloc(page->call->exchange->arena, LOCATION_BYTES_MAX);
    struct buffer location = buffer_over(memory, LOCATION_BYTES_MAX);
    bool has_query = str_index_of(request->redirect_uri, '?') < request->redirect_uri.len;

    buffer_append_str(&location, request->redirect_uri);
    for (size_t i = 0; i < count; i++) {
        buffer_append_byte(&location, has_query ? '&' : '?'); /* RFC 6749 3.1.2 */
        buffer_append_str(&location, parameters[i].name);
        buffer_append_byte(&location, '=');
        uri_encode(parameters[i].value, &location);
        has_query = true;
    }
    ASSERT(!location.overflow);
    page_redirect_out(page, buffer_str(&location));
}

/* OAuth 2.0 Form Post Response Mode 2: the script sends the form; without scripts its button does.
 */
static void post_to_client(struct page_call *page, const struct authorization_request *request,
                           const struct authorize_parameter *parameters, size_t count)
{
    struct page_form_post_parameters fields[PARAMETER_COUNT_MAX];
    const struct page_form_post values = { .frame = &page->frame,
                                           .client_uri = request->redirect_uri,
                                           .parameters = fields,
                                           .parameters_count = count };

    for (size_t i = 0; i < count; i++)
        fields[i] = (struct page_form_post_parameters){ .name = parameters[i].name,
                                                        .value = parameters[i].value };
    page_allow_form_to(page, request->redirect_uri);
    page_form_post_render(&values, page->language, page_begin(page, 200));
}

void authorize_answer(struct page_call *page, const struct authorization_request *request,
                      const struct authorize_parameter *parameters, size_t count)
{
    const struct str issuer = page->call->oauth.oauth->issuer;
    struct authorize_parameter all[PARAMETER_COUNT_MAX];
    size_t all_count = 0;

    ASSERT(count + 2 <= PARAMETER_COUNT_MAX);
    for (size_t i = 0; i < count; i++)
        if (parameters[i].value.len > 0)
            all[all_count++] = parameters[i];
    if (request->state.len > 0) /* RFC 6749 4.1.2 */
        all[all_count++] = (struct authorize_parameter){ STR("state"), request->state };
    all[all_count++] = (struct authorize_parameter){ STR("iss"), issuer }; /* RFC 9207 2 */
    if (request->mode == RESPONSE_FORM_POST)
        post_to_client(page, request, all, all_count);
    else
        redirect_to_client(page, request, all, all_count);
}

/* As every refusal is logged; the page's request id leads here. */
static void log_refused(struct page_call *page)
{
    const struct http_request *request = &page->call->exchange->request;
    const struct oauth_call *oauth = &page->call->oauth;
    char address[HTTP_ADDRESS_TEXT_BYTES];

    page->call->has_oauth = false; /* and not as a success */
    log_event(LOG_INFO, "refused", LOG_TEXT("request_id", request->id),
              LOG_TEXT("endpoint", page->call->endpoint->name),
              LOG_STR("address", http_address_format(&request->client, address)),
              LOG_STR("client_id", oauth->log_client_id), LOG_STR("username", oauth->log_username),
              LOG_STR("error", oauth_error_wire(oauth->refusal.error)),
              LOG_STR("description", oauth->refusal.description),
              LOG_TEXT("why", oauth->refusal.log_detail == NULL ? "" : oauth->refusal.log_detail));
}

void authorize_refuse(struct page_call *page, const struct authorize_visit *visit,
                      bool can_redirect)
{
    const struct refusal *refusal = &page->call->oauth.refusal;
    const struct authorize_parameter parameters[] = {
        { STR("error"), oauth_error_wire(refusal->error) },
        { STR("error_description"), refusal->description },
    };
    struct page_authorize_error values = { .frame = &page->frame,
                                           .error = parameters[0].value,
                                           .description = refusal->description,
                                           .request_id = str_of(page->call->exchange->request.id) };

    log_refused(page);
    if (can_redirect) /* RFC 6749 4.1.2.1 */
        authorize_answer(page, &visit->request, parameters, 2);
    else /* AZ-04: nobody is sent to a place that is in doubt */
        page_authorize_error_render(&values, page->language, page_begin(page, 400));
}
