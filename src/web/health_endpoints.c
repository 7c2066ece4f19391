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

/* It can also do its work: a load balancer should send requests here. */
enum rc ready_endpoint(struct web_call *call)
{
    if (atomic_load(&call->web->is_draining))
        return answer_text(call, 503, STR("draining\n"));
    if (!oauth_is_ready(call->web->oauth))
        return answer_text(call, 503, STR("the store cannot be written\n"));
    return answer_text(call, 200, STR("ready\n"));
}
