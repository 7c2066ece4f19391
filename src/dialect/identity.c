#include "dialect/identity.h"

#include "codec/uri.h"

enum {
    LIST_BYTES_MAX = 1024,        /* a longer scope or audience is left out: proxies take 4 KiB */
    OTHER_HEADERS_BYTES_MAX = 512 /* the names, the expiry, and what every answer has */
};

_Static_assert(3 * (ACCOUNT_NAME_BYTES_MAX + CLIENT_ID_BYTES_MAX) + 2 * LIST_BYTES_MAX +
                       OTHER_HEADERS_BYTES_MAX <=
                   (int)HTTP_ANSWER_HEADER_BYTES_MAX,
               "all headers fit, with every name encoded");

struct identity identity_of_token(const struct token_view *view)
{
    const struct live_grant *grant = view->live.grant;

    return (struct identity){ .username = grant->username,
                              .subject = grant->subject,
                              .client_id = grant->client_name,
                              .scope = grant->scope,
                              .audience = grant->audience,
                              .expires_at = view->live.expires_at };
}

/* Names may be any UTF-8: header values are visible ASCII, and a comma is kept from lists. */
static void add_name(struct http_exchange *exchange, struct str header, struct str text)
{
    size_t max_bytes = 3 * text.len;
    struct buffer value = buffer_over(arena_alloc(exchange->arena, max_bytes + 1), max_bytes);
    bool is_plain = true;

    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] > 0x7e || text.at[i] == '%' || text.at[i] == ',')
            is_plain = false;
    if (!is_plain)
        uri_encode(text, &value);
    if (text.len > 0)
        http_add_header(exchange, header, is_plain ? text : buffer_str(&value));
}

static void add_list(struct http_exchange *exchange, struct str header, struct str words)
{
    if (words.len > 0 && words.len <= LIST_BYTES_MAX)
        http_add_header(exchange, header, words);
}

void identity_add_headers(struct http_exchange *exchange, const struct identity *identity)
{
    char memory[24];
    struct buffer expiry = buffer_over(memory, sizeof(memory));

    add_name(exchange, STR("Remote-User"), identity->username);
    add_name(exchange, STR("X-Auth-Subject"), identity->subject);
    add_name(exchange, STR("X-Auth-Client"), identity->client_id);
    add_list(exchange, STR("X-Auth-Scope"), identity->scope);
    add_list(exchange, STR("X-Auth-Audience"), identity->audience);
    if (identity->expires_at == 0)
        return;
    buffer_append_u64(&expiry, (uint64_t)identity->expires_at);
    http_add_header(exchange, STR("X-Auth-Expires"), buffer_str(&expiry));
}
