#include "oauth/introspection.h"
#include "oauth/revocation.h"
#include "web/endpoint.h"

enum rc introspection_endpoint(struct web_call *call)
{
    struct client_credentials credentials;
    enum rc rc = parameters_credentials(call, &credentials);

    if (rc == RC_OK)
        rc = introspection_answer(&call->oauth, &credentials, parameters_find(call, STR("token")),
                                  &call->exchange->response.body);
    if (rc == RC_OK)
        answer_json(call->exchange, 200);
    return rc;
}
