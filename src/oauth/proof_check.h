/*
 * oauth/proof_check.h: one DPoP proof, judged (RFC 9449 4.3). For oauth/proof.c only.
 *
 * Twelve checks, each a line of proof_check.c with its number. That a proof came once is not among
 * them: whoever acts on it notes proof.seen_digest in the store (RFC 9449 11.1).
 */
#ifndef JETON_OAUTH_PROOF_CHECK_H
#define JETON_OAUTH_PROOF_CHECK_H

#include "oauth/proof.h"

struct proof_book {
    struct hmac_key *nonce_key;
    bool asks_nonce;
    int64_t restored_at;
};

/* What a proof has to fit beside its request. */
struct proof_demand {
    const struct str *token;         /* the access token that it is sent with; NULL: none */
    const unsigned char *thumbprint; /* of the key that it has to be made with; NULL: any */
};

struct proof {
    unsigned char thumbprint[DIGEST_BYTES];
    unsigned char seen_digest[DIGEST_BYTES]; /* of its key and its jti */
    int64_t seen_until;                      /* it is refused as too old from then on */
};

/* Sets call->dpop_nonce to the nonce that is the newest one. */
void proof_offer_nonce(struct oauth_call *call);

/*
 * Answers: RC_OK · RC_REFUSED invalid_dpop_proof or use_dpop_nonce.  Faults: RC_SYSTEM
 */
enum rc proof_check(struct oauth_call *call, const struct proof_demand *demand,
                    struct proof *out_proof) MUST_CHECK;

#endif
