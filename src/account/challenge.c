#include "account/challenge.h"

#include <pthread.h>
#include <stdlib.h>

#include "account/throttle.h"
#include "base/secret.h"
#include "crypto/random.h"

enum { WAY_COUNT = 8, SET_COUNT = CHALLENGE_COUNT_MAX / WAY_COUNT };

struct slot {
    unsigned char owner[DIGEST_BYTES];
    unsigned char challenge[CHALLENGE_BYTES];
    unsigned char address[16]; /* folded */
    enum challenge_use use;
    int64_t expires_at; /* 0: free */
};

struct challenge_book {
    pthread_mutex_t lock; /* over all slots */
    struct slot slots[SET_COUNT][WAY_COUNT];
};

struct challenge_book *challenge_book_new(void)
{
    struct challenge_book *book = calloc(1, sizeof(*book));

    ASSERT(book != NULL);
    ASSERT(pthread_mutex_init(&book->lock, NULL) == 0);
    return book;
}

void challenge_book_free(struct challenge_book *book)
{
    if (book == NULL)
        return;
    pthread_mutex_destroy(&book->lock);
    explicit_bzero(book->slots, sizeof(book->slots));
    free(book);
}

/* An owner is a digest of something random, so its bytes are as good as any hash of it. */
static struct slot *set_of(struct challenge_book *book, const unsigned char *owner)
{
    return book->slots[((unsigned)owner[0] << 8 | owner[1]) % SET_COUNT];
}

static bool is_owners(const struct slot *slot, const unsigned char *owner)
{
    return slot->expires_at != 0 && secret_bytes_equal(slot->owner, owner, DIGEST_BYTES);
}

static struct slot *find_slot(struct slot *set, const unsigned char *owner, enum challenge_use use)
{
    for (size_t i = 0; i < WAY_COUNT; i++) {
        if (is_owners(&set[i], owner) && set[i].use == use)
            return &set[i];
    }
    return NULL;
}

static bool is_free(const struct slot *slot, int64_t now)
{
    return slot->expires_at == 0 || now >= slot->expires_at;
}

/* How many of a full set the address has. */
static size_t count_of(const struct slot *set, const unsigned char *address)
{
    size_t count = 0;

    for (size_t i = 0; i < WAY_COUNT; i++)
        count += memcmp(set[i].address, address, sizeof(set[i].address)) == 0;
    return count;
}

/* The oldest of whichever address has most of a full set, the one that asks counted in: so nobody
 * pushes out others' for more than their own. */
static struct slot *choose_victim(struct slot *set, const unsigned char *address)
{
    struct slot *chosen = NULL;
    size_t chosen_count = 0;

    for (size_t i = 0; i < WAY_COUNT; i++) {
        bool is_own = memcmp(set[i].address, address, sizeof(set[i].address)) == 0;
        size_t count = count_of(set, set[i].address) + is_own;

        if (chosen == NULL || count > chosen_count ||
            (count == chosen_count && set[i].expires_at < chosen->expires_at)) {
            chosen = &set[i];
            chosen_count = count;
        }
    }
    return chosen;
}

/* Its own, or a free one, or else somebody's who has many. */
static struct slot *choose_slot(struct slot *set, const unsigned char *owner,
                                const unsigned char *address, enum challenge_use use, int64_t now)
{
    struct slot *chosen = find_slot(set, owner, use);

    for (size_t i = 0; chosen == NULL && i < WAY_COUNT; i++) {
        if (is_free(&set[i], now))
            chosen = &set[i];
    }
    return chosen != NULL ? chosen : choose_victim(set, address);
}

void challenge_issue(struct challenge_book *book, const unsigned char owner[static DIGEST_BYTES],
                     const unsigned char address[static 16], enum challenge_use use, int64_t now,
                     unsigned char out_challenge[static CHALLENGE_BYTES])
{
    unsigned char folded[16];
    struct slot *slot;

    throttle_fold_address(address, folded);
    random_bytes(out_challenge, CHALLENGE_BYTES);
    pthread_mutex_lock(&book->lock);
    slot = choose_slot(set_of(book, owner), owner, folded, use, now);
    *slot = (struct slot){ .use = use, .expires_at = now + CHALLENGE_LIFETIME_S };
    memcpy(slot->owner, owner, DIGEST_BYTES);
    memcpy(slot->address, folded, sizeof(folded));
    memcpy(slot->challenge, out_challenge, CHALLENGE_BYTES);
    pthread_mutex_unlock(&book->lock);
}

enum rc challenge_consume(struct challenge_book *book,
                          const unsigned char owner[static DIGEST_BYTES], enum challenge_use use,
                          int64_t now, unsigned char out_challenge[static CHALLENGE_BYTES])
{
    struct slot *slot;
    bool is_good;

    pthread_mutex_lock(&book->lock);
    slot = find_slot(set_of(book, owner), owner, use);
    is_good = slot != NULL && now < slot->expires_at;
    if (is_good)
        memcpy(out_challenge, slot->challenge, CHALLENGE_BYTES);
    if (slot != NULL)
        explicit_bzero(slot, sizeof(*slot));
    pthread_mutex_unlock(&book->lock);
    return is_good ? RC_OK : RC_NOT_FOUND;
}

void challenge_revoke(struct challenge_book *book, const unsigned char owner[static DIGEST_BYTES])
{
    struct slot *set = set_of(book, owner);

    pthread_mutex_lock(&book->lock);
    for (size_t i = 0; i < WAY_COUNT; i++) {
        if (is_owners(&set[i], owner))
            explicit_bzero(&set[i], sizeof(set[i]));
    }
    pthread_mutex_unlock(&book->lock);
}
