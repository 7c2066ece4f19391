#include "fetch/smtp_url.h"

#include "codec/uri.h"

enum { URL_BYTES_MAX = 512, IPV4_DOT_COUNT = 3 };

/* 127.0.0.0/8 as an address, not as the beginning of a name. */
static bool is_loopback_address(struct str host)
{
    unsigned dot_count = 0;

    if (!str_starts_with(host, STR("127.")))
        return false;
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] == '.')
            dot_count++;
        else if (host.at[i] < '0' || host.at[i] > '9')
            return false;
    }
    return dot_count == IPV4_DOT_COUNT && host.at[host.len - 1] != '.';
}

static bool is_loopback(struct str host)
{
    return str_equal_nocase(host, STR("localhost")) || str_equal(host, STR("[::1]")) ||
           is_loopback_address(host);
}

enum rc smtp_url_parse(struct str text, struct smtp_url *out_url)
{
    struct uri uri;
    uint64_t port;
    bool is_smtps;

    if (text.len > URL_BYTES_MAX || uri_parse(text, &uri) != RC_OK || uri.host.len == 0 ||
        uri.has_userinfo || uri.path.len > 0 || uri.has_query || uri.has_fragment)
        return RC_INVALID;
    is_smtps = str_equal(uri.scheme, STR("smtps"));
    if (!is_smtps && !str_equal(uri.scheme, STR("smtp")))
        return RC_INVALID;
    if (uri.port.len > 0 && (!str_parse_u64(uri.port, UINT16_MAX, &port) || port == 0))
        return RC_INVALID;
    *out_url = (struct smtp_url){ .is_tls_from_start = is_smtps,
                                  .needs_starttls = !is_smtps && !is_loopback(uri.host) };
    return RC_OK;
}
