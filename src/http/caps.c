#include "http/caps.h"

#include <pthread.h>
#include <stdlib.h>

#include "crypto/random.h"

/* Entries are numbered from 1; 0 is the end of a chain. */
struct caps_entry {
    unsigned char key[16];
    uint32_t count;
    uint32_t next;
};

struct caps {
    pthread_mutex_t mutex;
    unsigned per_address_max;
    uint64_t hash_key[2]; /* random: nobody outside can choose addresses that share a chain */
    uint32_t bucket_mask;
    uint32_t *buckets;
    struct caps_entry *entries;
    uint32_t first_free; /* given back */
    uint32_t fresh;      /* never used from here on, so that their pages stay untouched */
};

struct caps *caps_new(unsigned connection_count_max, unsigned per_address_max)
{
    struct caps *caps = calloc(1, sizeof(*caps));
    uint32_t bucket_count = 64;

    while (bucket_count < connection_count_max)
        bucket_count *= 2;
    ASSERT(caps != NULL);
    pthread_mutex_init(&caps->mutex, NULL);
    caps->per_address_max = per_address_max;
    caps->bucket_mask = bucket_count - 1;
    caps->buckets = calloc(bucket_count, sizeof(*caps->buckets));
    caps->entries = calloc((size_t)connection_count_max + 1, sizeof(*caps->entries));
    ASSERT(caps->buckets != NULL && caps->entries != NULL);
    caps->fresh = 1;
    random_bytes(caps->hash_key, sizeof(caps->hash_key));
    return caps;
}

void caps_free(struct caps *caps)
{
    if (caps == NULL)
        return;
    pthread_mutex_destroy(&caps->mutex);
    free(caps->buckets);
    free(caps->entries);
    free(caps);
}

static void key_of(const struct http_address *address, unsigned char out_key[16])
{
    static const unsigned char MAPPED[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    size_t len = memcmp(address->bytes, MAPPED, sizeof(MAPPED)) == 0 ? 16 : 8;

    memset(out_key, 0, 16);
    memcpy(out_key, address->bytes, len);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

/* The link that leads to the key's entry, or to the end of its chain. */
static uint32_t *find_link(struct caps *caps, const unsigned char key[16])
{
    uint64_t halves[2];
    uint32_t *link;

    memcpy(halves, key, sizeof(halves));
    halves[0] = mix(mix(halves[0] ^ caps->hash_key[0]) ^ halves[1] ^ caps->hash_key[1]);
    link = &caps->buckets[halves[0] & caps->bucket_mask];
    while (*link != 0 && memcmp(caps->entries[*link].key, key, 16) != 0)
        link = &caps->entries[*link].next;
    return link;
}

static uint32_t entry_new(struct caps *caps, const unsigned char key[16])
{
    uint32_t index = caps->first_free;

    if (index != 0)
        caps->first_free = caps->entries[index].next;
    else
        index = caps->fresh++;
    memcpy(caps->entries[index].key, key, 16);
    caps->entries[index].count = 0;
    caps->entries[index].next = 0;
    return index;
}

bool caps_take(struct caps *caps, const struct http_address *address)
{
    unsigned char key[16];
    uint32_t *link;
    bool is_taken;

    if (address->is_unix)
        return true;
    key_of(address, key);
    pthread_mutex_lock(&caps->mutex);
    link = find_link(caps, key);
    if (*link == 0)
        *link = entry_new(caps, key);
    is_taken = caps->entries[*link].count < caps->per_address_max;
    caps->entries[*link].count += is_taken ? 1 : 0;
    pthread_mutex_unlock(&caps->mutex);
    return is_taken;
}

void caps_give_back(struct caps *caps, const struct http_address *address)
{
    unsigned char key[16];
    uint32_t index;
    uint32_t *link;

    if (address->is_unix)
        return;
    key_of(address, key);
    pthread_mutex_lock(&caps->mutex);
    link = find_link(caps, key);
    index = *link;
    ASSERT(index != 0 && caps->entries[index].count > 0);
    if (--caps->entries[index].count == 0) {
        *link = caps->entries[index].next;
        caps->entries[index].next = caps->first_free;
        caps->first_free = index;
    }
    pthread_mutex_unlock(&caps->mutex);
}
