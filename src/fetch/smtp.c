#include "fetch/smtp.h"

#include <curl/curl.h>
#include <stdio.h>

#include "codec/uri.h"
#include "fetch/smtp_url.h"

enum { CONNECT_TIMEOUT_MS = 10 * 1000, URL_BYTES_MAX = 2048, GOOD_BYE = 221 };

/* A message on its way. */
struct delivery {
    struct str unsent;
    bool is_read;  /* to its end: what the server says now is of the whole message */
    int32_t reply; /* the code of the newest reply                              */
    struct buffer words;
};

static size_t give_message(char *bytes, size_t size, size_t count, void *context)
{
    struct delivery *delivery = context;
    size_t len = size * count;

    if (len > delivery->unsent.len)
        len = delivery->unsent.len;
    if (len > 0)
        memcpy(bytes, delivery->unsent.at, len);
    delivery->unsent = str_from(delivery->unsent, len);
    delivery->is_read = delivery->unsent.len == 0;
    return len;
}

/* RFC 5321 4.2: three digits; of several lines the last one has a space behind them. A server that
 * is left after a refusal says good-bye, and that is no news. */
static size_t hear_reply(char *bytes, size_t size, size_t count, void *context)
{
    struct delivery *delivery = context;
    struct str line = str_trim((struct str){ bytes, size * count });
    uint64_t code;

    if (line.len < 3 || !str_parse_u64((struct str){ line.at, 3 }, 599, &code) || code < 200)
        return size * count;
    if ((line.len > 3 && line.at[3] == '-') || code == GOOD_BYE)
        return size * count;
    delivery->reply = (int32_t)code;
    delivery->words.len = 0;
    delivery->words.overflow = false;
    for (size_t i = 0; i < line.len && i < WIRE_WORDS_BYTES_MAX; i++)
        buffer_append_byte(&delivery->words,
                           (char)(line.at[i] < ' ' || line.at[i] > '~' ? '?' : line.at[i]));
    return size * count;
}

static size_t drop_bytes(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

/* The last word of the URL is what the library greets with. */
static bool format_url(const struct smtp_setup *setup, char out_url[static URL_BYTES_MAX])
{
    struct buffer url = buffer_over(out_url, URL_BYTES_MAX);

    buffer_append_str(&url, str_of(setup->url));
    buffer_append_byte(&url, '/');
    uri_encode(setup->greeting, &url);
    buffer_append_byte(&url, '\0');
    return !url.overflow;
}

#define SET(option, value) is_set = is_set && curl_easy_setopt(curl, option, value) == CURLE_OK

static bool set_server(CURL *curl, const struct smtp_setup *setup, const char *url)
{
    struct smtp_url parts;
    bool is_set = true;

    if (smtp_url_parse(str_of(setup->url), &parts) != RC_OK)
        return false;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long)FETCH_TIMEOUT_MS);
    SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)FETCH_REPLY_TIMEOUT_MS / 1000);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_USE_SSL, (long)(parts.needs_starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* RFC 8314 4.1 */
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (setup->ca_file != NULL) {
        SET(CURLOPT_CAINFO, setup->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (setup->user != NULL) {
        SET(CURLOPT_USERNAME, setup->user);
        SET(CURLOPT_PASSWORD, setup->password);
        SET(CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN"); /* both are safe under TLS alone */
    }
    return is_set;
}

static bool set_mail(CURL *curl, const struct smtp_mail *mail, struct delivery *delivery,
                     struct curl_slist *recipients)
{
    bool is_set = true;

    SET(CURLOPT_MAIL_FROM, mail->sender);
    SET(CURLOPT_MAIL_RCPT, recipients);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->message.len);
    SET(CURLOPT_READFUNCTION, give_message);
    SET(CURLOPT_READDATA, delivery);
    SET(CURLOPT_HEADERFUNCTION, hear_reply);
    SET(CURLOPT_HEADERDATA, delivery);
    SET(CURLOPT_WRITEFUNCTION, drop_bytes);
    return is_set;
}

static int32_t trouble_of(CURLcode result)
{
    /* The library has some ninety more. */
    switch ((int)result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return TROUBLE_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return TROUBLE_TIMEOUT;
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION:
        return TROUBLE_TLS;
    case CURLE_LOGIN_DENIED:
        return TROUBLE_LOGIN;
    default:
        return TROUBLE_PROTOCOL;
    }
}

/*
 * A reply is of this message when it answers MAIL, RCPT or DATA, or the message itself. What a
 * server says before (it is closing, it does not know our password) holds for every message.
 */
static void judge(CURLcode result, const struct delivery *delivery, struct smtp_result *out_result)
{
    bool is_of_mail =
        result == CURLE_SEND_ERROR || (result == CURLE_WEIRD_SERVER_REPLY && delivery->is_read);
    bool has_refused = delivery->reply >= 400 && result != CURLE_OPERATION_TIMEDOUT;

    out_result->code = has_refused ? delivery->reply : trouble_of(result);
    if (!has_refused || !is_of_mail)
        out_result->outcome = FETCH_AWAY;
    else /* RFC 5321 4.2.1 */
        out_result->outcome = delivery->reply >= 500 ? FETCH_NEVER : FETCH_LATER;
    snprintf(
        out_result->words, sizeof(out_result->words), "%.*s",
        STR_ARGS(has_refused ? buffer_str(&delivery->words) : str_of(curl_easy_strerror(result))));
}

static void perform(CURL *curl, struct delivery *delivery, struct smtp_result *out_result)
{
    CURLcode result = curl_easy_perform(curl);

    if (result == CURLE_OK)
        *out_result = (struct smtp_result){ .outcome = FETCH_DONE };
    else
        judge(result, delivery, out_result);
}

void smtp_init(void)
{
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void smtp_send(const struct smtp_setup *setup, const struct smtp_mail *mail,
               struct smtp_result *out_result)
{
    char words[WIRE_WORDS_BYTES_MAX];
    char url[URL_BYTES_MAX];
    struct delivery delivery = { .unsent = mail->message,
                                 .words = buffer_over(words, sizeof(words)) };
    struct curl_slist *recipients = curl_slist_append(NULL, mail->recipient);
    CURL *curl = curl_easy_init();

    *out_result = (struct smtp_result){ .outcome = FETCH_AWAY,
                                        .code = TROUBLE_HELPER,
                                        .words = "the settings cannot be used" };
    if (curl != NULL && recipients != NULL && format_url(setup, url) &&
        set_server(curl, setup, url) && set_mail(curl, mail, &delivery, recipients))
        perform(curl, &delivery, out_result);
    curl_easy_cleanup(curl);
    curl_slist_free_all(recipients);
}
