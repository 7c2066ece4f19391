/*
 * Part of a build with -Db_coverage=true alone: lets each process write down which lines it ran.
 *
 * gcov does so when a program returns from main. What ends otherwise would be counted as never run,
 * and a caged process may write nothing outside of its data. So the linker leads four calls here
 * (--wrap, see meson.build): _exit writes first; a fence of Landlock gets one more rule, for the
 * folder of the build; and a helper that would be killed is asked to end, and then killed.
 *
 * What a test kills with SIGKILL writes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SYSTEM_CALL_ARGUMENTS = 6, WAITS_MAX = 200, WAIT_NS = 10 * 1000 * 1000 };

void __gcov_dump(void);

_Noreturn void __real__exit(int status);
long __real_syscall(long number, ...);
int __real_kill(pid_t pid, int number);
int __real_prctl(int option, ...);

_Noreturn void __wrap__exit(int status);
long __wrap_syscall(long number, ...);
int __wrap_kill(pid_t pid, int number);
int __wrap_prctl(int option, ...);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

/* One rule for each right: a fence refuses a rule with a right that it does not know. */
static void allow_writing(int fence_fd)
{
    struct landlock_path_beneath_attr rule = { .parent_fd =
                                                   open(COVERAGE_FOLDER, O_PATH | O_CLOEXEC) };

    if (rule.parent_fd < 0)
        return;
    for (unsigned bit = 0; bit < 64; bit++) {
        rule.allowed_access = UINT64_C(1) << bit;
        (void)__real_syscall(SYS_landlock_add_rule, fence_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
}

long __wrap_syscall(long number, ...)
{
    long values[SYSTEM_CALL_ARGUMENTS];
    va_list rest;

    va_start(rest, number);
    for (size_t i = 0; i < SYSTEM_CALL_ARGUMENTS; i++)
        values[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_landlock_restrict_self)
        allow_writing((int)values[0]);
    return __real_syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

/* Waits for a child to end by itself, and leaves it to be waited for. */
static void wait_for_end(pid_t pid)
{
    const struct timespec pause = { .tv_nsec = WAIT_NS };
    siginfo_t info = { .si_pid = 0 };

    for (int i = 0; i < WAITS_MAX; i++) {
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
            return;
        nanosleep(&pause, NULL);
    }
}

int __wrap_kill(pid_t pid, int number)
{
    if (number == SIGKILL && __real_kill(pid, SIGTERM) == 0)
        wait_for_end(pid);
    return __real_kill(pid, number);
}

static void end_by_signal(int number)
{
    (void)number;
    __wrap__exit(0);
}

static bool is_helper(void)
{
    return strcmp(program_invocation_short_name, "jeton-fetch") == 0;
}

/* The signal that tells a helper that its server has gone. */
int __wrap_prctl(int option, ...)
{
    unsigned long values[4];
    va_list rest;

    va_start(rest, option);
    for (size_t i = 0; i < 4; i++)
        values[i] = va_arg(rest, unsigned long);
    va_end(rest);
    if (option == PR_SET_PDEATHSIG && is_helper())
        values[0] = SIGTERM;
    return __real_prctl(option, values[0], values[1], values[2], values[3]);
}

__attribute__((constructor)) static void hear_signals(void)
{
    if (is_helper())
        (void)signal(SIGTERM, end_by_signal);
}
