/*
 * account/passkey.h: passkeys: the two ceremonies of a relying party (WebAuthn Level 3, sections
 * 7.1 and 7.2), and what is told to a browser to begin them.
 *
 * Only checks: no store, no HTTP, no clock. The caller begins a ceremony with the JSON from here
 * and a challenge of account/challenge.h; when the answer comes it consumes the challenge, finds
 * the record of the credential that the answer names, lets the answer be checked here, and stores
 * what came out. Left to it are: that a credential id is registered once in the whole server (7.1
 * step 26; the store's constraint), transports, names, throttling, events.
 *
 * Asked for is no attestation; a statement that comes nonetheless has to be right and then counts
 * as none (crypto/passkey.h). Ceremonies inside of frames are refused. A signature counter that has
 * not grown is refused, unless it is zero on both sides, as with passkeys that are synchronised.
 *
 * Bytes that a browser sends as base64url are decoded by the caller. Views in a result point into
 * what was checked.
 */
#ifndef JETON_ACCOUNT_PASSKEY_H
#define JETON_ACCOUNT_PASSKEY_H

#include "base/buffer.h"
#include "base/rc.h"
#include "crypto/passkey.h"

enum {
    PASSKEY_USER_HANDLE_BYTES = 16, /* random, of one account, and says nothing of it; at most 64 */
    PASSKEY_CHALLENGE_BYTES_MAX = 64,
    PASSKEY_CLIENT_DATA_BYTES_MAX = 4096, /* below 300, and what browsers may add */
    PASSKEY_TIMEOUT_MS = 300 * 1000       /* as long as the challenge is good */
};

/* What became of a ceremony. All but the first are one and the same to the browser: no. */
enum passkey_verdict {
    PASSKEY_OK,
    PASSKEY_MALFORMED,  /* not what a browser and an authenticator write */
    PASSKEY_TYPE,       /* of the other ceremony */
    PASSKEY_CHALLENGE,  /* not the one that was asked with */
    PASSKEY_ORIGIN,     /* made on another site */
    PASSKEY_FRAMED,     /* made inside of another site's frame */
    PASSKEY_RP_ID,      /* made for another relying party */
    PASSKEY_ABSENT,     /* nobody touched the authenticator */
    PASSKEY_UNVERIFIED, /* it did not verify its user, and that is required */
    PASSKEY_BACKUP,     /* backup flags that cannot be, or have changed */
    PASSKEY_KEY,        /* a key or algorithm that was not asked for */
    PASSKEY_STATEMENT,  /* an attestation statement that is not right, or unknown */
    PASSKEY_CREDENTIAL, /* another credential than the record's */
    PASSKEY_USER,       /* another account's credential */
    PASSKEY_SIGNATURE,  /* not signed with that credential */
    PASSKEY_COUNTER     /* the counter has not grown: there may be a copy of the authenticator */
};

/* A few words for the log, without anything from outside. */
const char *passkey_verdict_words(enum passkey_verdict verdict);

/* What is expected of an answer. */
struct passkey_ceremony {
    struct str challenge;      /* that challenge_consume took; at least 16 bytes */
    const struct str *origins; /* "https://login.example.org", compared byte by byte */
    size_t origin_count;
    struct str rp_id; /* "example.org"; PASSKEY_RP_ID_BYTES_MAX */
    bool needs_user_verification;
};

/* A credential record (WebAuthn 4). */
struct passkey {
    struct str credential_id;
    struct str public_key;                      /* COSE_Key */
    unsigned char aaguid[PASSKEY_AAGUID_BYTES]; /* the model, as it says; zeros: unsaid */
    uint32_t sign_count;
    bool is_user_verified; /* at its registration, or since (WebAuthn's uvInitialized) */
    bool is_backup_eligible;
    bool is_backed_up;
};

/* The answer of navigator.credentials.create(). */
struct passkey_registration {
    struct str credential_id;      /* rawId */
    struct str client_data;        /* clientDataJSON, as it came */
    struct str attestation_object; /* attestationObject */
};

struct passkey_registration_result {
    enum passkey_verdict verdict;
    struct passkey passkey; /* PASSKEY_OK: the record to be stored */
};

/*
 * Checks the answer to a registration.
 *
 * Answers: RC_OK with out_result filled.  Faults: RC_SYSTEM
 * Source:  WebAuthn 7.1 steps 5 to 27
 */
enum rc passkey_check_registration(const struct passkey_ceremony *ceremony,
                                   const struct passkey_registration *registration,
                                   struct passkey_registration_result *out_result) MUST_CHECK;

/* The answer of navigator.credentials.get(). */
struct passkey_assertion {
    struct str credential_id; /* rawId, by which the caller has found the record */
    struct str client_data;   /* clientDataJSON, as it came */
    struct str authenticator_data;
    struct str signature;
    struct str user_handle; /* empty: none was sent */
};

/* Whose credential it is, and whose it has to be. */
struct passkey_owner {
    struct str user_handle;          /* of the account that the record belongs to */
    struct str expected_user_handle; /* of the account that was to answer (a second factor, a
                                        step-up); empty: the credential is to say who signs in */
};

struct passkey_assertion_result {
    enum passkey_verdict verdict;
    /* PASSKEY_OK: to be stored when all else is well too */
    uint32_t sign_count;
    bool is_user_verified; /* in this ceremony */
    bool is_backed_up;
};

/*
 * Checks the answer to an authentication.
 *
 * stored   the record with the id of assertion->credential_id
 *
 * Two answers at once with the same counter both pass here: the caller stores the new counter on
 * the condition that the stored one is still stored->sign_count.
 *
 * Answers: RC_OK with out_result filled.  Faults: RC_CORRUPT the stored key, RC_SYSTEM
 * Source:  WebAuthn 7.2 steps 5 to 24
 */
enum rc passkey_check_assertion(const struct passkey_ceremony *ceremony,
                                const struct passkey_assertion *assertion,
                                const struct passkey *stored, const struct passkey_owner *owner,
                                struct passkey_assertion_result *out_result) MUST_CHECK;

/*
 * The challenge that an answer says it is for, before anything of it is checked.
 *
 * client_data   clientDataJSON, as it came
 *
 * Answers: RC_OK · RC_REFUSED it names none that could be ours, or cannot be read.  Faults:
 * RC_SYSTEM
 */
enum rc passkey_read_challenge(struct str client_data, struct buffer *out_challenge) MUST_CHECK;

/* ---- what is told to the browser ---- */

/* A credential that the account has. */
struct passkey_descriptor {
    struct str credential_id;
    struct str transports; /* space-separated, as the browser told at its registration, or empty */
};

struct passkey_creation {
    struct str challenge;
    struct str rp_id;
    struct str rp_name;
    struct str user_handle;                      /* PASSKEY_USER_HANDLE_BYTES */
    struct str user_name;                        /* that a person tells accounts apart by */
    struct str user_full_name;                   /* empty: the name */
    const struct passkey_descriptor *registered; /* not to be registered again */
    size_t registered_count;
    bool needs_user_verification;
};

/* Appends PublicKeyCredentialCreationOptionsJSON (WebAuthn 5.1.9, 5.4), as
 * PublicKeyCredential.parseCreationOptionsFromJSON() takes it. */
void passkey_format_creation(const struct passkey_creation *creation, struct buffer *out_json);

struct passkey_request {
    struct str challenge;
    struct str rp_id;
    const struct passkey_descriptor *allowed; /* none: whichever the browser finds */
    size_t allowed_count;
    bool needs_user_verification;
};

/* Appends PublicKeyCredentialRequestOptionsJSON (WebAuthn 5.1.10, 5.5), as
 * PublicKeyCredential.parseRequestOptionsFromJSON() takes it. */
void passkey_format_request(const struct passkey_request *request, struct buffer *out_json);

#endif
