#include "web/endpoint.h"

static enum rc answer_text(struct web_call *call, int status, struct str text)
{
    call->exchange->response.status = status;
    http_add_header(call->exchange, STR("Content-Type"), STR("text/plain; charset=utf-8"));
    buffer_append_str(&call->exchange->response.body, text);
    return RC_OK;
}

/* The process runs and its loop turns. */
enum rc live_endpoint(struct web_call *call)
{
    return answer_text(call, 200, STR("ok\n"));
}

/* For whoever looks at a load balancer and asks why. */
static const char *const hindrances[] = {
    [OAUTH_READY] = NULL,
    [OAUTH_STORE_NOT_WRITABLE] = "store_not_writable",
    [OAUTH_FEED_BEHIND] = "feed_behind",
    [OAUTH_CLOCK_OFF] = "clock_off",
};

/* It can also do its work: a load balancer should send requests here. */
enum rc ready_endpoint(struct web_call *call)
{
    struct buffer *body = &call->exchange->response.body;
    const char *hindrance = atomic_load(&call->web->is_draining)
                                ? "draining"
                                : hindrances[oauth_check_ready(call->web->oauth)];

    call->exchange->response.status = hindrance == NULL ? 200 : 503;
    http_add_header(call->exchange, STR("Content-Type"), STR("application/json"));
    if (hindrance == NULL)
        buffer_append_str(body, STR("{\"ready\":true}\n"));
    else
        buffer_append_format(body, "{\"ready\":false,\"reason\":\"%s\"}\n", hindrance);
    return RC_OK;
}
