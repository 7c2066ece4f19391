#include "fetch/https.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "codec/uri.h"

enum {
    CONNECT_TIMEOUT_MS = 3000,
    HEADER_BYTES_MAX = 32 * 1024,
    TOO_MANY_REQUESTS = 429,
    REQUEST_TIMEOUT = 408
};

/* A request on its way. */
struct exchange {
    const struct https_setup *setup;
    struct buffer content;
    size_t header_bytes;
    bool is_closed_off; /* every address of the name was one that may not be asked */
};

static size_t take_content(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;

    buffer_append(&exchange->content, bytes, size * count);
    return exchange->content.overflow ? 0 : size * count;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;

    (void)bytes;
    exchange->header_bytes += size * count;
    return exchange->header_bytes > HEADER_BYTES_MAX ? 0 : size * count;
}

/* The bytes of an address as codec/network.h has them; false for another family. */
static bool read_address(const struct curl_sockaddr *from,
                         unsigned char out_bytes[static NETWORK_ADDRESS_BYTES])
{
    if (from->family == AF_INET6) {
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)(const void *)&from->addr;

        memcpy(out_bytes, &address->sin6_addr, NETWORK_ADDRESS_BYTES);
        return true;
    }
    if (from->family == AF_INET) {
        const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)&from->addr;

        memset(out_bytes, 0, 10);
        memset(out_bytes + 10, 0xff, 2);
        memcpy(out_bytes + 12, &address->sin_addr, 4);
        return true;
    }
    return false;
}

/* HT-08: the very address that would be connected to. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct exchange *exchange = context;
    unsigned char address[NETWORK_ADDRESS_BYTES];

    if (purpose != CURLSOCKTYPE_IPCXN || !read_address(to, address) ||
        !reach_allows(&exchange->setup->reach, address)) {
        exchange->is_closed_off = true;
        return CURL_SOCKET_BAD;
    }
    exchange->is_closed_off = false;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

#define SET(option, value) is_set = is_set && curl_easy_setopt(curl, option, value) == CURLE_OK

static bool set_guards(CURL *curl, const struct https_setup *setup, struct exchange *exchange)
{
    bool is_set = true;

    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long)FETCH_DOCUMENT_TIMEOUT_MS);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (setup->ca_file != NULL)
        SET(CURLOPT_CAINFO, setup->ca_file); /* CURLOPT_CAPATH stays the system's */
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, exchange);
    SET(CURLOPT_WRITEFUNCTION, take_content);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, exchange);
    return is_set;
}

static bool set_request(CURL *curl, const struct https_request *request, struct curl_slist *headers)
{
    bool is_set = true;

    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_USERAGENT, "Jeton");
    SET(CURLOPT_HTTPHEADER, headers);
    if (request->is_post) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->form.len);
        SET(CURLOPT_POSTFIELDS, request->form.at);
    }
    return is_set;
}

static int32_t trouble_of(CURLcode result, const struct exchange *exchange)
{
    if (exchange->is_closed_off)
        return TROUBLE_CLOSED_OFF;
    if (exchange->content.overflow || exchange->header_bytes > HEADER_BYTES_MAX)
        return TROUBLE_TOO_LARGE;
    /* The library has some ninety more. */
    switch ((int)result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return TROUBLE_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return TROUBLE_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION:
        return TROUBLE_TLS;
    default:
        return TROUBLE_PROTOCOL;
    }
}

static enum fetch_outcome outcome_of(long status)
{
    if (status >= 200 && status < 300)
        return FETCH_DONE;
    if (status >= 500 || status == TOO_MANY_REQUESTS || status == REQUEST_TIMEOUT)
        return FETCH_LATER;
    return FETCH_NEVER; /* a redirect is one, too */
}

static void perform(CURL *curl, struct exchange *exchange, struct https_result *out_result)
{
    CURLcode result = curl_easy_perform(curl);
    long status = 0;

    if (result == CURLE_OK)
        result = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK) {
        *out_result = (struct https_result){ .code = trouble_of(result, exchange) };
        out_result->outcome = out_result->code == TROUBLE_TOO_LARGE ? FETCH_NEVER : FETCH_AWAY;
        snprintf(out_result->words, sizeof(out_result->words), "%s",
                 exchange->is_closed_off ? "its address is in a network that is not to be asked"
                                         : curl_easy_strerror(result));
        return;
    }
    *out_result = (struct https_result){ .outcome = outcome_of(status), .code = (int32_t)status };
    if (out_result->outcome == FETCH_DONE)
        out_result->content = buffer_str(&exchange->content);
}

static bool is_https(const char *url)
{
    struct uri uri;

    return uri_parse(str_of(url), &uri) == RC_OK && str_equal_nocase(uri.scheme, STR("https")) &&
           !uri.has_userinfo && !uri.has_fragment;
}

void https_perform(const struct https_setup *setup, const struct https_request *request,
                   struct https_result *out_result)
{
    static char memory[FETCH_DOCUMENT_BYTES_MAX];
    struct exchange exchange = { .setup = setup, .content = buffer_over(memory, sizeof(memory)) };
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    CURL *curl = curl_easy_init();

    *out_result = (struct https_result){ .outcome = FETCH_NEVER,
                                         .code = TROUBLE_HELPER,
                                         .words = "this is no address that can be asked" };
    if (curl != NULL && headers != NULL && is_https(request->url) &&
        set_guards(curl, setup, &exchange) && set_request(curl, request, headers))
        perform(curl, &exchange, out_result);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
}
