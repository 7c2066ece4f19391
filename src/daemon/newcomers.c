#include "daemon/newcomers.h"

#include "codec/uri.h"

/* As it stands in a URL: lower case, without port; or "*" for any. */
static bool is_host(struct str host)
{
    char url[300];
    struct buffer text = buffer_over(url, sizeof(url));
    struct uri uri;

    if (str_equal(host, STR("*")))
        return true;
    buffer_append_format(&text, "https://%.*s/", STR_ARGS(host));
    if (text.overflow || uri_parse(buffer_str(&text), &uri) != RC_OK ||
        !str_equal(uri.host, host) || uri.has_userinfo)
        return false;
    for (size_t i = 0; i < host.len; i++)
        if ((host.at[i] >= 'A' && host.at[i] <= 'Z') || (unsigned char)host.at[i] <= ' ')
            return false;
    return true;
}

enum rc newcomers_settings_check(const struct newcomers_settings *settings,
                                 struct buffer *out_error)
{
    for (size_t i = 0; i < settings->hosts.count; i++) {
        if (!is_host(str_of(settings->hosts.at[i]))) {
            buffer_append_str(out_error, STR("client-document-host must be a host in lower case "
                                             "such as app.example.org, or '*'"));
            return RC_INVALID;
        }
    }
    if (settings->takes_documents && settings->hosts.count == 0) {
        buffer_append_str(out_error, STR("client-id-documents needs client-document-host"));
        return RC_INVALID;
    }
    for (size_t i = 0; i < settings->services.count; i++) {
        struct str id = str_of(settings->services.at[i]);

        if (id.len == 0 || id.len > SERVICE_ID_BYTES_MAX || str_index_of(id, ' ') < id.len) {
            buffer_append_str(out_error, STR("client-registration-service must be a service's id"));
            return RC_INVALID;
        }
    }
    return RC_OK;
}

static struct str join(const struct dialect_texts *texts,
                       char memory[static NEWCOMERS_LIST_BYTES_MAX])
{
    struct buffer joined = buffer_over(memory, NEWCOMERS_LIST_BYTES_MAX);

    for (size_t i = 0; i < texts->count; i++) {
        if (i > 0)
            buffer_append_byte(&joined, ' ');
        buffer_append_str(&joined, str_of(texts->at[i]));
    }
    ASSERT(!joined.overflow);
    return buffer_str(&joined);
}

void newcomers_init(const struct newcomers_settings *settings, struct newcomers *out_newcomers)
{
    out_newcomers->admission = (struct client_admission){
        .registration = settings->registration,
        .takes_documents = settings->takes_documents,
        .service_ids = join(&settings->services, out_newcomers->services),
        .hosts = join(&settings->hosts, out_newcomers->hosts),
        .count_max = settings->count_max,
    };
}
