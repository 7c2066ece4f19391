#include "daemon/outside.h"

#include "base/log.h"
#include "fetch/reach.h"

/* RFC 9110 5.6.2: a header's name, in lower case. */
static bool copy_header(struct str name, char out_name[static OUTSIDE_HEADER_BYTES_MAX])
{
    if (name.len >= OUTSIDE_HEADER_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c + ('a' - 'A'));
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
            return false;
        out_name[i] = c;
    }
    out_name[name.len] = '\0';
    return true;
}

static enum rc join_networks(const struct dialect_texts *networks, struct buffer *to,
                             struct buffer *out_error)
{
    struct reach reach;

    for (size_t i = 0; i < networks->count; i++) {
        struct str text = str_of(networks->at[i]);

        if (reach_parse(text, &reach) != RC_OK || reach.network_count != 1) {
            buffer_append_format(out_error,
                                 "fetch-network: '%.*s' is no network such as 10.0.0.0/8 or "
                                 "2001:db8::/32",
                                 STR_ARGS(text));
            return RC_INVALID;
        }
        if (i > 0)
            buffer_append_byte(to, ' ');
        buffer_append_str(to, text);
    }
    if (!to->overflow)
        return RC_OK;
    buffer_append_str(out_error, STR("fetch-network: there are too many"));
    return RC_INVALID;
}

static enum rc open_fetcher(const struct outside_settings *settings, struct outside *outside,
                            struct buffer *out_error)
{
    char memory[OUTSIDE_NETWORKS_BYTES_MAX];
    struct buffer networks = buffer_over(memory, sizeof(memory));
    struct fetcher_config config = { .ca_file = settings->fetch_ca.at };
    char words[512];
    struct buffer why = buffer_over(words, sizeof(words));
    enum rc rc = join_networks(&settings->networks, &networks, out_error);

    if (rc != RC_OK)
        return rc;
    config.networks = buffer_str(&networks);
    if (fetcher_new(&config, &outside->fetcher, &why) != RC_OK)
        log_event(LOG_WARN, "nothing_can_be_fetched", LOG_STR("why", buffer_str(&why)));
    return RC_OK;
}

enum rc outside_open(const struct outside_settings *settings, struct outside *out_outside,
                     struct buffer *out_error)
{
    enum rc rc = RC_OK;

    *out_outside = (struct outside){ .fetcher = NULL };
    if (!copy_header(settings->certificate_header, out_outside->header)) {
        buffer_append_str(out_error,
                          STR("tls-client-certificate-header: that is no header's name"));
        return RC_INVALID;
    }
    if (settings->client_ca.len > 0)
        rc = certificate_trust_new(settings->client_ca.at, &out_outside->trust, out_error);
    return rc == RC_OK ? open_fetcher(settings, out_outside, out_error) : rc;
}

void outside_close(struct outside *outside)
{
    fetcher_free(outside->fetcher);
    certificate_trust_free(outside->trust);
    *outside = (struct outside){ .fetcher = NULL };
}
