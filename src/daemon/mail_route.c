#include "daemon/mail_route.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/uri.h"
#include "crypto/random.h"
#include "fetch/smtp_url.h"

enum { TEST_ID_BYTES = 32 };

static enum rc refuse(struct buffer *out_error, const char *words)
{
    buffer_append_str(out_error, str_of(words));
    return RC_INVALID;
}

enum rc mail_settings_check(const struct mail_settings *settings, struct buffer *out_error)
{
    struct mail_sender sender;
    struct smtp_url url;

    if (settings->smtp_url.at == NULL && settings->mail_from.at != NULL)
        return refuse(out_error, "mail-from needs smtp-url");
    if (settings->smtp_url.at == NULL && settings->smtp_password_file.at != NULL)
        return refuse(out_error, "smtp-password-file needs smtp-url");
    if (settings->smtp_url.at == NULL && settings->smtp_ca_file.at != NULL)
        return refuse(out_error, "smtp-ca-file needs smtp-url");
    if (settings->smtp_url.at == NULL)
        return RC_OK;
    if (smtp_url_parse(settings->smtp_url, &url) != RC_OK)
        return refuse(out_error, "smtp-url must be smtp://HOST[:PORT] or smtps://HOST[:PORT], "
                                 "without a user, a path or a query");
    if (settings->mail_from.at == NULL)
        return refuse(out_error, "smtp-url needs mail-from");
    if (mail_sender_parse(settings->mail_from, &sender) != RC_OK)
        return refuse(out_error, "mail-from must be ADDRESS or NAME <ADDRESS>");
    return RC_OK;
}

/* RFC 5321 4.1.3: an address stands in brackets, IPv6 with its name before it. */
static void format_host(struct str issuer, char out_host[static MAIL_HOST_BYTES])
{
    struct in_addr address;
    struct uri uri;

    if (uri_parse(issuer, &uri) != RC_OK || uri.host.len == 0 || uri.host.len > 253)
        uri.host = STR("localhost");
    snprintf(out_host, MAIL_HOST_BYTES, "%.*s", STR_ARGS(uri.host));
    if (str_starts_with(uri.host, STR("[")))
        snprintf(out_host, MAIL_HOST_BYTES, "[IPv6:%.*s", STR_ARGS(str_from(uri.host, 1)));
    else if (inet_pton(AF_INET, out_host, &address) == 1)
        snprintf(out_host, MAIL_HOST_BYTES, "[%.*s]", STR_ARGS(uri.host));
}

void mail_route_init(const struct mail_settings *settings, struct str issuer,
                     struct mail_route *out_route)
{
    ASSERT(mail_sender_parse(settings->mail_from, &out_route->sender) == RC_OK);
    format_host(issuer, out_route->host);
    out_route->stop_fd = -1;
    out_route->helper = (struct helper_config){
        .smtp_url = settings->smtp_url,
        .greeting = str_of(out_route->host),
        .smtp_password_file = settings->smtp_password_file.at,
        .smtp_ca_file = settings->smtp_ca_file.at,
    };
}

void mail_route_send(const struct mail_route *route, struct helper *helper,
                     const struct mail_message *message, struct helper_answer *out_answer)
{
    char *bytes = malloc(MAIL_MESSAGE_BYTES_MAX);
    struct buffer text = buffer_over(bytes, MAIL_MESSAGE_BYTES_MAX);
    struct helper_mail mail;

    ASSERT(bytes != NULL);
    /* What is queued was checked when it was queued, and the route when it was opened. */
    ASSERT(mail_message_format(message, &text) == RC_OK);
    mail = (struct helper_mail){ .sender = route->sender.address,
                                 .recipient = message->recipient,
                                 .message = buffer_str(&text) };
    helper_send_mail(helper, &mail, route->stop_fd, out_answer);
    explicit_bzero(bytes, text.len);
    free(bytes);
}

static void make_id(char out_id[static TEST_ID_BYTES])
{
    static const char letters[] = "abcdefghijklmnop";

    random_bytes(out_id, TEST_ID_BYTES);
    for (size_t i = 0; i < TEST_ID_BYTES; i++)
        out_id[i] = letters[(unsigned char)out_id[i] & 0xf];
}

enum rc mail_route_test(const struct mail_route *route, struct str recipient,
                        struct helper_answer *out_answer, struct buffer *out_error)
{
    const struct mail_draft draft = mail_test_draft(recipient);
    char id[TEST_ID_BYTES];
    struct mail_message message = { .sender = route->sender,
                                    .recipient = draft.recipient,
                                    .subject = draft.subject,
                                    .text = draft.text,
                                    .at = clock_now_s(),
                                    .id = { id, TEST_ID_BYTES },
                                    .host = str_of(route->host) };
    struct helper *helper;
    enum rc rc;

    make_id(id);
    rc = helper_open(&route->helper, &helper, out_error);
    if (rc != RC_OK)
        return rc;
    mail_route_send(route, helper, &message, out_answer);
    helper_close(helper);
    return RC_OK;
}
