#include "daemon/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/http.h"

/* Runs even when its file was replaced or removed (proc(5)). */
#define THIS_PROGRAM "/proc/self/exe"

enum { OUTPUT_BYTES = 4096, LOOK_INTERVAL_MS = 100, WORD_COUNT_MAX = 4096 };

void restart_init(int argc, char *const *argv, struct restart *out_restart)
{
    /* The name that it was run by, after any search of $PATH. */
    const char *name = (const char *)getauxval(AT_EXECFN); // NOLINT(performance-no-int-to-ptr)
    char folder[PATH_MAX] = "";
    int len;

    if (name == NULL || strcmp(name, THIS_PROGRAM) == 0)
        name = argv[0]; /* see restart_run */
    if (name[0] != '/' && getcwd(folder, sizeof(folder)) == NULL)
        folder[0] = '\0';
    out_restart->argc = argc;
    out_restart->argv = argv;
    len = snprintf(out_restart->program, sizeof(out_restart->program), "%s%s%s", folder,
                   name[0] == '/' ? "" : "/", name);
    if (len < 0 || (size_t)len >= sizeof(out_restart->program))
        out_restart->program[0] = '\0';
}

/* ---- the check ---- */

extern char **environ;

/* What the child does not share: its words are read here, and no signal is blocked in it. */
static int spawn(const struct restart *restart, char *const *argv, int output, pid_t *out_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t usual;
    int error;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = posix_spawn(out_pid, restart->program, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static enum rc start_check(const struct restart *restart, int *out_fd, pid_t *out_pid,
                           struct buffer *out_why)
{
    char *argv[WORD_COUNT_MAX + 2];
    char check[] = "--check";
    int pipes[2];
    int error;

    if (restart->argc > WORD_COUNT_MAX) {
        buffer_append_format(out_why, "there are more than %d words on the command line",
                             WORD_COUNT_MAX);
        return RC_SYSTEM;
    }
    memcpy(argv, restart->argv, (size_t)restart->argc * sizeof(argv[0]));
    argv[restart->argc] = check;
    argv[restart->argc + 1] = NULL;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        buffer_append_format(out_why, "no pipe: %s", strerror(errno));
        return RC_SYSTEM;
    }
    error = spawn(restart, argv, pipes[1], out_pid);
    close(pipes[1]);
    if (error == 0) {
        *out_fd = pipes[0];
        return RC_OK;
    }
    close(pipes[0]);
    buffer_append_format(out_why, "%s cannot be run: %s", restart->program, strerror(error));
    return RC_SYSTEM;
}

static bool is_told_to_stop(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* Reads until the child has closed its side; of too much the end is kept. False: it took too long,
 * or there are other orders. */
static bool read_output(int fd, char bytes[static OUTPUT_BYTES], size_t *out_len)
{
    int64_t until_ms = clock_monotonic_ms() + RESTART_CHECK_TIMEOUT_MS;
    struct pollfd waiting = { .fd = fd, .events = POLLIN };
    size_t len = 0;
    ssize_t more = 1;

    while (more > 0 && clock_monotonic_ms() < until_ms && !is_told_to_stop()) {
        if (poll(&waiting, 1, LOOK_INTERVAL_MS) <= 0)
            continue;
        if (len == OUTPUT_BYTES) {
            len = OUTPUT_BYTES / 2;
            memmove(bytes, bytes + OUTPUT_BYTES - len, len);
        }
        more = read(fd, bytes + len, OUTPUT_BYTES - len);
        len += more > 0 ? (size_t)more : 0;
    }
    *out_len = len;
    return more <= 0;
}

static struct str last_line(struct str text)
{
    size_t at;

    while (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    for (at = text.len; at > 0 && text.at[at - 1] != '\n'; at--)
        continue;
    return str_from(text, at);
}

enum rc restart_check(const struct restart *restart, struct buffer *out_why)
{
    char bytes[OUTPUT_BYTES];
    size_t len = 0;
    bool is_over;
    pid_t pid;
    int status = 0;
    int fd;
    enum rc rc = start_check(restart, &fd, &pid, out_why);

    if (rc != RC_OK)
        return rc;
    is_over = read_output(fd, bytes, &len);
    close(fd);
    if (!is_over)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (is_over && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return RC_OK;
    if (!is_over)
        buffer_append_str(out_why, STR("the check did not come to its end"));
    else if (len > 0)
        buffer_append_str(out_why, last_line((struct str){ bytes, len }));
    else
        buffer_append_format(out_why, "the check ended with %d",
                             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return RC_INVALID;
}

/* ---- the change ---- */

void restart_run(const struct restart *restart, const char *listeners)
{
    char *argv[WORD_COUNT_MAX + 1];
    char program[PATH_MAX];

    if (setenv(HTTP_HANDED_VARIABLE, listeners, 1) != 0)
        return;
    execv(restart->program, restart->argv);
    log_event(LOG_ERROR, "restarts_as_it_was", LOG_TEXT("program", restart->program),
              LOG_TEXT("why", strerror(errno)));
    /* Its name is lost by this way of running it, and so becomes its first word. */
    memcpy(program, restart->program, sizeof(program));
    memcpy(argv, restart->argv, (size_t)restart->argc * sizeof(argv[0]));
    argv[0] = program;
    argv[restart->argc] = NULL;
    execv(THIS_PROGRAM, argv);
}
