#include "account/challenge.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/random.h"

enum { WAY_COUNT = 8, SET_COUNT = CHALLENGE_COUNT_MAX / WAY_COUNT };

struct slot {
    unsigned char owner[DIGEST_BYTES];
    unsigned char challenge[CHALLENGE_BYTES];
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

/* Its own, or else the one that expires first: free ones before all others. */
static struct slot *choose_slot(struct slot *set, const unsigned char *owner,
                                enum challenge_use use)
{
    struct slot *chosen = find_slot(set, owner, use);

    if (chosen != NULL)
        return chosen;
    chosen = set;
    for (size_t i = 1; i < WAY_COUNT; i++) {
        if (set[i].expires_at < chosen->expires_at)
            chosen = &set[i];
    }
    return chosen;
}

void challenge_issue(struct challenge_book *book, const unsigned char owner[static DIGEST_BYTES],
                     enum challenge_use use, int64_t now,
                     unsigned char out_challenge[static CHALLENGE_BYTES])
{
    struct slot *slot;

    random_bytes(out_challenge, CHALLENGE_BYTES);
    pthread_mutex_lock(&book->lock);
    slot = choose_slot(set_of(book, owner), owner, use);
    *slot = (struct slot){ .use = use, .expires_at = now + CHALLENGE_LIFETIME_S };
    memcpy(slot->owner, owner, DIGEST_BYTES);
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
