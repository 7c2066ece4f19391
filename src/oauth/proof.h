/*
 * oauth/proof.h: proof of possession: DPoP proofs (RFC 9449) and client certificates (RFC 8705).
 *
 * What a request presents is in call->proof; these functions judge it. A proof is checked in full
 * (RFC 9449 4.3), its jti once in its window on all nodes: by a row that the caller commits with
 * what it grants, or that is committed here. Nonces are made of the time and a key that all nodes
 * share, so none is stored; one is good for PROOF_NONCE_S and the next as long.
 *
 * Threads: everything from any thread.
 */
#ifndef JETON_OAUTH_PROOF_H
#define JETON_OAUTH_PROOF_H

#include "oauth/oauth.h"

enum {
    PROOF_AGE_S_MAX = 60, /* of iat, in the past                     */
    PROOF_SKEW_S = 10,    /* and in the future                       */
    PROOF_NONCE_S = 300,  /* how long a nonce is the newest one      */
    PROOF_JTI_BYTES_MAX = 256,
    PROOF_BYTES_MAX = OAUTH_PROOF_BYTES_MAX
};

/* What proofs may be signed with, as the metadata and challenges have it: what jose verifies. */
#define PROOF_ALGS "ES256 EdDSA RS256 PS256"

/*
 * Derives the key of nonces.
 *
 * asks_nonce    proofs without a nonce of ours are refused with use_dpop_nonce (RFC 9449 8)
 * restored_at   when the store was restored from a backup; 0: it was not. Proofs of before may have
 *               been used, and nonces of before are not good any more.
 */
enum rc proof_book_new(const unsigned char *master_key, bool asks_nonce, int64_t restored_at,
                       struct proof_book **out_book) MUST_CHECK;
void proof_book_free(struct proof_book *book);

/* What a client is registered to prove and this request does not: RC_OK or RC_REFUSED. The token
 * endpoint asks for every grant. policy: bits of enum client_policy */
enum rc proof_require(struct oauth_call *call, unsigned policy) MUST_CHECK;

/*
 * What the request at a token, PAR or device endpoint proves, for new tokens.
 *
 * binds_tls     whether a certificate binds here: the client is registered so
 * unit          gets the step that makes the proof's jti good once (what its commit answers is
 *               for proof_settle first)
 * out_binding   BINDING_DPOP when a proof came, else BINDING_TLS when binds_tls and a certificate
 *               came, else BINDING_NONE
 *
 * Answers: RC_OK · RC_REFUSED invalid_dpop_proof or use_dpop_nonce
 */
enum rc proof_read(struct oauth_call *call, bool binds_tls, struct store_unit *unit,
                   struct binding *out_binding) MUST_CHECK;
enum rc proof_refuse_replay(struct oauth_call *call) MUST_CHECK;

/* What a commit of that unit answered: RC_REFUSED when the proof came before, else the same. Units
 * may hold other steps that answer RC_SPENT. token_issue calls it. */
enum rc proof_settle(struct oauth_call *call, const struct store_unit *unit, enum rc rc) MUST_CHECK;

/* What a request proves where nothing else is committed with it; its jti is committed here. Blocks.
 * Answers: as proof_read */
enum rc proof_take(struct oauth_call *call, struct binding *out_binding) MUST_CHECK;

/* Commits a unit that holds nothing but the step of proof_read. RC_OK, RC_REFUSED, or a fault. */
enum rc proof_commit(struct oauth_call *call, struct store_unit *unit) MUST_CHECK;

/*
 * Whether whoever presents a token may use it: its binding is proven by this request, with a proof
 * that names the token (ath). The jti is committed here, so only where that may be waited for.
 *
 * scheme_is_dpop   as the Authorization header had it: a bound token is no Bearer token, and the
 *                  reverse (RFC 9449 7.1, 7.2)
 *
 * Answers: RC_OK · RC_REFUSED invalid_token, invalid_dpop_proof or use_dpop_nonce · RC_WOULD_BLOCK
 */
enum rc proof_check_holder(struct oauth_call *call, const struct binding *binding,
                           bool scheme_is_dpop, struct str token) MUST_CHECK;

/* The thumbprint of a certificate (RFC 8705 3.1). */
void proof_certificate_thumbprint(struct str der,
                                  unsigned char out_thumbprint[static DIGEST_BYTES]);

/* Appends the member cnf (RFC 7800 3.1): jkt (RFC 9449 6.1) or x5t#S256 (RFC 8705 3.1); null
 * without a binding. */
void binding_format(const struct binding *binding, struct json_out *json);

bool binding_equal(const struct binding *a, const struct binding *b);

#endif
