/*
 * token/keys.h: the signing keys and the JWKS (RFC 7517), and how keys follow one another.
 *
 * A key is published from the moment it is made, signs from `signs_from` on, and leaves the JWKS at
 * `retires_at`, which is later than the last token it signed (KY-02). Of the keys of an algorithm
 * whose signs_from has come, the latest signs, and one that is to retire only as long as there is
 * no other. As long as a permanent JWT lives that it may have signed, its retirement is put off, a
 * day at a time. Private halves are sealed under the master key.
 *
 * The ring is what a running server holds of them: signers, and the JWKS document as bytes. The
 * feed only marks it stale; whoever asks next and may block reads the keys again, the token room's
 * own thread at the latest (key_ring_tend). Where several processes write to the store, each would
 * make the first key of an algorithm, and the next one: the first that does makes it for all.
 */
#ifndef JETON_TOKEN_KEYS_H
#define JETON_TOKEN_KEYS_H

#include "crypto/seal.h"
#include "crypto/signer.h"
#include "store/store.h"

enum {
    KEY_PUBLISH_LEAD_S = 3600,       /* a key is in the JWKS this long before it signs       */
    KEY_ROTATE_AFTER_S = 90 * 86400, /* age at which the next one is made                    */
    KEY_OVERLAP_S = 86400,           /* least time that an old key outlives its last signing */
    KEY_COUNT_MAX = 64,
    KEY_KEPT_COUNT_MAX = KEY_COUNT_MAX - 8, /* leaves room for those that have to come */
    KEY_ID_BYTES = 43
};

/* Makes a key that signs from signs_from on, and lets the current ones of its algorithm retire
 * overlap_s after that, or later where a service's JWTs live longer (KY-02). Works with and without
 * a running server. RC_TOO_LARGE: there are KEY_KEPT_COUNT_MAX keys already. */
enum rc key_rotate(struct store *store, const unsigned char master_key[static SEAL_KEY_BYTES],
                   enum signing_alg alg, int64_t now, int64_t signs_from, int64_t overlap_s,
                   char out_kid[static KEY_ID_BYTES + 1]) MUST_CHECK;

struct key_ring;

/* Reads the keys; makes one for ES256 and one for EdDSA in a new store. master_key must outlive the
 * ring. */
enum rc key_ring_open(struct store *store, const unsigned char master_key[static SEAL_KEY_BYTES],
                      int64_t now, struct key_ring **out_ring) MUST_CHECK;
void key_ring_close(struct key_ring *ring);

/* A signer that stays usable while it is held. */
struct ring_key;
const struct signer *ring_key_signer(const struct ring_key *key);
const struct public_key *ring_key_public(const struct ring_key *key);
struct str ring_key_id(const struct ring_key *key);
void ring_key_put(struct ring_key *key);

/* The key that signs now; made at once when the algorithm has none (RSA takes its time). Blocks.
 * RC_UNAVAILABLE: nobody has heard of late which keys there are; the next three likewise. */
enum rc key_ring_find(struct key_ring *ring, enum signing_alg alg, int64_t now,
                      struct ring_key **out_key) MUST_CHECK;

/* The key of that id, whether it still signs or not, as long as it is in the store; RC_NOT_FOUND.
 * Blocks. */
enum rc key_ring_find_by_id(struct key_ring *ring, struct str kid, int64_t now,
                            struct ring_key **out_key) MUST_CHECK;

/*
 * Appends the JWKS document. With changed keys and a store that is away, the one from before.
 *
 * Answers: RC_OK · RC_WOULD_BLOCK keys have changed, and !may_block
 */
enum rc key_ring_format_jwks(struct key_ring *ring, int64_t now, bool may_block,
                             struct buffer *out_json) MUST_CHECK;

/* A key as people see it. */
struct key_view {
    char kid[KEY_ID_BYTES];
    enum signing_alg alg;
    int64_t created_at;
    int64_t signs_from;
    int64_t retires_at;
    bool is_signing; /* its algorithm's tokens of now */
};

/* All keys. Blocks where they have changed. */
enum rc key_ring_list(struct key_ring *ring, int64_t now,
                      struct key_view out_rows[static KEY_COUNT_MAX], size_t *out_count) MUST_CHECK;

/* key_rotate as somebody asks for it: the key signs when it has been published for a while.
 * RC_TOO_LARGE: there are as many keys as there may be. `by` and address are the event's. */
enum rc key_ring_rotate(struct key_ring *ring, enum signing_alg alg, struct str by,
                        const unsigned char address[static 16], int64_t now) MUST_CHECK;

/* For the metrics: how long the key of the algorithm has been signing; -1: there is none. */
int64_t key_ring_age(struct key_ring *ring, enum signing_alg alg, int64_t now);

/* Bits 1u << enum signing_alg of the keys there are. */
unsigned key_ring_algs(struct key_ring *ring);

/* The feed's word that keys have changed. Never blocks. */
void key_ring_mark_stale(struct key_ring *ring);

/* Reads changed keys, makes the next key where one has grown old, removes retired ones. */
enum rc key_ring_tend(struct key_ring *ring, int64_t now) MUST_CHECK;

#endif
