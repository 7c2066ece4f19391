#include "web/process_meters.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

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
    long long size;
    long long resident;
    ssize_t len = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

    if (len <= 0)
        return 0;
    text[len] = '\0';
    if (sscanf(text, "%lld %lld", &size, &resident) != 2)
        return 0;
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
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
