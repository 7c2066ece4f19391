/*
 * account/profile.h: what the owner of an account sees and changes of it: names, password,
 * sessions.
 *
 * Every change is one transaction with its audit event. Who may do it (a session, a fresh proof) is
 * the caller's to see to.
 */
#ifndef JETON_ACCOUNT_PROFILE_H
#define JETON_ACCOUNT_PROFILE_H

#include "account/browser_sign_in.h"
#include "account/password_policy.h"

/* An address that mail could be sent to, or empty: one '@' with something before it, and a name
 * with a dot and no blanks behind it. Nothing says that it is the account's. */
bool profile_is_email(struct str text);

/* Replaces full name and e-mail. RC_NOT_FOUND when the account is gone. */
enum rc profile_update(struct store *store, const struct browser *browser, int64_t account_id,
                       struct str full_name, struct str email) MUST_CHECK;

struct password_change {
    const struct secret *current; /* proves it; with a second factor the session has to, besides */
    const struct secret *wanted;
    bool ends_sessions;                    /* of other browsers */
    const struct browser_session *session; /* of this browser, signed in */
    const struct mail *notice;             /* that tells of it; NULL: none */
};

struct password_change_result {
    enum sign_in_verdict verdict; /* of the current password; SIGN_IN_OK: it is changed */
    enum password_verdict wanted; /* what the policy says of the new one, when it is not */
    bool is_same;                 /* the new one is the current one */
    const char *why;
    int64_t wait_s;
    char value[BROWSER_VALUE_BYTES]; /* of the session that takes this browser's place (SE-01) */
};

/*
 * Changes the password; on the hash lane. Failures of the current one count as those of any sign-in
 * do. Sign-ins that are not finished end in any case (SE-06).
 *
 * Answers: RC_OK with out_result filled.  Faults: as account_authenticate
 */
enum rc profile_change_password(const struct account_door *door, const struct browser *browser,
                                const struct account *account, const struct password_change *change,
                                struct arena *arena,
                                struct password_change_result *out_result) MUST_CHECK;

/* ---- second factors: see account/factor.h --------------------------------------------------- */

struct factor_removal_result {
    enum sign_in_verdict verdict; /* of the password; SIGN_IN_OK: the factor is removed, unless */
    bool is_password_short;       /* it is too short to stand alone */
    const char *why;
    int64_t wait_s;
};

/*
 * Removes the last second factor, and with it the recovery codes: alone they would be a second
 * password. From then on the password stands alone, so it has to be one that may (PW-01); what
 * length it has nobody knows until it is typed. As factor_remove otherwise; on the hash lane.
 *
 * Answers: RC_OK with out_result filled · RC_NOT_FOUND the factor is not this account's.  Faults:
 * as account_authenticate
 */
enum rc profile_remove_last_factor(const struct account_door *door, const struct browser *browser,
                                   const struct account *account, const struct secret *password,
                                   const struct factor_removal *removal, struct arena *arena,
                                   struct factor_removal_result *out_result) MUST_CHECK;

enum rc profile_list_factors(struct store *store, int64_t account_id, struct arena *arena,
                             struct factor out_rows[static FACTOR_COUNT_MAX],
                             size_t *out_count) MUST_CHECK;

/* Those that are not used. */
enum rc profile_count_recovery_codes(struct store *store, int64_t account_id,
                                     size_t *out_count) MUST_CHECK;

/* ---- sessions ------------------------------------------------------------------------------- */

/* Newest first, with id < before_id. Those of browsers that wait for a code are among them. */
enum rc profile_list_browser_sessions(struct store *store, int64_t account_id, int64_t before_id,
                                      int64_t now, struct arena *arena,
                                      struct browser_session *out_rows, size_t max,
                                      size_t *out_count) MUST_CHECK;

/* Spectrum's, that have not been idle for too long. */
enum rc profile_list_sessions(struct store *store, int64_t account_id, int64_t before_id,
                              int64_t now, struct arena *arena, struct session *out_rows,
                              size_t max, size_t *out_count) MUST_CHECK;

/* Ends one, at once; one that has ended already is fine. detail: the event's */
enum rc profile_end_browser_session(struct store *store, const struct browser *browser,
                                    int64_t account_id, int64_t session_id,
                                    struct str detail) MUST_CHECK;
enum rc profile_end_session(struct store *store, const struct browser *browser, int64_t account_id,
                            int64_t session_id, struct str detail) MUST_CHECK;

/* Ends all of both kinds, but this one of a browser. */
enum rc profile_end_other_sessions(struct store *store, const struct browser *browser,
                                   int64_t account_id, int64_t session_id) MUST_CHECK;

/* The same, whoever does it: detail is the events'. session_id 0: all. */
enum rc profile_end_sessions(struct store *store, const struct browser *browser, int64_t account_id,
                             int64_t session_id, struct str detail) MUST_CHECK;

#endif
