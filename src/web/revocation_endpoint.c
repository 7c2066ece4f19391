#include "oauth/revocation.h"
#include "web/endpoint.h"

/* A token is as long as a JWT may be, which a struct secret is not: the arena keeps it instead. */
enum rc revocation_endpoint(struct web_call *call)
{
    struct client_credentials credentials;
    enum rc rc = parameters_credentials(call, &credentials);

    call->has_oauth = true;
    if (rc == RC_OK)
        rc = revocation_answer(&call->oauth, &credentials, parameters_find(call, STR("token")));
    if (rc == RC_OK)
        call->exchange->response.status = 200;
    return rc;
}
