#include <arpa/inet.h>

#include "oauth/introspection.h"
#include "web/endpoint.h"

#define INTROSPECTION_JWT "application/token-introspection+jwt"

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

/* RFC 9701 4: who asks for a JWT names its media type; a weight of 0 is a no (RFC 9110 12.5.1). */
static bool wants_jwt(const struct http_request *request)
{
    const struct http_header *accept = http_find_header(request, STR("accept"));
    struct str rest = accept == NULL ? STR("") : accept->value;

    while (rest.len > 0) {
        size_t comma = str_index_of(rest, ',');
        struct str item = { rest.at, comma };
        size_t semicolon = str_index_of(item, ';');
        struct str weight =
            str_trim(semicolon < item.len ? str_from(item, semicolon + 1) : STR(""));

        if (str_equal_nocase(str_trim((struct str){ item.at, semicolon }),
                             STR(INTROSPECTION_JWT)) &&
            !str_equal_nocase(weight, STR("q=0")))
            return true;
        rest = comma < rest.len ? str_from(rest, comma + 1) : STR("");
    }
    return false;
}

static void answer_jwt(struct http_exchange *exchange)
{
    exchange->response.status = 200;
    http_add_header_lines(exchange, STR("Content-Type: " INTROSPECTION_JWT "\r\n"
                                        "X-Content-Type-Options: nosniff\r\n"));
}

enum rc introspection_endpoint(struct web_call *call)
{
    bool is_signed = wants_jwt(&call->exchange->request);
    struct buffer *body = &call->exchange->response.body;
    struct client_credentials credentials;
    struct token_presented presented;
    unsigned char address[16];
    bool has_token = parameters_find(call, STR("token")) != NULL;
    enum rc rc = parameters_credentials(call, &credentials);

    if (rc == RC_OK)
        rc = read_presented(call, address, &presented);
    if (rc != RC_OK)
        return rc;
    if (is_signed)
        rc = introspection_answer_signed(&call->oauth, &credentials, has_token ? &presented : NULL,
                                         body);
    else
        rc = introspection_answer(&call->oauth, &credentials, has_token ? &presented : NULL, body);
    if (rc == RC_OK && is_signed)
        answer_jwt(call->exchange);
    else if (rc == RC_OK)
        answer_json(call->exchange, 200);
    return rc;
}
