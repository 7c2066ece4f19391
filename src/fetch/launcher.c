#include "fetch/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fetch/wire.h"

/* Of the server: a pid to end, or 0 and a descriptor to start with. The answer is a pid. */
struct order {
    pid_t pid;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int launcher_fd = -1; /* in each of the two processes its end */
static pid_t launcher_pid;

/* ---- the program ---- */

bool launcher_find_program(char out_path[static PATH_MAX])
{
    static const char *const places[] = { "/jeton-fetch", "/../libexec/jeton/jeton-fetch",
                                          "/../fetch/jeton-fetch" };
    char own[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);

    while (len > 0 && own[len - 1] != '/')
        len--;
    for (size_t i = 0; len > 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        int written = snprintf(out_path, PATH_MAX, "%.*s%s", (int)len - 1, own, places[i]);

        if (written < PATH_MAX && access(out_path, X_OK) == 0)
            return true;
    }
    return false;
}

/* The child's descriptors and signals; everything else of ours ends at the exec. */
static bool plan_child(int child_fd, posix_spawn_file_actions_t *actions, posix_spawnattr_t *how)
{
    sigset_t none;
    sigset_t all;

    sigemptyset(&none);
    sigfillset(&all);
    return posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) ==
               0 &&
           posix_spawn_file_actions_adddup2(actions, child_fd, WIRE_FD) == 0 &&
           posix_spawn_file_actions_addclosefrom_np(actions, WIRE_FD + 1) == 0 &&
           posix_spawnattr_setsigmask(how, &none) == 0 &&
           posix_spawnattr_setsigdefault(how, &all) == 0 &&
           posix_spawnattr_setflags(how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0;
}

pid_t launcher_spawn(const char *program, int fd)
{
    char name[] = "jeton-fetch";
    char *const words[] = { name, NULL };
    char *const environment[] = { NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t how;
    pid_t pid = 0;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&how);
    if (!plan_child(fd, &actions, &how) ||
        posix_spawn(&pid, program, &actions, &how, words, environment) != 0)
        pid = 0;
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* ---- one order, and its answer ---- */

static bool send_order(int fd, pid_t pid, int passed_fd)
{
    struct order order = { .pid = pid };
    struct iovec part = { .iov_base = &order, .iov_len = sizeof(order) };
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control = { .bytes = { 0 } };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    struct cmsghdr *head;

    if (passed_fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &passed_fd, sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(order);
}

static bool take_order(int fd, struct order *out_order, int *out_passed_fd)
{
    struct iovec part = { .iov_base = out_order, .iov_len = sizeof(*out_order) };
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    struct cmsghdr *head;
    ssize_t len;

    *out_passed_fd = -1;
    do
        len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(out_passed_fd, CMSG_DATA(head), sizeof(int));
    return len == (ssize_t)sizeof(*out_order);
}

/* ---- the launcher's side ---- */

static void end_child(pid_t pid)
{
    /* A child of ours that nobody has waited for keeps its number. */
    if (pid <= 0 || waitpid(pid, NULL, WNOHANG) != 0)
        return;
    kill(pid, SIGKILL); /* it keeps nothing that could be lost */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void leave_all(void)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd >= 0) {
        dup2(null_fd, STDIN_FILENO);
        dup2(null_fd, STDOUT_FILENO);
    }
    if (launcher_fd != WIRE_FD)
        launcher_fd = dup3(launcher_fd, WIRE_FD, O_CLOEXEC);
    (void)close_range(WIRE_FD + 1, ~0U, 0);
    signal(SIGTERM, SIG_IGN); /* it goes when the server has gone, who may still send mail */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
}

_Noreturn void launcher_main(void)
{
    char program[PATH_MAX];
    bool has_program = launcher_find_program(program);
    struct order order;
    int fd;

    while (take_order(launcher_fd, &order, &fd)) {
        pid_t pid = 0;

        if (order.pid != 0)
            end_child(order.pid);
        else if (fd >= 0 && (has_program || (has_program = launcher_find_program(program))))
            pid = launcher_spawn(program, fd);
        if (fd >= 0)
            close(fd);
        if (!send_order(launcher_fd, pid, -1))
            break;
    }
    _exit(0);
}

/* ---- the server's side ---- */

bool launcher_fork(bool *out_is_child)
{
    int ends[2];
    pid_t parent = getpid();
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    pid = fork();
    *out_is_child = pid == 0;
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    launcher_pid = pid;
    launcher_fd = ends[pid == 0];
    close(ends[pid != 0]);
    if (pid > 0)
        return true;
    leave_all();
    (void)prctl(PR_SET_NAME, "jeton-launcher", 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(0);
    return true;
}

bool launcher_is_there(void)
{
    return launcher_fd >= 0;
}

static pid_t ask(pid_t pid, int fd)
{
    struct order answer = { .pid = 0 };
    int none = -1;

    pthread_mutex_lock(&lock);
    if (!send_order(launcher_fd, pid, fd) || !take_order(launcher_fd, &answer, &none))
        answer.pid = 0;
    pthread_mutex_unlock(&lock);
    if (none >= 0)
        close(none);
    return answer.pid;
}

pid_t launcher_run(int fd)
{
    return ask(0, fd);
}

void launcher_end(pid_t pid)
{
    (void)ask(pid, -1);
}

void launcher_close(void)
{
    if (launcher_fd < 0)
        return;
    close(launcher_fd);
    launcher_fd = -1;
    while (waitpid(launcher_pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
