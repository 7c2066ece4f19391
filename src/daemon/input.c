#include "daemon/input.h"

#include <errno.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static enum rc refuse(struct buffer *out_error, const char *words)
{
    buffer_append_str(out_error, str_of(words));
    return RC_INVALID;
}

static volatile sig_atomic_t was_interrupted;

/* Reads to the end, or to the first line's end on a terminal. A byte too many is enough to know. */
static enum rc read_bytes(unsigned char *out_bytes, size_t max, bool is_terminal, size_t *out_len,
                          struct buffer *out_error)
{
    size_t len = 0;

    while (len < max) {
        ssize_t got = read(STDIN_FILENO, out_bytes + len, max - len);

        if (got < 0 && errno == EINTR && !was_interrupted)
            continue;
        if (got < 0)
            return refuse(out_error,
                          was_interrupted ? "interrupted" : "standard input cannot be read");
        if (got == 0)
            break;
        len += (size_t)got;
        if (is_terminal && out_bytes[len - 1] == '\n')
            break;
    }
    *out_len = len;
    return RC_OK;
}

static void ask(const char *words)
{
    ssize_t written = write(STDERR_FILENO, words, strlen(words));

    (void)written;
}

static void note_signal(int number)
{
    (void)number;
    was_interrupted = 1;
}

/* Signals end the reading, not the process: the terminal must show again what is typed. */
static void catch_signals(void)
{
    const struct sigaction action = { .sa_handler = note_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* As read_bytes, unseen. */
static enum rc read_terminal(unsigned char *out_bytes, size_t max, size_t *out_len,
                             struct buffer *out_error)
{
    struct termios before;
    struct termios unseen;
    enum rc rc;

    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return refuse(out_error, "the terminal cannot be used");
    catch_signals();
    unseen = before;
    unseen.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    ask("one line, not shown: ");
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    rc = read_bytes(out_bytes, max, true, out_len, out_error);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    ask("\n");
    return rc;
}

enum rc input_read(struct secret *out_line, struct buffer *out_error)
{
    unsigned char bytes[SECRET_BYTES_MAX + 3];
    bool is_terminal = isatty(STDIN_FILENO) == 1;
    size_t len = 0;
    size_t line_len;
    enum rc rc;

    rc = is_terminal ? read_terminal(bytes, sizeof(bytes), &len, out_error)
                     : read_bytes(bytes, sizeof(bytes), false, &len, out_error);
    if (rc == RC_OK && len == 0)
        rc = refuse(out_error, "there is nothing on standard input");
    line_len = str_index_of((struct str){ (const char *)bytes, len }, '\n');
    if (rc == RC_OK && line_len + 1 < len)
        rc = refuse(out_error, "there is more than one line on standard input");
    if (rc == RC_OK && line_len < len && line_len > 0 && bytes[line_len - 1] == '\r')
        line_len--;
    if (rc == RC_OK && secret_set(out_line, (struct str){ (const char *)bytes, line_len }) != RC_OK)
        rc = refuse(out_error, "the line on standard input is longer than 1024 bytes");
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}
