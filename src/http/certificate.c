#include "http/certificate.h"

#include "codec/client_cert.h"
#include "crypto/tls.h"
#include "http/listener.h"

/* Two headers say nothing. */
static bool read_header(const struct http_config *config, const struct http_request *request,
                        struct buffer *der)
{
    const struct http_header *header = http_find_header(request, config->certificate_header);

    return header != NULL && http_count_headers(request, config->certificate_header) == 1 &&
           client_cert_parse(header->value, der) == RC_OK;
}

void certificate_resolve(const struct http_config *config, const struct connection *connection,
                         struct http_request *request)
{
    struct buffer der =
        buffer_over(connection->exchange->certificate_memory, CERTIFICATE_BYTES_MAX);

    request->is_certificate_trusted = false;
    if (config->certificate_header.len > 0 && request->is_from_trusted_proxy)
        request->has_certificate = read_header(config, request, &der);
    else
        request->has_certificate =
            connection->listener->asks_certificate &&
            tls_stream_certificate(connection->tls, &der, &request->is_certificate_trusted) ==
                RC_OK;
    request->certificate = request->has_certificate ? buffer_str(&der) : (struct str){ NULL, 0 };
}
