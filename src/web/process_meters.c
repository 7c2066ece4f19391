#include "web/process_meters.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

void process_meters_open(struct process_meters *out_meters)
{
    *out_meters = (struct process_meters){
        .descriptors = opendir("/proc/self/fd"),
        .memory_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
        .started_at = clock_now_s(),
    };
}

void process_meters_close(struct process_meters *meters)
{
    if (meters->descriptors != NULL)
        closedir(meters->descriptors);
    if (meters->memory_fd >= 0)
        close(meters->memory_fd);
}

static uint64_t count_descriptors(DIR *folder)
{
    uint64_t count = 0;

    if (folder == NULL)
        return 0;
    rewinddir(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    return count;
}

static uint64_t read_memory(int fd)
{
    char text[64];
    ssize_t len = fd < 0 ? -1 : pread(fd, text, sizeof(text), 0);
    struct str rest = { text, len < 0 ? 0 : (size_t)len };
    struct str word;
    uint64_t page_count;

    /* proc(5): all of it, then what is resident. */
    for (int i = 0; i < 2; i++)
        if (!str_next_word(&rest, &word))
            return 0;
    if (!str_parse_u64(word, UINT32_MAX, &page_count))
        return 0;
    return page_count * (uint64_t)sysconf(_SC_PAGESIZE);
}

void process_meters_read(const struct process_meters *meters, struct process_use *out_use)
{
    struct rusage spent = { 0 };
    struct rlimit most = { 0 };

    (void)getrusage(RUSAGE_SELF, &spent);
    (void)getrlimit(RLIMIT_NOFILE, &most);
    *out_use = (struct process_use){
        .cpu_ms = (spent.ru_utime.tv_sec + spent.ru_stime.tv_sec) * 1000 +
                  (spent.ru_utime.tv_usec + spent.ru_stime.tv_usec) / 1000,
        .memory_bytes = read_memory(meters->memory_fd),
        .descriptors = count_descriptors(meters->descriptors),
        .descriptors_max = most.rlim_cur,
    };
}
