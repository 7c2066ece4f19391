#include "fetch/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/secret_file.h"
#include "codec/field.h"
#include "fetch/launcher.h"

#define PASSWORD_FILE "smtp-password-file"

enum { PAUSE_MS = 1000, PAUSE_MS_MAX = 60 * 1000, PASSWORD_FILE_BYTES_MAX = 1500 };

struct helper {
    struct helper_config config;
    char program[PATH_MAX];
    pid_t pid; /* 0: not running */
    int fd;
    uint32_t last_id;
    int64_t pause_ms; /* after the next death; grows until an answer comes */
    int64_t start_at_ms;
    char *body; /* WIRE_BODY_BYTES_MAX, for frames both ways; wiped */
};

/* ---- the password file ---- */

static struct str take_line(struct str *rest)
{
    size_t len = str_index_of(*rest, '\n');
    struct str line = { rest->at, len };

    *rest = str_from(*rest, len < rest->len ? len + 1 : len);
    if (str_ends_with(line, STR("\r")))
        line.len--;
    return line;
}

/* Two lines: the user, the password. */
static enum rc read_login(const char *path, struct secret *out_user, struct secret *out_password,
                          struct buffer *out_error)
{
    char bytes[PASSWORD_FILE_BYTES_MAX];
    struct buffer content = buffer_over(bytes, sizeof(bytes));
    struct str rest;
    struct str user;
    struct str password;
    enum rc rc = secret_file_read(PASSWORD_FILE, path, &content, out_error);

    if (rc != RC_OK)
        return rc;
    rest = buffer_str(&content);
    user = take_line(&rest);
    password = take_line(&rest);
    if (user.len == 0 || password.len == 0 || str_trim(rest).len > 0 || str_has_control(user) ||
        str_has_control(password) || secret_set(out_user, user) != RC_OK ||
        secret_set(out_password, password) != RC_OK)
        rc = secret_file_refuse(PASSWORD_FILE, path,
                                "must have two lines, the user and the password", out_error);
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}

enum rc helper_check_login(const char *path, struct buffer *out_error)
{
    AUTO(secret) user = { 0 };
    AUTO(secret) password = { 0 };

    return read_login(path, &user, &password, out_error);
}

/* ---- the program ---- */

static enum rc find_program(struct helper *helper, struct buffer *out_error)
{
    if (launcher_find_program(helper->program))
        return RC_OK;
    buffer_append_str(out_error, STR("the program jeton-fetch, which sends the mail, is not where "
                                     "jeton is"));
    return RC_INVALID;
}

enum rc helper_open(const struct helper_config *config, struct helper **out_helper,
                    struct buffer *out_error)
{
    AUTO(secret) user = { 0 };
    AUTO(secret) password = { 0 };
    struct helper *helper = calloc(1, sizeof(*helper));
    enum rc rc;

    ASSERT(helper != NULL);
    helper->config = *config;
    helper->pause_ms = PAUSE_MS;
    helper->body = malloc(WIRE_BODY_BYTES_MAX);
    ASSERT(helper->body != NULL);
    rc = find_program(helper, out_error);
    if (rc == RC_OK && config->smtp_password_file != NULL)
        rc = read_login(config->smtp_password_file, &user, &password, out_error);
    if (rc == RC_OK)
        *out_helper = helper;
    else
        helper_close(helper);
    return rc;
}

/* ---- the process ---- */

static void stop(struct helper *helper)
{
    if (helper->pid == 0)
        return;
    close(helper->fd);
    if (launcher_is_there()) {
        launcher_end(helper->pid);
    } else {
        kill(helper->pid, SIGKILL); /* it keeps nothing that could be lost */
        while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    helper->pid = 0;
}

/* It broke off, or hangs. */
static void bury(struct helper *helper)
{
    stop(helper);
    helper->start_at_ms = clock_monotonic_ms() + helper->pause_ms;
    helper->pause_ms =
        helper->pause_ms * 2 < PAUSE_MS_MAX ? helper->pause_ms * 2 : (int64_t)PAUSE_MS_MAX;
}

/* dup2 onto itself would leave the end to be closed at the exec. */
static int above_wire(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, WIRE_FD + 1);

    close(fd);
    return moved;
}

static struct wire_wait patience(int64_t patience_ms, int stop_fd)
{
    return (struct wire_wait){ .deadline_ms = clock_monotonic_ms() + patience_ms,
                               .stop_fd = stop_fd,
                               .stop_ms = HELPER_STOP_MS };
}

static bool send_setup(struct helper *helper)
{
    AUTO(secret) user = { 0 };
    AUTO(secret) password = { 0 };
    const struct helper_config *config = &helper->config;
    struct buffer body = buffer_over(helper->body, WIRE_BODY_BYTES_MAX);
    char words[512];
    struct buffer error = buffer_over(words, sizeof(words));
    bool is_sent;

    /* Read anew, so that a changed password is taken with the next start. */
    if (config->smtp_password_file != NULL &&
        read_login(config->smtp_password_file, &user, &password, &error) != RC_OK)
        return false;
    field_put(&body, config->smtp_url);
    field_put(&body, config->greeting);
    field_put(&body, secret_expose(&user));
    field_put(&body, secret_expose(&password));
    field_put(&body, config->smtp_ca_file != NULL ? str_of(config->smtp_ca_file) : STR(""));
    field_put(&body, config->networks);
    field_put(&body, config->fetch_ca_file != NULL ? str_of(config->fetch_ca_file) : STR(""));
    is_sent = !body.overflow && wire_write(helper->fd, FETCH_SETUP, 0, buffer_str(&body),
                                           patience(FETCH_DOCUMENT_PATIENCE_MS, -1));
    explicit_bzero(helper->body, body.len);
    return is_sent;
}

static bool start(struct helper *helper)
{
    int ends[2];

    if (helper->pid != 0)
        return true;
    if (clock_monotonic_ms() < helper->start_at_ms)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    helper->fd = ends[0];
    ends[1] = above_wire(ends[1]);
    if (ends[1] >= 0)
        helper->pid =
            launcher_is_there() ? launcher_run(ends[1]) : launcher_spawn(helper->program, ends[1]);
    if (helper->pid == 0)
        close(helper->fd);
    if (ends[1] >= 0)
        close(ends[1]);
    if (helper->pid != 0 && send_setup(helper))
        return true;
    bury(helper);
    return false;
}

/* ---- requests ---- */

static bool take_answer(struct str body, struct helper_answer *out_answer)
{
    uint32_t outcome;
    uint32_t code;
    struct str words;
    struct str content;

    if (!field_take_number(&body, &outcome) || outcome > FETCH_AWAY ||
        !field_take_number(&body, &code) || !field_take(&body, &words) ||
        words.len > WIRE_WORDS_BYTES_MAX || !field_take(&body, &content) || body.len > 0)
        return false;
    out_answer->outcome = (enum fetch_outcome)outcome;
    out_answer->code = (int32_t)code;
    out_answer->content = content;
    snprintf(out_answer->words, sizeof(out_answer->words), "%.*s", STR_ARGS(words));
    return true;
}

static bool ask(struct helper *helper, enum fetch_kind kind, size_t body_bytes,
                struct wire_wait wait, struct helper_answer *out_answer)
{
    struct str body = { helper->body, body_bytes };
    uint32_t id = ++helper->last_id;
    struct wire_head head;
    bool is_answered;

    is_answered = wire_write(helper->fd, (uint32_t)kind, id, body, wait);
    explicit_bzero(helper->body, body_bytes);
    return is_answered && wire_read(helper->fd, &head, helper->body, wait) &&
           head.kind == FETCH_RESULT && head.id == id &&
           take_answer((struct str){ helper->body, head.len }, out_answer);
}

/* What there is to say when nothing is heard; false: there is nobody to ask. */
static bool begin(struct helper *helper, struct helper_answer *out_answer)
{
    *out_answer = (struct helper_answer){ .outcome = FETCH_AWAY,
                                          .code = TROUBLE_HELPER,
                                          .words = "the helper process broke off" };
    if (start(helper))
        return true;
    snprintf(out_answer->words, sizeof(out_answer->words), "%s",
             "the helper process could not be started");
    return false;
}

void helper_fetch(struct helper *helper, struct str url, const struct str *form,
                  struct helper_answer *out_answer)
{
    struct buffer body = buffer_over(helper->body, WIRE_BODY_BYTES_MAX);

    if (!begin(helper, out_answer))
        return;
    field_put(&body, url);
    if (form != NULL)
        field_put(&body, *form);
    ASSERT(!body.overflow);
    if (!ask(helper, form != NULL ? FETCH_POST : FETCH_GET, body.len,
             patience(FETCH_DOCUMENT_PATIENCE_MS, -1), out_answer)) {
        bury(helper);
        return;
    }
    helper->pause_ms = PAUSE_MS;
}

void helper_send_mail(struct helper *helper, const struct helper_mail *mail, int stop_fd,
                      struct helper_answer *out_answer)
{
    struct buffer body = buffer_over(helper->body, WIRE_BODY_BYTES_MAX);

    if (!begin(helper, out_answer))
        return;
    field_put(&body, mail->sender);
    field_put(&body, mail->recipient);
    field_put(&body, mail->message);
    ASSERT(!body.overflow);
    if (!ask(helper, FETCH_MAIL, body.len, patience(FETCH_PATIENCE_MS, stop_fd), out_answer)) {
        bury(helper);
        return;
    }
    helper->pause_ms = PAUSE_MS;
    /* It may be the password that is not right, or not any more. */
    if (out_answer->outcome == FETCH_AWAY && helper->config.smtp_password_file != NULL)
        stop(helper);
}

void helper_close(struct helper *helper)
{
    if (helper == NULL)
        return;
    stop(helper);
    free(helper->body);
    free(helper);
}
