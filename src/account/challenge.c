#include "account/challenge.h"

#include "base/secret.h"
#include "crypto/random.h"
#include "store/authorized.h"
#include "store/shared.h"

enum {
    TIME_BYTES = 4,   /* seconds since 1970, until 2106 */
    FRESH_BYTES = 16, /* the time and what is random */
    MAC_BYTES = CHALLENGE_BYTES - FRESH_BYTES,
    AHEAD_S = 60 /* another node's clock may be */
};

static void make_mac(const struct hmac_key *key, const unsigned char *owner, enum challenge_use use,
                     const unsigned char *fresh, unsigned char out_mac[static SHA256_BYTES])
{
    unsigned char message[DIGEST_BYTES + 1 + FRESH_BYTES];

    memcpy(message, owner, DIGEST_BYTES);
    message[DIGEST_BYTES] = (unsigned char)use;
    memcpy(message + DIGEST_BYTES + 1, fresh, FRESH_BYTES);
    hmac_sha256(key, STR("challenge:"), (struct str){ (const char *)message, sizeof(message) },
                out_mac);
}

void challenge_issue(const struct hmac_key *key, const unsigned char owner[static DIGEST_BYTES],
                     enum challenge_use use, int64_t now,
                     unsigned char out_challenge[static CHALLENGE_BYTES])
{
    unsigned char mac[SHA256_BYTES];

    for (int i = 0; i < TIME_BYTES; i++)
        out_challenge[i] = (unsigned char)((uint64_t)now >> 8 * (TIME_BYTES - 1 - i));
    random_bytes(out_challenge + TIME_BYTES, FRESH_BYTES - TIME_BYTES);
    make_mac(key, owner, use, out_challenge, mac);
    memcpy(out_challenge + FRESH_BYTES, mac, MAC_BYTES);
}

enum rc challenge_consume(const struct hmac_key *key, struct store *store,
                          const unsigned char owner[static DIGEST_BYTES], enum challenge_use use,
                          int64_t now, struct str challenge)
{
    const unsigned char *bytes = (const unsigned char *)challenge.at;
    unsigned char mac[SHA256_BYTES];
    unsigned char digest[SHA256_BYTES];
    int64_t issued_at = 0;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    if (challenge.len != CHALLENGE_BYTES)
        return RC_NOT_FOUND;
    make_mac(key, owner, use, bytes, mac);
    if (!secret_bytes_equal(mac, bytes + FRESH_BYTES, MAC_BYTES))
        return RC_NOT_FOUND;
    for (int i = 0; i < TIME_BYTES; i++)
        issued_at = issued_at << 8 | bytes[i];
    if (issued_at > now + AHEAD_S || now >= issued_at + CHALLENGE_LIFETIME_S)
        return RC_NOT_FOUND;
    /* Which of them were answered before a restoration is not known. */
    if (issued_at <= store_restored(store).at)
        return RC_NOT_FOUND;
    hmac_sha256(key, STR("challenge seen:"), challenge, digest);
    store_unit_init(&unit);
    store_insert_seen(&unit, digest, issued_at + CHALLENGE_LIFETIME_S);
    rc = store_commit(store, &unit);
    return rc == RC_SPENT ? RC_NOT_FOUND : rc;
}
