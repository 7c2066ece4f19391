/*
 * account/trail.h: what seals the audit trail: the digest over its events, the signature over each
 * checkpoint, and the sealed head that says how far it goes.
 *
 * All numbers are 8 bytes, big-endian, two's complement; a length is 4 bytes.
 *
 *     event      id, at, kind, account, client, token; length and bytes of address, of detail
 *     digest     SHA-256 of "jeton audit events 1\n", number, digest before (zeros for number 1),
 *                the events in order of id
 *     signature  Ed25519 over "jeton audit checkpoint 1\n", number, last event's id, count of
 *                events, time, digest
 *
 * The key is made from the master key, so that no store can be without it and none of what is in a
 * database leads to it. docs/audit.md says what all of this proves and what not.
 */
#ifndef JETON_ACCOUNT_TRAIL_H
#define JETON_ACCOUNT_TRAIL_H

#include "crypto/digest.h"
#include "crypto/signer.h"
#include "store/trail.h"

struct trail_key {
    struct signer *signer;
    const unsigned char *master_key;
    unsigned char public_bytes[TRAIL_KEY_BYTES];
};

/* master_key  outlives the key.  RC_CRYPTO */
enum rc trail_key_open(const unsigned char *master_key, struct trail_key *out_key) MUST_CHECK;
void trail_key_close(struct trail_key *key);

/* Begins the digest of a checkpoint; digest_stream_end ends it. */
struct digest_stream *trail_digest_begin(int64_t number,
                                         const unsigned char previous[static DIGEST_BYTES]);
void trail_digest_add(struct digest_stream *stream, const struct trail_event *event);

/* Fills public_key and signature in.  RC_CRYPTO */
enum rc trail_sign(const struct trail_key *key, struct checkpoint *checkpoint) MUST_CHECK;

/* RC_OK · RC_REFUSED when it is not that key's signature over this checkpoint. */
enum rc trail_verify(const unsigned char public_bytes[static TRAIL_KEY_BYTES],
                     const struct checkpoint *checkpoint) MUST_CHECK;

/* The head of the trail, as the store keeps it under the master key. */
struct trail_head {
    int64_t number;
    unsigned char digest[DIGEST_BYTES];
};

/* Puts it into a unit. sealed: TRAIL_HEAD_BYTES that stay until the commit. */
enum { TRAIL_HEAD_BYTES = 128 };
enum rc trail_head_put(const struct trail_key *key, const struct checkpoint *checkpoint,
                       char sealed[static TRAIL_HEAD_BYTES], struct store_unit *unit) MUST_CHECK;
/* RC_NOT_FOUND · RC_INVALID it is not sealed with this master key. */
enum rc trail_head_find(struct store *store, const struct trail_key *key,
                        struct trail_head *out_head) MUST_CHECK;

/* ---- checking a store ----------------------------------------------------------------------- */

struct trail_report {
    int64_t event_count; /* that checkpoints cover and that are as they were */
    int64_t checkpoint_count;
    struct checkpoint last; /* that is complete; number 0: none */
    int64_t trimmed_at;     /* 0: nothing was removed          */
    int64_t trimmed_until;  /* the time of the last checkpoint whose events were */
    int64_t later_count;    /* events behind the last checkpoint */
    int64_t later_since;    /* when the first of them was         */
    int64_t finding_count;
};

/*
 * Looks at every checkpoint and every event.
 *
 * expected      a checkpoint that was noted elsewhere; NULL: none
 * out_findings  a line for each thing that is wrong, at most TRAIL_FINDING_COUNT_MAX
 *
 * Answers: RC_OK the trail is whole · RC_REFUSED it is not.  Faults: the store's
 */
enum { TRAIL_FINDING_COUNT_MAX = 20, TRAIL_FINDINGS_BYTES = TRAIL_FINDING_COUNT_MAX * 320 };
enum rc trail_check(struct store *store, const struct trail_key *key,
                    const struct trail_head *expected, struct trail_report *out_report,
                    struct buffer *out_findings) MUST_CHECK;

#endif
