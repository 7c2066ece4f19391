#include "daemon/doctor_cage.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/cage.h"
#include "daemon/command.h"

/* ---- attempts: each answers whether it got through ---- */

/* What the parent of the attempts has prepared: a data folder, and a place beside it. */
struct trial {
    char folder[64];
    char data[80];
    char beside[80];
    char inside[96];
};

static bool try_program(const struct trial *trial)
{
    char name[] = "true";
    char *const words[] = { name, NULL };

    (void)trial;
    (void)execv("/bin/true", words);
    return false;
}

static bool try_process(const struct trial *trial)
{
    pid_t pid = fork();

    (void)trial;
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool try_trace(const struct trial *trial)
{
    (void)trial;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool try_packets(const struct trial *trial)
{
    (void)trial;
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0;
}

static bool try_mount(const struct trial *trial)
{
    if (mount(trial->data, trial->data, NULL, MS_BIND, NULL) != 0)
        return false;
    /* What got through must not stay: it would outlive the folder's removal. */
    (void)umount2(trial->data, MNT_DETACH);
    return true;
}

static bool try_namespace(const struct trial *trial)
{
    (void)trial;
    return unshare(CLONE_NEWUSER) == 0;
}

static bool try_kill(const struct trial *trial)
{
    (void)trial;
    return kill(getppid(), 0) == 0;
}

static bool try_open(const char *path, int flags)
{
    return open(path, flags | O_CLOEXEC, 0600) >= 0;
}

static bool try_read(const struct trial *trial)
{
    return try_open(trial->beside, O_RDONLY);
}

static bool try_list(const struct trial *trial)
{
    (void)trial;
    return try_open("/", O_RDONLY | O_DIRECTORY);
}

static bool try_write(const struct trial *trial)
{
    return try_open(trial->beside, O_WRONLY | O_TRUNC);
}

static bool try_remove(const struct trial *trial)
{
    return rmdir(trial->inside) == 0 || unlink(trial->beside) == 0;
}

/* The other way round: what a server needs has to go on working. */
static bool try_data(const struct trial *trial)
{
    return try_open(trial->inside, O_RDWR | O_CREAT);
}

static const struct attempt {
    const char *words;
    bool (*run)(const struct trial *);
    bool is_needed;
} attempts[] = {
    { "write in the data folder", try_data, true },
    { "run a program", try_program, false },
    { "start a process", try_process, false },
    { "trace a process", try_trace, false },
    { "signal another process", try_kill, false },
    { "open a packet socket", try_packets, false },
    { "mount", try_mount, false },
    { "make a namespace", try_namespace, false },
    { "read a file elsewhere", try_read, false },
    { "list a folder elsewhere", try_list, false },
    { "write a file elsewhere", try_write, false },
    { "remove a file elsewhere", try_remove, false },
};

/* ---- the child ---- */

enum { EXIT_THROUGH = 3, EXIT_REFUSED = 4 };

/* execve that succeeded ends with the program's status. */
static int run_attempt(const struct attempt *attempt, const struct trial *trial, bool is_caged)
{
    struct cage_files files = { .data = trial->data };
    struct cage_force force;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (is_caged)
            cage_enter(&files, &force);
        _exit(attempt->run(trial) ? EXIT_THROUGH : EXIT_REFUSED);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 ? status : -1;
}

static bool judge(const struct attempt *attempt, int status, struct sink *out)
{
    const char *words = "got through";
    bool is_through = WIFEXITED(status) && WEXITSTATUS(status) != EXIT_REFUSED;
    bool is_good = is_through == attempt->is_needed;

    if (attempt->is_needed)
        words = is_through ? "works" : "does not work";
    else if (WIFSIGNALED(status))
        words = "killed";
    else if (!is_through)
        words = "refused";
    sink_format(out, "%-4s  %-28s  %s\n", is_good ? "ok" : "fail", attempt->words, words);
    return is_good;
}

static bool make_trial(struct trial *out_trial)
{
    int fd;

    snprintf(out_trial->folder, sizeof(out_trial->folder), "/tmp/jeton-doctor-XXXXXX");
    if (mkdtemp(out_trial->folder) == NULL)
        return false;
    snprintf(out_trial->data, sizeof(out_trial->data), "%s/data", out_trial->folder);
    snprintf(out_trial->beside, sizeof(out_trial->beside), "%s/beside", out_trial->folder);
    snprintf(out_trial->inside, sizeof(out_trial->inside), "%s/inside", out_trial->data);
    fd = open(out_trial->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 && mkdir(out_trial->data, 0700) == 0;
}

static void remove_trial(const struct trial *trial)
{
    (void)unlink(trial->inside);
    (void)unlink(trial->beside);
    (void)rmdir(trial->data);
    (void)rmdir(trial->folder);
}

int doctor_cage_prove(bool is_caged, struct sink *out, struct sink *err)
{
    struct trial trial;
    bool is_good = true;

    sink_flush(out); /* the children have a copy of what is in it */
    if (!make_trial(&trial)) {
        sink_format(err, "jeton: doctor: %s: %s\n", trial.folder, strerror(errno));
        return STATUS_REFUSED;
    }
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        is_good &= judge(&attempts[i], run_attempt(&attempts[i], &trial, is_caged), out);
        sink_flush(out);
    }
    remove_trial(&trial);
    return is_good ? STATUS_DONE : STATUS_REFUSED;
}
