/*
 * Makes system calls and allocations of a process fail: a library that LD_PRELOAD puts before the
 * others, for the tests of test/fault (inject.py).
 *
 * Calls are counted by kind. Those on files are counted below JETON_INJECT_FOLDER alone;
 * allocations all, those of libraries too, and so are mappings of memory that is no file's.
 * JETON_INJECT_CONTROL names a file of the size of struct control that this process and the test
 * share in memory: the test writes which kinds count, which of them fails, how, and whether all
 * behind it do. Nothing here needs a system call once the process has begun.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum kind {
    KIND_OPEN,
    KIND_WRITE,
    KIND_SYNC,
    KIND_RENAME,
    KIND_TRUNCATE,
    KIND_ALLOCATION,
    KIND_MAPPING,
    KIND_COUNT
};

enum { SHORT_WRITE = 1000, DESCRIPTOR_COUNT = 65536, FOLDER_BYTES_MAX = 4096 };

struct control {
    _Atomic uint64_t kinds;     /* a bit for each kind that counts        */
    _Atomic uint64_t number;    /* of the call that fails, from 1; 0 none */
    _Atomic uint64_t is_sticky; /* all calls behind it fail as well       */
    _Atomic uint64_t error;     /* errno, or SHORT_WRITE                  */
    _Atomic uint64_t counted;
    _Atomic uint64_t failed;
};

static struct control idle;
static struct control *control = &idle;
static char folder[FOLDER_BYTES_MAX];
static size_t folder_len;
static atomic_bool is_below[DESCRIPTOR_COUNT];

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("JETON_INJECT_CONTROL");
    const char *below = getenv("JETON_INJECT_FOLDER");
    void *shared;
    int fd;

    if (name == NULL || below == NULL || strlen(below) >= sizeof(folder))
        return;
    fd = open(name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    shared = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED)
        return;
    folder_len = strlen(below);
    memcpy(folder, below, folder_len + 1);
    control = shared;
}

/* Counts a call; true when it is to fail, *out_error then says how. */
static bool fails(enum kind kind, uint64_t *out_error)
{
    uint64_t number = atomic_load(&control->number);
    uint64_t place;

    if ((atomic_load(&control->kinds) & 1u << kind) == 0)
        return false;
    place = atomic_fetch_add(&control->counted, 1) + 1;
    if (number == 0 || place < number || (place > number && atomic_load(&control->is_sticky) == 0))
        return false;
    atomic_fetch_add(&control->failed, 1);
    *out_error = atomic_load(&control->error);
    return true;
}

static bool fails_with_errno(enum kind kind)
{
    uint64_t error;

    if (!fails(kind, &error))
        return false;
    errno = error == SHORT_WRITE ? EIO : (int)error;
    return true;
}

#define NEXT(type, name) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

/* ---- files ---------------------------------------------------------------------------------- */

static bool is_path_below(const char *path)
{
    return folder_len > 0 && path != NULL && strncmp(path, folder, folder_len) == 0 &&
           (path[folder_len] == '/' || path[folder_len] == '\0');
}

static bool is_fd_below(int fd)
{
    return fd >= 0 && fd < DESCRIPTOR_COUNT && atomic_load(&is_below[fd]);
}

static int note_fd(int fd, bool below)
{
    if (fd >= 0 && fd < DESCRIPTOR_COUNT)
        atomic_store(&is_below[fd], below);
    return fd;
}

typedef int (*open_call)(const char *path, int flags, ...);
typedef int (*openat_call)(int dir, const char *path, int flags, ...);

static int open_by(const char *name, const char *path, int flags, mode_t mode)
{
    bool below = is_path_below(path);

    if (below && fails_with_errno(KIND_OPEN))
        return -1;
    return note_fd(NEXT(open_call, name)(path, flags, mode), below);
}

static int openat_by(const char *name, int dir, const char *path, int flags, mode_t mode)
{
    bool below = is_path_below(path) || (path != NULL && path[0] != '/' && is_fd_below(dir));

    if (below && fails_with_errno(KIND_OPEN))
        return -1;
    return note_fd(NEXT(openat_call, name)(dir, path, flags, mode), below);
}

#define TAKE_MODE(flags, out_mode)                                                                 \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        *(out_mode) = (mode_t)(((flags) & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, int) : 0);    \
        va_end(args);                                                                              \
    } while (0)

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        mode_t mode;                                                                               \
        TAKE_MODE(flags, &mode);                                                                   \
        return open_by(#name, path, flags, mode);                                                  \
    }
#define OPENAT(name)                                                                               \
    int name(int dir, const char *path, int flags, ...)                                            \
    {                                                                                              \
        mode_t mode;                                                                               \
        TAKE_MODE(flags, &mode);                                                                   \
        return openat_by(#name, dir, path, flags, mode);                                           \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd)
{
    note_fd(fd, false);
    return NEXT(int (*)(int), "close")(fd);
}

/* How many bytes of a write are to be written; -1: it fails. */
static ssize_t allowed_bytes(int fd, size_t bytes)
{
    uint64_t error;

    if (!is_fd_below(fd) || !fails(KIND_WRITE, &error))
        return (ssize_t)bytes;
    if (error == SHORT_WRITE)
        return (ssize_t)(bytes > 1 ? bytes / 2 : bytes);
    errno = (int)error;
    return -1;
}

ssize_t write(int fd, const void *from, size_t bytes)
{
    ssize_t allowed = allowed_bytes(fd, bytes);

    return allowed < 0
               ? -1
               : NEXT(ssize_t(*)(int, const void *, size_t), "write")(fd, from, (size_t)allowed);
}

#define PWRITE(name)                                                                               \
    ssize_t name(int fd, const void *from, size_t bytes, off_t at)                                 \
    {                                                                                              \
        ssize_t allowed = allowed_bytes(fd, bytes);                                                \
        return allowed < 0 ? -1                                                                    \
                           : NEXT(ssize_t(*)(int, const void *, size_t, off_t),                    \
                                  #name)(fd, from, (size_t)allowed, at);                           \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define OF_DESCRIPTOR(name, kind)                                                                  \
    int name(int fd)                                                                               \
    {                                                                                              \
        if (is_fd_below(fd) && fails_with_errno(kind))                                             \
            return -1;                                                                             \
        return NEXT(int (*)(int), #name)(fd);                                                      \
    }
OF_DESCRIPTOR(fsync, KIND_SYNC)
OF_DESCRIPTOR(fdatasync, KIND_SYNC)

#define TRUNCATE(name)                                                                             \
    int name(int fd, off_t bytes)                                                                  \
    {                                                                                              \
        if (is_fd_below(fd) && fails_with_errno(KIND_TRUNCATE))                                    \
            return -1;                                                                             \
        return NEXT(int (*)(int, off_t), #name)(fd, bytes);                                        \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int rename(const char *from, const char *to)
{
    if (is_path_below(to) && fails_with_errno(KIND_RENAME))
        return -1;
    return NEXT(int (*)(const char *, const char *), "rename")(from, to);
}

/* ---- memory --------------------------------------------------------------------------------- */

#define NO_MEMORY (fails_with_errno(KIND_ALLOCATION))

void *malloc(size_t bytes)
{
    static _Atomic(uintptr_t) next;

    if (next == 0)
        next = (uintptr_t)dlsym(RTLD_NEXT, "malloc");
    return NO_MEMORY ? NULL : ((void *(*)(size_t))next)(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    static _Atomic(uintptr_t) next;

    if (next == 0)
        next = (uintptr_t)dlsym(RTLD_NEXT, "calloc");
    return NO_MEMORY ? NULL : ((void *(*)(size_t, size_t))next)(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    static _Atomic(uintptr_t) next;

    if (next == 0)
        next = (uintptr_t)dlsym(RTLD_NEXT, "realloc");
    /* What is given back does not fail. */
    return bytes > 0 && NO_MEMORY ? NULL : ((void *(*)(void *, size_t))next)(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return NO_MEMORY ? NULL : NEXT(void *(*)(size_t, size_t), "aligned_alloc")(alignment, bytes);
}

/* Pages of the program's own: those of malloc and of threads are asked for within libc. */
#define MMAP(name)                                                                                 \
    void *name(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)            \
    {                                                                                              \
        if ((flags & MAP_ANONYMOUS) != 0 && fails_with_errno(KIND_MAPPING))                        \
            return MAP_FAILED;                                                                     \
        return NEXT(void *(*)(void *, size_t, int, int, int, off_t), #name)(at, bytes, protection, \
                                                                            flags, fd, offset);    \
    }
MMAP(mmap)
MMAP(mmap64)

void *mremap(void *old, size_t old_bytes, size_t bytes, int flags, ...)
{
    va_list args;
    void *at;

    va_start(args, flags);
    at = (flags & MREMAP_FIXED) != 0 ? va_arg(args, void *) : NULL;
    va_end(args);
    /* What becomes smaller does not fail. */
    if (bytes > old_bytes && fails_with_errno(KIND_MAPPING))
        return MAP_FAILED;
    return NEXT(void *(*)(void *, size_t, size_t, int, ...), "mremap")(old, old_bytes, bytes, flags,
                                                                       at);
}

int posix_memalign(void **out_block, size_t alignment, size_t bytes)
{
    return NO_MEMORY ? ENOMEM
                     : NEXT(int (*)(void **, size_t, size_t), "posix_memalign")(out_block,
                                                                                alignment, bytes);
}
