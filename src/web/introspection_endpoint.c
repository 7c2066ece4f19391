#include <arpa/inet.h>

#include "oauth/introspection.h"
#include "web/endpoint.h"

/* As struct http_address has it. */
static bool parse_address(struct str text, unsigned char out_bytes[static 16])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    char copy[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(copy) || str_has_control(text))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, out_bytes + sizeof(mapped)) == 1) {
        memcpy(out_bytes, mapped, sizeof(mapped));
        return true;
    }
    return inet_pton(AF_INET6, copy, out_bytes) == 1;
}

/* RFC 7662 2.1: the protected resource may tell of the context in which it was sent the token. */
static enum rc read_presented(struct web_call *call, unsigned char address[static 16],
                              struct token_presented *out_presented)
{
    const struct str *token = parameters_find(call, STR("token"));
    const struct str *session = parameters_find(call, STR("session"));
    const struct str *client_address = parameters_find(call, STR("client_address"));

    if (client_address != NULL && !parse_address(*client_address, address))
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST, "client_address is no IP address",
                            NULL);
    *out_presented = (struct token_presented){ .value = token == NULL ? STR("") : *token,
                                               .session = session == NULL ? STR("") : *session,
                                               .address = client_address == NULL ? NULL : address };
    return RC_OK;
}

enum rc introspection_endpoint(struct web_call *call)
{
    struct client_credentials credentials;
    struct token_presented presented;
    unsigned char address[16];
    bool has_token = parameters_find(call, STR("token")) != NULL;
    enum rc rc = parameters_credentials(call, &credentials);

    if (rc == RC_OK)
        rc = read_presented(call, address, &presented);
    if (rc == RC_OK)
        rc = introspection_answer(&call->oauth, &credentials, has_token ? &presented : NULL,
                                  &call->exchange->response.body);
    if (rc == RC_OK)
        answer_json(call->exchange, 200);
    return rc;
}
