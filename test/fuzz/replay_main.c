/*
 * Runs a fuzz target without libFuzzer: over each file of the folders named on the command line,
 * each of its prefixes, each single byte replaced by a few bytes that parsers care about, and each
 * pair of neighbours swapped. The inputs are copied to memory of exactly their size, so that the
 * address sanitizer sees a read of one byte too many. After `--every N` only one of N mutations is
 * run: for a target that takes its time.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { INPUT_BYTES_MAX = 64 * 1024, MUTATED_BYTES_MAX = 2048 };

static unsigned long run_count;
static unsigned long mutation_count;
static unsigned long every = 1;

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = calloc(1, size > 0 ? size : 1);

    ASSERT(exact != NULL);
    if (size > 0)
        memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    run_count++;
}

static void run_mutation(const uint8_t *data, size_t size)
{
    if (mutation_count++ % every == 0)
        run(data, size);
}

static void run_mutations(uint8_t *data, size_t size)
{
    static const uint8_t bytes[] = { 0, ' ', '"', '%', '\\', '=', '{', 0x7f, 0x80, 0xff };

    for (size_t at = 0; at < size; at++) {
        uint8_t kept = data[at];

        run_mutation(data, at);
        for (size_t i = 0; i < sizeof(bytes); i++) {
            data[at] = bytes[i];
            run_mutation(data, size);
        }
        data[at] = kept;
        if (at + 1 < size) {
            data[at] = data[at + 1];
            data[at + 1] = kept;
            run_mutation(data, size);
            data[at + 1] = data[at];
            data[at] = kept;
        }
    }
}

static void run_file(const char *path)
{
    static uint8_t data[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;

    ASSERT(file != NULL);
    size = fread(data, 1, sizeof(data), file);
    ASSERT(fclose(file) == 0);
    run(data, size);
    if (size <= MUTATED_BYTES_MAX)
        run_mutations(data, size);
}

static unsigned long run_folder(const char *folder)
{
    unsigned long file_count = 0;
    DIR *stream = opendir(folder);
    struct dirent *entry;

    if (stream == NULL) {
        fprintf(stderr, "%s: cannot be opened\n", folder);
        exit(1);
    }
    while ((entry = readdir(stream)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        ASSERT((size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < sizeof(path));
        run_file(path);
        file_count++;
    }
    closedir(stream);
    return file_count;
}

int main(int argc, char **argv)
{
    run((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--every") == 0 && i + 1 < argc) {
            every = strtoul(argv[++i], NULL, 10);
            ASSERT(every > 0);
            continue;
        }
        if (run_folder(argv[i]) == 0) {
            fprintf(stderr, "%s: no input\n", argv[i]);
            return 1;
        }
    }
    printf("%lu inputs\n", run_count);
    return 0;
}
