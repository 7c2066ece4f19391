/*
 * jeton-fetch: talks to other machines in the server's stead, so that the libraries this needs and
 * whatever a machine answers stay out of the server's process (decision 0011).
 *
 * It is started by the server, with one descriptor, no environment and no words, and has nothing of
 * the server's: no store, no key. It ends when the server does.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "codec/field.h"
#include "codec/uri.h"
#include "fetch/https.h"
#include "fetch/smtp.h"

enum { SETUP_BYTES_MAX = 8 * 1024 };

static const struct wire_wait for_ever = { .deadline_ms = INT64_MAX, .stop_fd = -1 };

/* The texts of a setup, each with a NUL behind it. */
struct setup {
    char bytes[SETUP_BYTES_MAX];
    struct smtp_setup smtp;
    struct https_setup https;
    bool is_there;
};

static void leave_privileges(void)
{
    const struct rlimit no_core = { 0, 0 };

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)clearenv();
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    if (chdir("/") != 0)
        _exit(1);
}

/* Takes a field and gives it a NUL; NULL when it is missing or holds one itself. */
static const char *take_text(struct str *rest, struct buffer *memory)
{
    const char *text = memory->at + memory->len;
    struct str field;

    if (!field_take(rest, &field) || str_index_of(field, '\0') != field.len)
        return NULL;
    buffer_append_str(memory, field);
    buffer_append_byte(memory, '\0');
    return memory->overflow ? NULL : text;
}

static bool take_setup(struct str body, struct setup *out_setup)
{
    struct buffer memory = buffer_over(out_setup->bytes, sizeof(out_setup->bytes));
    const char *texts[7];

    for (size_t i = 0; i < 7; i++) {
        texts[i] = take_text(&body, &memory);
        if (texts[i] == NULL)
            return false;
    }
    out_setup->smtp = (struct smtp_setup){ .url = texts[0],
                                           .greeting = str_of(texts[1]),
                                           .user = texts[2][0] != '\0' ? texts[2] : NULL,
                                           .password = texts[3],
                                           .ca_file = texts[4][0] != '\0' ? texts[4] : NULL };
    out_setup->https.ca_file = texts[6][0] != '\0' ? texts[6] : NULL;
    out_setup->is_there = true;
    return body.len == 0 && reach_parse(str_of(texts[5]), &out_setup->https.reach) == RC_OK;
}

static bool send_mail(const struct setup *setup, struct str body, struct https_result *out_result)
{
    struct smtp_result result;
    static char bytes[1024];
    struct buffer memory = buffer_over(bytes, sizeof(bytes));
    struct smtp_mail mail;

    mail.sender = take_text(&body, &memory);
    mail.recipient = take_text(&body, &memory);
    if (!setup->is_there || mail.sender == NULL || mail.recipient == NULL ||
        !field_take(&body, &mail.message) || body.len > 0)
        return false;
    smtp_send(&setup->smtp, &mail, &result);
    *out_result = (struct https_result){ .outcome = result.outcome, .code = result.code };
    memcpy(out_result->words, result.words, sizeof(result.words));
    return true;
}

static void log_failure(const char *url, const struct https_result *result)
{
    char memory[16];
    struct uri uri;

    if (uri_parse(str_of(url), &uri) != RC_OK)
        return;
    log_event(LOG_INFO, "fetch_failed", LOG_STR("host", uri.host),
              LOG_STR("code", fetch_code_format(result->code, memory)),
              LOG_TEXT("why", result->words));
}

static bool fetch_document(const struct setup *setup, enum fetch_kind kind, struct str body,
                           struct https_result *out_result)
{
    static char bytes[4096];
    struct buffer memory = buffer_over(bytes, sizeof(bytes));
    struct https_request request = { .is_post = kind == FETCH_POST };

    request.url = take_text(&body, &memory);
    if (!setup->is_there || request.url == NULL ||
        (request.is_post && !field_take(&body, &request.form)) || body.len > 0)
        return false;
    https_perform(&setup->https, &request, out_result);
    if (out_result->outcome != FETCH_DONE)
        log_failure(request.url, out_result);
    return true;
}

static bool answer(uint32_t id, const struct https_result *result)
{
    static char bytes[FETCH_DOCUMENT_BYTES_MAX + WIRE_WORDS_BYTES_MAX + 32];
    struct buffer body = buffer_over(bytes, sizeof(bytes));

    field_put_number(&body, (uint32_t)result->outcome);
    field_put_number(&body, (uint32_t)result->code);
    field_put(&body, str_of(result->words));
    field_put(&body, result->content);
    return wire_write(WIRE_FD, FETCH_RESULT, id, buffer_str(&body), for_ever);
}

/* One frame; false: there is nothing more to say. */
static bool serve_one(struct setup *setup, char *body)
{
    struct https_result result = { .outcome = FETCH_AWAY,
                                   .code = TROUBLE_HELPER,
                                   .words = "this request is not known to the helper" };
    struct wire_head head;
    bool is_good = true;

    if (!wire_read(WIRE_FD, &head, body, for_ever))
        return false;
    if (head.kind == FETCH_SETUP)
        is_good = take_setup((struct str){ body, head.len }, setup);
    else if (head.kind == FETCH_MAIL)
        is_good = send_mail(setup, (struct str){ body, head.len }, &result);
    else if (head.kind == FETCH_GET || head.kind == FETCH_POST)
        is_good = fetch_document(setup, (enum fetch_kind)head.kind, (struct str){ body, head.len },
                                 &result);
    explicit_bzero(body, head.len);
    return is_good && (head.kind == FETCH_SETUP || answer(head.id, &result));
}

int main(void)
{
    static struct setup setup;
    static char body[WIRE_BODY_BYTES_MAX];
    struct stat status;

    leave_privileges();
    if (fstat(WIRE_FD, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        fputs("jeton-fetch: is started by jeton alone\n", stderr);
        return 2;
    }
    smtp_init();
    while (serve_one(&setup, body))
        ;
    explicit_bzero(&setup, sizeof(setup));
    _exit(0); /* the libraries' own ways out have nothing to save */
}
