/* The cage, call by call: a child enters it and tries one thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/cage.c"

enum { NO_CAGE = 250, KILLED = -1, DONE = 0 };

static char folder[] = "/tmp/cage_test.XXXXXX";
static char inside[64];
static char outside[64];

/* What a child tries: 0, or errno. Its argument is what the attempt is about. */
struct attempt {
    const char *name;
    int (*try)(const struct attempt *attempt);
    long number; /* of a system call */
    long a, b, c;
    int outcome;           /* KILLED, DONE, or errno */
    bool is_for_sanitizer; /* allowed in sanitized builds, which need it themselves */
};

static int outcome_of(long answer)
{
    return answer >= 0 ? DONE : errno;
}

static int try_call(const struct attempt *attempt)
{
    return outcome_of(syscall(attempt->number, attempt->a, attempt->b, attempt->c, -1L, -1L, -1L));
}

/* Arguments that no kernel takes: were it let through, it would do no harm. */
static int try_nonsense(const struct attempt *attempt)
{
    return outcome_of(syscall(attempt->number, -1L, -1L, -1L, -1L, -1L, -1L));
}

static int try_parent(const struct attempt *attempt)
{
    (void)attempt;
    return outcome_of(kill(getppid(), 0));
}

static int try_self(const struct attempt *attempt)
{
    (void)attempt;
    return outcome_of(kill(getpid(), 0));
}

static void *note(void *out_is_run)
{
    *(bool *)out_is_run = true;
    return NULL;
}

static int try_thread(const struct attempt *attempt)
{
    bool is_run = false;
    pthread_t thread;
    int error = pthread_create(&thread, NULL, note, &is_run);

    (void)attempt;
    if (error == 0)
        error = pthread_join(thread, NULL);
    return error == 0 && !is_run ? EINVAL : error;
}

static int try_map(const struct attempt *attempt)
{
    void *page = mmap(NULL, 4096, (int)attempt->a, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? errno : outcome_of(munmap(page, 4096));
}

static int try_pipe(const struct attempt *attempt)
{
    int ends[2];
    char byte = 'x';

    (void)attempt;
    if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], &byte, 1) != 1 ||
        read(ends[0], &byte, 1) != 1)
        return errno;
    return DONE;
}

static int try_open(const char *path, int flags)
{
    return outcome_of(open(path, flags | O_CLOEXEC, 0600));
}

static int try_write_inside(const struct attempt *attempt)
{
    char path[96];

    (void)attempt;
    snprintf(path, sizeof(path), "%s/new", inside);
    return try_open(path, O_WRONLY | O_CREAT);
}

static int try_write_outside(const struct attempt *attempt)
{
    (void)attempt;
    return try_open(outside, O_WRONLY);
}

static int try_read_outside(const struct attempt *attempt)
{
    (void)attempt;
    return try_open(outside, O_RDONLY);
}

static int try_make_folder(const struct attempt *attempt)
{
    char path[96];

    (void)attempt;
    snprintf(path, sizeof(path), "%s/folder", inside);
    return outcome_of(mkdir(path, 0700));
}

static int try_read_system(const struct attempt *attempt)
{
    (void)attempt;
    return try_open("/etc/passwd", O_RDONLY);
}

static int try_write_null(const struct attempt *attempt)
{
    (void)attempt;
    return try_open("/dev/null", O_WRONLY);
}

/* ---- cages ---- */

static bool enter_strict(void)
{
    const struct cage_files files = { .data = inside };
    struct cage_force force;

    cage_enter(&files, &force);
    return force.has_filter;
}

static bool enter_fenced(void)
{
    const struct cage_files files = { .data = inside };
    struct cage_force force;

    cage_enter(&files, &force);
    return force.has_filter && force.landlock_abi > 0;
}

/* What became of it in a child; NO_CAGE: this kernel has none, or this process may not enter. */
static int run(bool (*enter)(void), const struct attempt *attempt)
{
    const struct rlimit no_core = { 0, 0 };
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &no_core);
        _exit(enter() ? attempt->try(attempt) : NO_CAGE);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return KILLED;
    }
    return WEXITSTATUS(status);
}

static void run_all(bool (*enter)(void), const struct attempt *attempts, size_t count)
{
    const struct attempt nothing = { .name = "nothing", .try = try_self };

    if (run(enter, &nothing) == NO_CAGE) {
        print_message("skipped: this kernel has no seccomp or no Landlock, or a process of this "
                      "user may not have them\n");
        skip();
    }
    for (size_t i = 0; i < count; i++) {
        int outcome;

        if (IS_SANITIZED && attempts[i].is_for_sanitizer)
            continue;
        outcome = run(enter, &attempts[i]);
        if (outcome != attempts[i].outcome)
            fail_msg("%s: %d instead of %d", attempts[i].name, outcome, attempts[i].outcome);
    }
}

#define RUN_ALL(enter, attempts) run_all(enter, attempts, COUNT(attempts))
#define NONSENSE(call, end)                                                                        \
    {                                                                                              \
        .name = #call, .try = try_nonsense, .number = SYS_##call, .outcome = end                   \
    }
#define SOCKET(family, type, protocol, end)                                                        \
    {                                                                                              \
        .name = #family " " #type, .try = try_call, .number = SYS_socket, .a = family, .b = type,  \
        .c = protocol, .outcome = end                                                              \
    }

/* ---- tests ---- */

static void test_who_tries_what_is_forbidden_is_killed(void **state)
{
    static const struct attempt attempts[] = {
        NONSENSE(execve, KILLED),
        NONSENSE(execveat, KILLED),
        NONSENSE(mount, KILLED),
        NONSENSE(umount2, KILLED),
        NONSENSE(move_mount, KILLED),
        NONSENSE(pivot_root, KILLED),
        NONSENSE(chroot, KILLED),
        NONSENSE(setns, KILLED),
        NONSENSE(unshare, KILLED),
        NONSENSE(bpf, KILLED),
        NONSENSE(perf_event_open, KILLED),
        NONSENSE(userfaultfd, KILLED),
        NONSENSE(io_uring_setup, KILLED),
        NONSENSE(process_vm_readv, KILLED),
        NONSENSE(process_vm_writev, KILLED),
        NONSENSE(pidfd_open, KILLED),
        NONSENSE(open_by_handle_at, KILLED),
        NONSENSE(keyctl, KILLED),
        NONSENSE(init_module, KILLED),
        NONSENSE(kexec_load, KILLED),
        NONSENSE(reboot, KILLED),
        NONSENSE(clock_settime, KILLED),
        NONSENSE(setresuid, KILLED),
        NONSENSE(setgroups, KILLED),
        NONSENSE(capset, KILLED),
        NONSENSE(mknodat, KILLED),
        SOCKET(AF_PACKET, SOCK_RAW, 0, KILLED),
        SOCKET(AF_INET, SOCK_RAW, 1, KILLED),
        SOCKET(AF_INET6, SOCK_RAW, 1, KILLED),
        SOCKET(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 255, KILLED),
        SOCKET(AF_VSOCK, SOCK_STREAM, 0, KILLED),
        { .name = "ptrace",
          .try = try_nonsense,
          .number = SYS_ptrace,
          .outcome = KILLED,
          .is_for_sanitizer = true },
        { .name = "clone",
          .try = try_call,
          .number = SYS_clone,
          .a = SIGCHLD,
          .outcome = KILLED,
          .is_for_sanitizer = true },
        { .name = "a signal to another process",
          .try = try_parent,
          .outcome = KILLED,
          .is_for_sanitizer = true },
    };

    (void)state;
    RUN_ALL(enter_strict, attempts);
}

static void test_what_is_not_needed_is_refused(void **state)
{
    static const struct attempt attempts[] = {
        NONSENSE(chdir, EPERM),
        NONSENSE(shmget, EPERM),
        NONSENSE(semget, EPERM),
        NONSENSE(msgget, EPERM),
        NONSENSE(mq_open, EPERM),
        NONSENSE(vhangup, EPERM),
        SOCKET(AF_NETLINK, SOCK_RAW, 16, EPERM),
        SOCKET(AF_INET, SOCK_SEQPACKET, 0, EPERM),
        { .name = "prctl",
          .try = try_call,
          .number = SYS_prctl,
          .a = PR_SET_DUMPABLE,
          .b = 1,
          .outcome = EPERM,
          .is_for_sanitizer = true },
        { .name = "ioctl",
          .try = try_call,
          .number = SYS_ioctl,
          .b = TIOCSTI,
          .outcome = EPERM,
          .is_for_sanitizer = true },
        { .name = "memory to write and run",
          .try = try_map,
          .a = PROT_READ | PROT_WRITE | PROT_EXEC,
          .outcome = EPERM,
          .is_for_sanitizer = true },
        { .name = "clone3",
          .try = try_nonsense,
          .number = SYS_clone3,
          .outcome = ENOSYS,
          .is_for_sanitizer = true },
    };

    (void)state;
    RUN_ALL(enter_strict, attempts);
}

static void test_what_a_server_does_works(void **state)
{
    static const struct attempt attempts[] = {
        { .name = "a thread", .try = try_thread },
        { .name = "memory", .try = try_map, .a = PROT_READ | PROT_WRITE },
        { .name = "a pipe", .try = try_pipe },
        { .name = "a signal to itself", .try = try_self },
        { .name = "its data", .try = try_write_inside },
        { .name = "the system's files", .try = try_read_system },
        { .name = "/dev/null", .try = try_write_null },
        SOCKET(AF_UNIX, SOCK_STREAM, 0, DONE),
        SOCKET(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, DONE),
        SOCKET(AF_INET, SOCK_DGRAM, 0, DONE),
        SOCKET(AF_NETLINK, SOCK_RAW, 0, DONE),
    };

    (void)state;
    RUN_ALL(enter_strict, attempts);
}

static void test_files_of_others_are_out_of_reach(void **state)
{
    static const struct attempt attempts[] = {
        { .name = "its data", .try = try_write_inside },
        { .name = "to write elsewhere", .try = try_write_outside, .outcome = EACCES },
        { .name = "to read elsewhere", .try = try_read_outside, .outcome = EACCES },
    };

    (void)state;
    RUN_ALL(enter_fenced, attempts);
}

static void test_the_loose_cage_lets_a_program_run(void **state)
{
    static const struct attempt attempts[] = {
        NONSENSE(execve, EFAULT),
        NONSENSE(chdir, EFAULT),
        NONSENSE(mount, KILLED),
        NONSENSE(setns, KILLED),
        NONSENSE(bpf, KILLED),
        NONSENSE(process_vm_readv, KILLED),
        SOCKET(AF_PACKET, SOCK_RAW, 0, KILLED),
        SOCKET(AF_INET, SOCK_STREAM, 0, DONE),
        { .name = "to write elsewhere", .try = try_write_outside },
        { .name = "ptrace",
          .try = try_nonsense,
          .number = SYS_ptrace,
          .outcome = KILLED,
          .is_for_sanitizer = true },
    };

    (void)state;
    RUN_ALL(cage_enter_loose, attempts);
}

static void test_who_only_reads_makes_nothing(void **state)
{
    static const struct attempt attempts[] = {
        { .name = "to write", .try = try_write_outside, .outcome = EACCES },
        { .name = "to make a folder", .try = try_make_folder, .outcome = EACCES },
        { .name = "to read", .try = try_read_outside },
        { .name = "/dev/null", .try = try_write_null },
    };

    (void)state;
    RUN_ALL(cage_enter_read_only, attempts);
}

static int set_up(void **state)
{
    int fd;

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(inside, sizeof(inside), "%s/data", folder);
    snprintf(outside, sizeof(outside), "%s/other", folder);
    fd = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) != 0)
        return -1;
    return mkdir(inside, 0700);
}

static int tear_down(void **state)
{
    char path[96];

    (void)state;
    snprintf(path, sizeof(path), "%s/new", inside);
    unlink(path);
    unlink(outside);
    rmdir(inside);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_tries_what_is_forbidden_is_killed),
        cmocka_unit_test(test_what_is_not_needed_is_refused),
        cmocka_unit_test(test_what_a_server_does_works),
        cmocka_unit_test(test_files_of_others_are_out_of_reach),
        cmocka_unit_test(test_the_loose_cage_lets_a_program_run),
        cmocka_unit_test(test_who_only_reads_makes_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
