/*
 * bench/argon2.c: how many Argon2id hashes a second this machine makes, and nothing else.
 *
 *     argon2 THREADS SECONDS
 *
 * The parameters are those of an account's password in Jeton: 19 MiB, two passes, one lane.
 */
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    MEMORY_BYTES = 19456 * 1024,
    PASS_COUNT = 2,
    THREAD_COUNT_MAX = 64,
};

static atomic_bool is_over;
static atomic_ulong hash_count;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *hash_run(void *unused)
{
    static const unsigned char salt[crypto_pwhash_SALTBYTES] = { 1 };
    static const char password[] = "correct horse battery staple";
    unsigned char hash[32];

    while (!atomic_load(&is_over)) {
        if (crypto_pwhash(hash, sizeof hash, password, sizeof password - 1, salt, PASS_COUNT,
                          MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13) != 0)
            exit(1);
        atomic_fetch_add(&hash_count, 1);
    }
    return unused;
}

int main(int argc, char **argv)
{
    unsigned long thread_count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    double duration_s = argc == 3 ? strtod(argv[2], NULL) : 0;
    pthread_t threads[THREAD_COUNT_MAX];
    double started_at;

    if (sodium_init() < 0 || thread_count == 0 || thread_count > THREAD_COUNT_MAX)
        return 2;
    started_at = now_s();
    for (unsigned long i = 0; i < thread_count; i++)
        if (pthread_create(&threads[i], NULL, hash_run, NULL) != 0)
            return 1;
    nanosleep(&(struct timespec){ (time_t)duration_s,
                                  (long)((duration_s - (double)(time_t)duration_s) * 1e9) },
              NULL);
    atomic_store(&is_over, true);
    for (unsigned long i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    printf("%.3f\n", (double)atomic_load(&hash_count) / (now_s() - started_at));
    return 0;
}
