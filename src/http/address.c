#include "http/address.h"

#include "codec/network.h"

static const unsigned char MAPPED_PREFIX[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct str http_address_format(const struct http_address *address,
                               char out_text[static HTTP_ADDRESS_TEXT_BYTES])
{
    struct buffer text = buffer_over(out_text, HTTP_ADDRESS_TEXT_BYTES);

    if (address->is_unix)
        return STR("unix");
    network_format_address(address->bytes, &text);
    return buffer_str(&text);
}

bool address_parse(struct str text, struct http_address *out_address)
{
    struct http_address address = { .is_unix = false };

    if (!network_parse_address(text, address.bytes))
        return false;
    *out_address = address;
    return true;
}

struct http_address address_of(const struct sockaddr_storage *socket_address)
{
    struct http_address address = { .is_unix = false };

    if (socket_address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)socket_address;

        memcpy(address.bytes, MAPPED_PREFIX, sizeof(MAPPED_PREFIX));
        memcpy(address.bytes + 12, &v4->sin_addr, 4);
    } else if (socket_address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)socket_address;

        memcpy(address.bytes, &v6->sin6_addr, 16);
    } else {
        address.is_unix = true;
    }
    return address;
}

/* The network that http_network_parse makes of "unix"; no IPv6 network has 0 bits. */
static bool is_unix_network(const struct http_network *network)
{
    return network->prefix_bits == 0;
}

static bool is_within(const unsigned char bytes[16], const struct http_network *network)
{
    struct network plain = { .prefix_bits = network->prefix_bits };

    memcpy(plain.bytes, network->bytes, sizeof(plain.bytes));
    return network_has(&plain, bytes);
}

bool address_is_trusted(const struct http_address *address, const struct http_network *networks,
                        size_t network_count)
{
    for (size_t i = 0; i < network_count; i++) {
        if (address->is_unix != is_unix_network(&networks[i]))
            continue;
        if (address->is_unix || is_within(address->bytes, &networks[i]))
            return true;
    }
    return false;
}

enum rc http_network_parse(struct str text, struct http_network *out_network)
{
    struct http_network network = { .prefix_bits = 0 };
    struct network plain;

    if (str_equal(text, STR("unix"))) {
        *out_network = network;
        return RC_OK;
    }
    /* To trust the whole internet is to trust every header, and "10.0.0.1/8" is a mistake. */
    if (network_parse(text, &plain) != RC_OK)
        return RC_INVALID;
    memcpy(network.bytes, plain.bytes, sizeof(network.bytes));
    network.prefix_bits = plain.prefix_bits;
    *out_network = network;
    return RC_OK;
}

static bool is_port(struct str text)
{
    uint64_t port;

    return text.len > 0 && text.at[0] == ':' && str_parse_u64(str_from(text, 1), 65535, &port);
}

/* An address as proxies write it: with or without a port, IPv6 with or without brackets. */
static bool parse_node(struct str text, struct http_address *out_address)
{
    size_t end;

    if (text.len > 0 && text.at[0] == '[') {
        end = str_index_of(text, ']');
        if (end == text.len || (end + 1 < text.len && !is_port(str_from(text, end + 1))))
            return false;
        return address_parse((struct str){ text.at + 1, end - 1 }, out_address);
    }
    if (address_parse(text, out_address))
        return true;
    end = str_index_of(text, ':');
    return end < text.len && is_port(str_from(text, end)) &&
           address_parse((struct str){ text.at, end }, out_address);
}

/* Takes the last member off a comma-separated list. A comma in quotes does not part members. */
static struct str take_last(struct str *list)
{
    size_t at = list->len;
    bool is_quoted = false;
    struct str last;

    while (at > 0 && (list->at[at - 1] != ',' || is_quoted)) {
        is_quoted ^= list->at[at - 1] == '"';
        at--;
    }
    last = str_trim(str_from(*list, at));
    list->len = at > 0 ? at - 1 : 0;
    return last;
}

/* The value of "for" in one element: for=192.0.2.1;proto=https;by="[2001:db8::1]:80" */
static struct str forwarded_for(struct str element)
{
    while (element.len > 0) {
        size_t end = str_index_of(element, ';');
        struct str pair = str_trim((struct str){ element.at, end });

        if (pair.len > 4 && str_equal_nocase((struct str){ pair.at, 4 }, STR("for="))) {
            struct str node = str_from(pair, 4);

            if (node.len >= 2 && node.at[0] == '"' && node.at[node.len - 1] == '"')
                node = (struct str){ node.at + 1, node.len - 2 };
            return node;
        }
        element = str_from(element, end < element.len ? end + 1 : end);
    }
    return STR("");
}

void address_resolve_client(struct http_request *request, const struct http_network *networks,
                            size_t network_count)
{
    struct str name = STR("x-forwarded-for");
    bool is_x;

    request->client = request->peer;
    request->is_from_trusted_proxy = address_is_trusted(&request->peer, networks, network_count);
    if (!request->is_from_trusted_proxy)
        return;
    is_x = http_find_header(request, name) != NULL;
    if (!is_x)
        name = STR("forwarded");
    /* Several headers of one name are one list (RFC 9110 5.3): the last header is its right end. */
    for (size_t i = request->header_count; i > 0; i--) {
        struct str list = request->headers[i - 1].value;

        if (!str_equal_nocase(request->headers[i - 1].name, name))
            continue;
        while (list.len > 0) {
            struct str node = take_last(&list);

            if (!parse_node(is_x ? node : forwarded_for(node), &request->client) ||
                !address_is_trusted(&request->client, networks, network_count))
                return;
        }
    }
}
