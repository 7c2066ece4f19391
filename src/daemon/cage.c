#include "daemon/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizers of test builds look into their own process and end by a process of their own. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/* ---- system calls ---- */

#define CALL(name) SCMP_SYS(name)

/* No part of Jeton ever needs one of these; who asks is killed. */
static const int forbidden[] = {
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(mount),
    CALL(umount2),
    CALL(umount),
    CALL(pivot_root),
    CALL(chroot),
    CALL(move_mount),
    CALL(open_tree),
    CALL(fsopen),
    CALL(fsconfig),
    CALL(fsmount),
    CALL(fspick),
    CALL(mount_setattr),
    CALL(bpf),
    CALL(kexec_load),
    CALL(kexec_file_load),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(perf_event_open),
    CALL(userfaultfd),
    CALL(open_by_handle_at),
    CALL(add_key),
    CALL(request_key),
    CALL(keyctl),
    CALL(setns),
    CALL(unshare),
    CALL(reboot),
    CALL(swapon),
    CALL(swapoff),
    CALL(iopl),
    CALL(ioperm),
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(kcmp),
    CALL(pidfd_getfd),
    CALL(acct),
    CALL(quotactl),
    CALL(sethostname),
    CALL(setdomainname),
    CALL(settimeofday),
    CALL(clock_settime),
    CALL(adjtimex),
    CALL(clock_adjtime),
    CALL(syslog),
};

/* Beside those, nothing that is caged runs or starts a program, or signals another process. */
static const int forbidden_inside[] = {
    CALL(execve),
    CALL(execveat),
    CALL(fork),
    CALL(vfork),
    CALL(tkill),
    CALL(rt_sigqueueinfo),
    CALL(rt_tgsigqueueinfo),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(setuid),
    CALL(setgid),
    CALL(setreuid),
    CALL(setregid),
    CALL(setresuid),
    CALL(setresgid),
    CALL(setgroups),
    CALL(setfsuid),
    CALL(setfsgid),
    CALL(capset),
    CALL(personality),
    CALL(mknod),
    CALL(mknodat),
    CALL(process_madvise),
};

/* What glibc, OpenSSL, SQLite, libpq and Jeton itself call, whatever the arguments. */
static const int allowed[] = {
    CALL(accept),
    CALL(accept4),
    CALL(access),
    CALL(arch_prctl),
    CALL(bind),
    CALL(brk),
    CALL(chmod),
    CALL(chown),
    CALL(clock_getres),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(close),
    CALL(close_range),
    CALL(connect),
    CALL(copy_file_range),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL(epoll_create),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    CALL(epoll_wait),
    CALL(eventfd),
    CALL(eventfd2),
    CALL(exit),
    CALL(exit_group),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(fadvise64),
    CALL(fallocate),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(fchown),
    CALL(fchownat),
    CALL(fcntl),
    CALL(fdatasync),
    CALL(fgetxattr),
    CALL(flock),
    CALL(fstat),
    CALL(fstatfs),
    CALL(fsync),
    CALL(ftruncate),
    CALL(futex),
    CALL(get_robust_list),
    CALL(getcpu),
    CALL(getcwd),
    CALL(getdents),
    CALL(getdents64),
    CALL(getegid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getgroups),
    CALL(getpeername),
    CALL(getpgrp),
    CALL(getpgid),
    CALL(getpid),
    CALL(getppid),
    CALL(getpriority),
    CALL(getrandom),
    CALL(getresgid),
    CALL(getresuid),
    CALL(getrlimit),
    CALL(getrusage),
    CALL(getsid),
    CALL(getsockname),
    CALL(getsockopt),
    CALL(gettid),
    CALL(gettimeofday),
    CALL(getuid),
    CALL(inotify_add_watch),
    CALL(inotify_init1),
    CALL(inotify_rm_watch),
    CALL(landlock_add_rule),
    CALL(landlock_create_ruleset),
    CALL(landlock_restrict_self),
    CALL(lgetxattr),
    CALL(link),
    CALL(linkat),
    CALL(listen),
    CALL(lseek),
    CALL(lstat),
    CALL(madvise),
    CALL(membarrier),
    CALL(memfd_create),
    CALL(mincore),
    CALL(mkdir),
    CALL(mkdirat),
    CALL(mlock),
    CALL(mlock2),
    CALL(mlockall),
    CALL(mremap),
    CALL(msync),
    CALL(munlock),
    CALL(munlockall),
    CALL(munmap),
    CALL(nanosleep),
    CALL(newfstatat),
    CALL(open),
    CALL(openat),
    CALL(openat2),
    CALL(pause),
    CALL(pipe),
    CALL(pipe2),
    CALL(poll),
    CALL(ppoll),
    CALL(pread64),
    CALL(preadv),
    CALL(preadv2),
    CALL(pselect6),
    CALL(pwrite64),
    CALL(pwritev),
    CALL(pwritev2),
    CALL(read),
    CALL(readahead),
    CALL(readlink),
    CALL(readlinkat),
    CALL(readv),
    CALL(recvfrom),
    CALL(recvmmsg),
    CALL(recvmsg),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(restart_syscall),
    CALL(rmdir),
    CALL(rseq),
    CALL(rt_sigaction),
    CALL(rt_sigpending),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigsuspend),
    CALL(rt_sigtimedwait),
    CALL(sched_get_priority_max),
    CALL(sched_get_priority_min),
    CALL(sched_getaffinity),
    CALL(sched_getattr),
    CALL(sched_getparam),
    CALL(sched_getscheduler),
    CALL(sched_setaffinity),
    CALL(sched_setattr),
    CALL(sched_setscheduler),
    CALL(sched_yield),
    CALL(seccomp),
    CALL(select),
    CALL(sendfile),
    CALL(sendmmsg),
    CALL(sendmsg),
    CALL(sendto),
    CALL(set_robust_list),
    CALL(set_tid_address),
    CALL(setitimer),
    CALL(setpriority),
    CALL(setrlimit),
    CALL(setsockopt),
    CALL(shutdown),
    CALL(sigaltstack),
    CALL(socketpair),
    CALL(splice),
    CALL(stat),
    CALL(statfs),
    CALL(statx),
    CALL(symlink),
    CALL(symlinkat),
    CALL(sync_file_range),
    CALL(sysinfo),
    CALL(tee),
    CALL(time),
    CALL(timer_create),
    CALL(timer_delete),
    CALL(timer_settime),
    CALL(timerfd_create),
    CALL(timerfd_gettime),
    CALL(timerfd_settime),
    CALL(times),
    CALL(truncate),
    CALL(ugetrlimit),
    CALL(umask),
    CALL(uname),
    CALL(unlink),
    CALL(unlinkat),
    CALL(utimensat),
    CALL(wait4),
    CALL(waitid),
    CALL(write),
    CALL(writev),
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A call that this machine's kernel does not have has a negative number. */
static bool add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (calls[i] >= 0 && seccomp_rule_add(filter, action, calls[i], 0) != 0)
            return false;
    return true;
}

/* A rule about one argument. */
struct argument_rule {
    uint32_t action;
    int call;
    struct scmp_arg_cmp compare;
};

static bool add_rules(scmp_filter_ctx filter, const struct argument_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (seccomp_rule_add_array(filter, rules[i].action, rules[i].call, 1, &rules[i].compare) !=
            0)
            return false;
    return true;
}

#define COMPARED(i, how, a, b)                                                                     \
    ((struct scmp_arg_cmp){ i, how, (scmp_datum_t)(a), (scmp_datum_t)(b) })
#define IS(argument, value)           COMPARED(argument, SCMP_CMP_EQ, value, 0)
#define ISNT(argument, value)         COMPARED(argument, SCMP_CMP_NE, value, 0)
#define IS_OVER(argument, value)      COMPARED(argument, SCMP_CMP_GT, value, 0)
#define MASKED(argument, mask, value) COMPARED(argument, SCMP_CMP_MASKED_EQ, mask, value)

enum { PR_SET_VMA_NUMBER = 0x53564d41, SOCKET_TYPE_MASK = 0xf };

static bool add_sockets(scmp_filter_ctx filter)
{
    const struct argument_rule rules[] = {
        { SCMP_ACT_ALLOW, CALL(socket), IS(0, AF_UNIX) },
        { SCMP_ACT_KILL_PROCESS, CALL(socket), IS_OVER(0, AF_NETLINK) },
    };

    if (!add_rules(filter, rules, COUNT(rules)) ||
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 2, IS(0, AF_NETLINK), IS(2, 0)) != 0)
        return false;
    for (size_t i = 0; i < 2; i++) {
        const int family = i == 0 ? AF_INET : AF_INET6;

        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 2, IS(0, family),
                             MASKED(1, SOCKET_TYPE_MASK, SOCK_STREAM)) != 0 ||
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 2, IS(0, family),
                             MASKED(1, SOCKET_TYPE_MASK, SOCK_DGRAM)) != 0 ||
            seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, CALL(socket), 2, IS(0, family),
                             MASKED(1, SOCKET_TYPE_MASK, SOCK_RAW)) != 0)
            return false;
    }
    return true;
}

static bool add_arguments(scmp_filter_ctx filter)
{
    const uint32_t allow = SCMP_ACT_ALLOW;
    const uint32_t kill = SCMP_ACT_KILL_PROCESS;
    const struct argument_rule rules[] = {
        { allow, CALL(clone), MASKED(0, CLONE_THREAD, CLONE_THREAD) },
        { kill, CALL(clone), MASKED(0, CLONE_THREAD, 0) },
        { allow, CALL(kill), IS(0, getpid()) },
        { kill, CALL(kill), ISNT(0, getpid()) },
        { allow, CALL(tgkill), IS(0, getpid()) },
        { kill, CALL(tgkill), ISNT(0, getpid()) },
        { allow, CALL(prlimit64), IS(0, 0) },
        { allow, CALL(prctl), IS(0, PR_SET_NAME) },
        { allow, CALL(prctl), IS(0, PR_GET_NAME) },
        { allow, CALL(prctl), IS(0, PR_GET_SECCOMP) },
        { allow, CALL(prctl), IS(0, PR_GET_DUMPABLE) },
        { allow, CALL(prctl), IS(0, PR_SET_VMA_NUMBER) },
        { allow, CALL(ioctl), IS(1, FIONREAD) },
        { allow, CALL(ioctl), IS(1, FIONBIO) },
        { allow, CALL(ioctl), IS(1, FIOCLEX) },
        { allow, CALL(ioctl), IS(1, TCGETS) },
        { allow, CALL(ioctl), IS(1, TIOCGWINSZ) },
        { allow, CALL(ioctl), MASKED(1, 0xffffff00, 0x8900) }, /* of interfaces: if_nametoindex */
        { allow, CALL(mmap), MASKED(2, PROT_EXEC, 0) },
        { allow, CALL(mmap), MASKED(2, PROT_WRITE | PROT_EXEC, PROT_EXEC) },
        { allow, CALL(mprotect), MASKED(2, PROT_EXEC, 0) },
        { allow, CALL(mprotect), MASKED(2, PROT_WRITE | PROT_EXEC, PROT_EXEC) },
    };

    return add_rules(filter, rules, COUNT(rules)) && add_sockets(filter) &&
           /* Its flags are in memory, where a filter cannot look; glibc then calls clone. */
           seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, CALL(ptrace), 0) == 0;
}

static bool add_for_sanitizers(scmp_filter_ctx filter)
{
    static const int calls[] = { CALL(clone),  CALL(kill),   CALL(tgkill),     CALL(prlimit64),
                                 CALL(prctl),  CALL(ioctl),  CALL(mmap),       CALL(mprotect),
                                 CALL(ptrace), CALL(clone3), CALL(personality) };

    return add_all(filter, SCMP_ACT_ALLOW, calls, COUNT(calls)) && add_sockets(filter);
}

static bool load(scmp_filter_ctx filter)
{
    /* A tree instead of a chain; the old library does without. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    return seccomp_load(filter) == 0; /* and with it no_new_privs */
}

static bool enter_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    bool is_in;

    if (filter == NULL)
        return false;
    is_in = add_all(filter, SCMP_ACT_KILL_PROCESS, forbidden, COUNT(forbidden)) &&
            add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    for (size_t i = 0; is_in && i < COUNT(forbidden_inside); i++)
        if (!(IS_SANITIZED && forbidden_inside[i] == CALL(personality)))
            is_in = add_all(filter, SCMP_ACT_KILL_PROCESS, &forbidden_inside[i], 1);
    is_in = is_in && (IS_SANITIZED ? add_for_sanitizers(filter) : add_arguments(filter)) &&
            load(filter);
    seccomp_release(filter);
    return is_in;
}

bool cage_enter_loose(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool is_in;

    if (filter == NULL)
        return false;
    is_in =
        add_all(filter, SCMP_ACT_KILL_PROCESS, forbidden, COUNT(forbidden)) &&
        seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, CALL(socket), 1, IS_OVER(0, AF_NETLINK)) ==
            0 &&
        (IS_SANITIZED || seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, CALL(ptrace), 0) == 0) &&
        load(filter);
    seccomp_release(filter);
    return is_in;
}

/* ---- files ---- */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

enum { ABI_WITH_REFER = 2, ABI_WITH_TRUNCATE = 3 };

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_FILE                                                                                \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |  \
     LANDLOCK_ACCESS_FS_EXECUTE)
#define RIGHTS_CHANGE                                                                              \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |      \
     LANDLOCK_ACCESS_FS_TRUNCATE)

/* A set of rules that is being made; fd -1: this kernel has no Landlock. */
struct fence {
    int fd;
    int abi;
    uint64_t handled;
};

static struct fence fence_open(uint64_t rights)
{
    struct fence fence = { .fd = -1 };
    struct landlock_ruleset_attr attributes;

    fence.abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (fence.abi < 1)
        return fence;
    if (fence.abi < ABI_WITH_REFER)
        rights &= ~LANDLOCK_ACCESS_FS_REFER;
    if (fence.abi < ABI_WITH_TRUNCATE)
        rights &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
    fence.handled = rights;
    attributes = (struct landlock_ruleset_attr){ .handled_access_fs = rights };
    fence.fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    return fence;
}

/* What is not there needs no rule. */
static void fence_allow(const struct fence *fence, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = rights & fence->handled };
    struct stat status;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return;
    if (fstat(rule.parent_fd, &status) == 0) {
        if (!S_ISDIR(status.st_mode))
            rule.allowed_access &= RIGHTS_FILE;
        (void)syscall(SYS_landlock_add_rule, fence->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
}

/* The ABI that is in force now; 0: none. */
static int fence_enter(const struct fence *fence)
{
    bool is_in = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                 syscall(SYS_landlock_restrict_self, fence->fd, 0) == 0;

    close(fence->fd);
    return is_in ? fence->abi : 0;
}

/* Where what belongs to ours lies; the module by its name, too, for it may be a link. */
static void allow_own_folder(const struct fence *fence)
{
    static const char *const places[] = {
        "",          "/../lib/jeton",     "/../libexec/jeton", "/../store", "/../src/store",
        "/../fetch", "/jeton-postgres.so"
    };
    char path[PATH_MAX];
    char own[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own));

    while (len > 0 && own[len - 1] != '/')
        len--;
    for (size_t i = 0; len > 1 && i < COUNT(places); i++)
        if (snprintf(path, sizeof(path), "%.*s%s", (int)len - 1, own, places[i]) <
            (int)sizeof(path))
            fence_allow(fence, path, RIGHTS_READ);
}

static int enter_fence(const struct cage_files *files)
{
    static const char *const common[] = { "/usr",
                                          "/etc",
                                          "/proc",
                                          "/sys/devices/system/cpu",
                                          "/sys/fs/cgroup",
                                          "/run/systemd/resolve",
                                          "/run/resolvconf",
                                          "/run/NetworkManager",
                                          "/dev/urandom",
                                          "/dev/random",
                                          "/dev/zero" };
    struct fence fence = fence_open(RIGHTS_READ | RIGHTS_CHANGE | LANDLOCK_ACCESS_FS_EXECUTE);

    if (fence.fd < 0)
        return 0;
    for (size_t i = 0; i < COUNT(common); i++)
        fence_allow(&fence, common[i], RIGHTS_READ);
    allow_own_folder(&fence);
    for (size_t i = 0; i < files->read_count; i++)
        fence_allow(&fence, files->read[i], RIGHTS_READ);
    for (size_t i = 0; i < files->socket_count; i++)
        fence_allow(&fence, files->sockets[i],
                    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE);
    fence_allow(&fence, "/dev/null", RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE);
    if (files->data != NULL)
        fence_allow(&fence, files->data, RIGHTS_READ | RIGHTS_CHANGE);
    return fence_enter(&fence);
}

bool cage_enter_read_only(void)
{
    struct fence fence = fence_open(RIGHTS_CHANGE);

    if (fence.fd < 0)
        return false;
    fence_allow(&fence, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
    return fence_enter(&fence) > 0;
}

/* ---- both ---- */

void cage_files_add(struct cage_files *files, const char *path_or_null)
{
    if (path_or_null != NULL && path_or_null[0] != '\0' && files->read_count < CAGE_PATH_COUNT_MAX)
        files->read[files->read_count++] = path_or_null;
}

void cage_enter(const struct cage_files *files, struct cage_force *out_force)
{
    out_force->landlock_abi = enter_fence(files);
    out_force->has_filter = enter_filter();
}
