/*
 * store/store.h: verbs over the nouns, in transactions; one SQL text, two thin drivers.
 *
 * Reading is a call: store_find_… and store_list_… answer from a read-only connection and may be
 * called from any thread that may block.
 *
 * Writing is data. A struct store_unit gathers steps (the store_put_…, store_spend_… verbs) and is
 * one transaction: all of it or nothing. store_commit hands it to the one writer, which runs every
 * unit that has queued up meanwhile and commits them together (group commit), and returns when the
 * commit is on disk. Nothing that a caller tells a client before that is true.
 *
 * A step may answer something else than RC_OK (RC_SPENT, RC_EXISTS, RC_NOT_FOUND): then its unit is
 * undone, the others of the batch go on, and store_commit returns that answer. A fault fails every
 * unit of the batch with the same code, and nothing of it is stored. A failed fsync stops all
 * writing until the process is started again; it is never retried.
 *
 * Ids are drawn before a unit is built (store_next_id), so a unit never has to ask the engine.
 *
 * The change feed: verbs that change what a cache may hold add a change row to the same
 * transaction. After the commit, and before store_commit returns to anyone, every listener of this
 * process has been told of every change (kind, key), in order. Other processes on the same store
 * read the rows, in the order of their commits, mostly within milliseconds; who cannot read them
 * for STORE_TRUST_MS relies on its memory no more (store_is_trusted). That a token was spent is
 * told without a row: whoever believes that a spent token is good still has to spend it, which the
 * store decides, and where several processes write, whoever is asked about a token that may be
 * spent reads the store.
 *
 * What the strings of a noun refer to must stay put until store_commit returns; the noun's own
 * struct need not (digests, keys and addresses are copied into the unit).
 */
#ifndef JETON_STORE_STORE_H
#define JETON_STORE_STORE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/rc.h"
#include "model/nouns.h"

struct store;

struct store_config {
    struct str data_dir;   /* SQLite: the folder; made 0700 when it is missing */
    struct str database;   /* PostgreSQL: "postgresql://…" or "key=value …"; empty: SQLite */
    bool is_read_only;     /* for doctor and offline lists */
    bool is_check;         /* is_read_only: a schema that could be migrated will do */
    bool is_move;          /* a store that a move has marked will do (store/move.h) */
    unsigned reader_count; /* read-only connections opened as needed; 0: 4 */
};

/*
 * Opens, checks permissions (refuses a file that others may read or write, LG-05), takes the lock
 * file unless read-only, migrates the schema forward.
 *
 * Answers: RC_OK · RC_EXISTS another process holds the store · RC_INVALID too open, newer schema,
 * not a folder.  Faults: RC_UNAVAILABLE, RC_CORRUPT.  out_error: one line for the operator.
 */
enum rc store_open(const struct store_config *config, struct store **out_store,
                   struct buffer *out_error) MUST_CHECK;

/* Commits what is queued, then closes. */
void store_close(struct store *store);

/* The schema that the store had when it was opened, and the newest that this program knows: a newer
 * one is that of a newer program beside it, which says that this one may run on. */
struct store_schema_view {
    int64_t version;
    int64_t known_version;
};
void store_view_schema(const struct store *store, struct store_schema_view *out_view);

/* False after a failed fsync, while the disk is full, or when the engine is away: for /readyz. */
bool store_is_writable(const struct store *store);

/* ---- ids ------------------------------------------------------------------------------------ */

/* Sequences of ids. The nouns share one; tokens have two, by how long they live. */
enum store_sequence {
    SEQUENCE_NOUN = 0,
    SEQUENCE_TOKEN = 1,
    SEQUENCE_LONG_TOKEN = 2,
    SEQUENCE_COUNT
};

/*
 * The next id of a sequence. Ids only grow and are never given twice, also over restarts: blocks
 * are leased from the store, so most calls do not touch it.
 */
enum rc store_next_id(struct store *store, enum store_sequence sequence,
                      int64_t *out_id) MUST_CHECK;

/* First id of SEQUENCE_LONG_TOKEN; every SEQUENCE_TOKEN id is below. */
#define STORE_LONG_TOKEN_FIRST ((int64_t)1 << 48)

/* ---- writing -------------------------------------------------------------------------------- */

enum store_param_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB };

struct store_param {
    enum store_param_type type;
    int64_t number;
    struct str bytes;
};

struct store_step {
    int statement;          /* one of store/queries.def */
    enum rc answer_if_none; /* when the statement changed no row; RC_OK: that is fine */
    int reason;             /* a query that is asked then, -1 for none: no row turns the answer
                               into RC_NOT_FOUND */
    int64_t *out_number;    /* takes the first column of a RETURNING row; NULL: nobody asks */
    unsigned param_count;
    struct store_param params[STORE_PARAM_COUNT_MAX];
};

enum store_change_kind {
    CHANGE_ACCOUNT = 1,
    CHANGE_SERVICE = 2,
    CHANGE_CLIENT = 3,
    CHANGE_GRANT_ENDED = 4,
    CHANGE_TOKEN_REVOKED = 5, /* or spent (told without a row): it is good for nothing any more */
    CHANGE_KEYS = 6,
    CHANGE_MAIL = 7, /* told without a row: one is due; any node finds it by its clock as well */
    CHANGE_DELIVERY = 8, /* likewise, of a logout token */
    /* Never written: changes were missed that nobody can tell any more. Forget all of this store
     * that is kept in memory. */
    CHANGE_ALL = 9
};

struct store_change {
    enum store_change_kind kind;
    int64_t key; /* the noun's id; 0 for CHANGE_KEYS, and CHANGE_MAIL of all that wait */
};

struct store_unit {
    struct store_step steps[STORE_UNIT_STEP_COUNT_MAX];
    unsigned step_count;
    struct store_change changes[STORE_UNIT_STEP_COUNT_MAX];
    unsigned change_count;
    unsigned told_changes; /* bits 1u << index of those that have no row: told, not written */
    uint64_t order; /* where processes write beside each other, they run units in this order */
    unsigned answered_step; /* out: index of the step that answered, where a commit says no */
    unsigned own_bytes_count;
    char own_bytes[STORE_UNIT_STEP_COUNT_MAX * ACCOUNT_NAME_BYTES_MAX]; /* folded names, digests */
};

/* An empty unit. (Not `= { 0 }`: a unit is large and only its counts need to be zero.) */
static inline void store_unit_init(struct store_unit *unit)
{
    unit->step_count = 0;
    unit->change_count = 0;
    unit->told_changes = 0;
    unit->order = 0;
    unit->own_bytes_count = 0;
}

/*
 * Runs the unit and waits until it is on disk.
 *
 * Answers: RC_OK · whatever a step answered.  Faults: RC_BUSY the queue is full · RC_UNAVAILABLE
 */
enum rc store_commit(struct store *store, struct store_unit *unit) MUST_CHECK;

/*
 * The form in which account names are compared: letters in lower case, everything else as it is.
 * Writes exactly name.len bytes.
 */
void store_fold_name(struct str name, char *out_folded);

/* Insert with the id drawn before; RC_EXISTS when the name is taken (services and clients share one
 * namespace). */
void store_insert_account(struct store_unit *unit, const struct account *account);
void store_insert_service(struct store_unit *unit, const struct service *service);
void store_insert_client(struct store_unit *unit, const struct client *client);

/* Replaces every column but id, name and created_at; RC_NOT_FOUND. */
void store_update_service(struct store_unit *unit, const struct service *service);
void store_update_client(struct store_unit *unit, const struct client *client);

/* Changes nothing; RC_SPENT when it is no longer as it was read, or gone: before an update of what
 * was read a while ago. Of an account: its names, address, role and whether it is disabled. */
void store_expect_service(struct store_unit *unit, const struct service *service);
void store_expect_client(struct store_unit *unit, const struct client *client);
void store_expect_account(struct store_unit *unit, const struct account *account);

/* Full name and e-mail, which its owner may change, and nothing else of the account; RC_NOT_FOUND.
 * Another e-mail address than the one before is not verified.
 * An account is never written back as a whole, which would undo what others changed meanwhile. */
void store_update_profile(struct store_unit *unit, int64_t account_id, struct str full_name,
                          struct str email);

/* Sets the e-mail address that is known to be the account's; RC_EXISTS when it is another's
 * already, whatever the case of its letters. One conditional update decides. */
void store_verify_email(struct store_unit *unit, int64_t account_id, struct str email, int64_t at);

/* Makes an account an administrator's, or nobody's special: RC_REFUSED when no other one may sign
 * in, RC_NOT_FOUND. One conditional update decides. */
void store_set_admin(struct store_unit *unit, int64_t account_id, bool is_admin);

/* Disables an account and leaves everything else of it as it is by then; its browser sessions end.
 * Enabling takes it back. RC_NOT_FOUND. */
void store_disable_account(struct store_unit *unit, int64_t account_id);
void store_enable_account(struct store_unit *unit, int64_t account_id);

/* Replaces a password hash, whatever it is; the account's browser sessions end. RC_NOT_FOUND. */
void store_set_password_hash(struct store_unit *unit, int64_t account_id, struct str hash);

/* Changes nothing; RC_NOT_FOUND when the account is disabled or has another password hash by the
 * time of the commit: for what follows from a password that was checked a while before. */
void store_expect_password_hash(struct store_unit *unit, int64_t account_id, struct str hash);

/* Replaces a password hash if it still is `old_hash` (upgraded parameters); RC_NOT_FOUND. */
void store_update_password_hash(struct store_unit *unit, int64_t account_id, struct str old_hash,
                                struct str new_hash);

/* RC_EXISTS when the same standing grant (not is_family) lives already. */
void store_insert_grant(struct store_unit *unit, const struct grant *grant);

/* End grants; no answer when nothing was left to end. */
void store_end_grant(struct store_unit *unit, int64_t grant_id, int64_t at);

/* Moves last_used_at forward; never back, and nothing when the grant is gone. */
void store_touch_grant(struct store_unit *unit, int64_t grant_id, int64_t at);

void store_insert_token(struct store_unit *unit, const struct token *token);

/* Appends the revocation; revoking twice is fine. expires_at is the token's own (for the sweep). */
void store_revoke_token(struct store_unit *unit, int64_t token_id, int64_t at, int64_t expires_at);

/*
 * Consumes a single-use token (a refresh token) in favour of its successor: RC_SPENT when it was
 * consumed before, and RC_NOT_FOUND when it is revoked, its grant has ended, or the account of the
 * grant is disabled or gone by the time of the commit. One conditional insert decides.
 */
void store_spend_token(struct store_unit *unit, int64_t token_id, int64_t grant_id,
                       int64_t successor_id, int64_t at, int64_t expires_at);

/* Keeps the sealed answer that gave a refresh token until a moment, for idempotent replay. It is
 * found by the token that it gave, so that it is appended. */
void store_insert_replay(struct store_unit *unit, int64_t successor_id, int64_t until,
                         struct str sealed);

void store_insert_event(struct store_unit *unit, const struct event *event);

void store_insert_key(struct store_unit *unit, const struct key *key);
/* The same, where every process would make one by itself: RC_SPENT when there is one of its
 * algorithm that was made after a moment. One conditional insert decides. */
void store_insert_next_key(struct store_unit *unit, const struct key *key, int64_t newest_at);
void store_retire_key(struct store_unit *unit, int64_t key_id, int64_t retires_at);
void store_delete_key(struct store_unit *unit, int64_t key_id);

/* A named value, sealed by the caller; RC_EXISTS when it is there already. */
void store_insert_sealed_value(struct store_unit *unit, struct str name, struct str sealed);

/* The session of a grant with is_session, in the unit that inserts the grant. */
void store_insert_session(struct store_unit *unit, const struct session *session);

/* Moves last_active_at forward; never back, and nothing when the session is gone. */
void store_touch_session(struct store_unit *unit, int64_t session_id, int64_t at);

/* Second factors; inserting and deleting tell of a change of the account. */
void store_insert_factor(struct store_unit *unit, const struct factor *factor);
/* RC_NOT_FOUND. */
void store_delete_factor(struct store_unit *unit, int64_t factor_id, int64_t account_id);
/* The same; RC_NOT_FOUND also when the account has no other. One conditional delete decides. */
void store_delete_spare_factor(struct store_unit *unit, int64_t factor_id, int64_t account_id);
/* RC_NOT_FOUND. */
void store_rename_factor(struct store_unit *unit, int64_t factor_id, int64_t account_id,
                         struct str name);
/* All of an account, its passkeys' records and its recovery codes. */
void store_delete_factors(struct store_unit *unit, int64_t account_id);

/* Uses a time step of a TOTP factor: RC_SPENT when it, or a later one, was used before. One
 * conditional update decides (RFC 6238 5.2). */
void store_spend_step(struct store_unit *unit, int64_t factor_id, int64_t step, int64_t at);

/* The record of a passkey, in the unit that inserts its factor: RC_EXISTS when that credential is
 * registered already, whoever's it is (WebAuthn 7.1 step 26). It goes with its factor. */
void store_insert_passkey(struct store_unit *unit, const struct credential_record *passkey);

/* A passkey was used: stores the new counter and the time. RC_SPENT when the stored counter is no
 * longer the one that was checked, or the passkey has gone. One conditional update decides. */
void store_spend_passkey(struct store_unit *unit, const struct credential_record *checked,
                         int64_t sign_count, bool is_backed_up, int64_t at);

/* Recovery codes: known by a keyed hash. Inserting and deleting tell of a change of the account;
 * RC_EXISTS when it is there already, used or not. Spending: RC_SPENT when there is no such unused
 * one. */
void store_insert_recovery_code(struct store_unit *unit, int64_t account_id,
                                const unsigned char digest[static DIGEST_BYTES]);
void store_delete_recovery_codes(struct store_unit *unit, int64_t account_id);
void store_spend_recovery_code(struct store_unit *unit, int64_t account_id,
                               const unsigned char digest[static DIGEST_BYTES], int64_t at);

/* Mails (mail/outbox.h). Inserting takes the first five columns and the sealed text. */
void store_insert_mail(struct store_unit *unit, const struct mail *mail);

/* Begins an attempt that nobody else may begin until leased_until; RC_SPENT when it is not due, has
 * gone, or somebody else began one. One conditional update decides. */
void store_claim_mail(struct store_unit *unit, int64_t mail_id, int64_t now, int64_t leased_until);

/* Ends the attempt that was leased until then, without success; nothing when it is another's. */
void store_postpone_mail(struct store_unit *unit, int64_t mail_id, int64_t leased_until,
                         int64_t next_at, int64_t code);

/* It was sent, or is given up. */
void store_delete_mail(struct store_unit *unit, int64_t mail_id);

/* Makes all that wait for a later moment due at `now`. */
void store_hasten_mails(struct store_unit *unit, int64_t now);

/* Links in mails (account/link.h). */
void store_insert_link(struct store_unit *unit, const struct link *link);

/* Uses the link with this digest and purpose up: RC_NOT_FOUND when it was used, replaced, has
 * expired, or its account is disabled or gone. One conditional delete decides. */
void store_spend_link(struct store_unit *unit, const struct link *link, int64_t now);

/* Those of an account, not 0, for one purpose. */
void store_delete_links(struct store_unit *unit, int64_t account_id, enum link_purpose purpose);

/* All of an account, not 0: its password is another now, or its address, so that whatever was
 * mailed before, to whomever, is good for nothing (PW-09, SE-06). */
void store_delete_all_links(struct store_unit *unit, int64_t account_id);

/* Counts one of at most count_max in a while: answer_if_over when there were as many, and the last
 * was less than window_s ago. One conditional insert decides. */
void store_count_mail(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                      int64_t count_max, int64_t window_s, int64_t at, enum rc answer_if_over);

/* Browser sessions. RC_NOT_FOUND when the account is disabled or gone by the time of the commit. */
void store_insert_browser_session(struct store_unit *unit, const struct browser_session *session);
/* Moves last_active_at forward. */
void store_touch_browser_session(struct store_unit *unit, int64_t id, int64_t at);
void store_delete_browser_session(struct store_unit *unit, int64_t id);
/* The same for one that another takes the place of: RC_NOT_FOUND when it has ended meanwhile. */
void store_replace_browser_session(struct store_unit *unit, int64_t id);
/* All of an account but one (0: all). */
void store_delete_browser_sessions(struct store_unit *unit, int64_t account_id, int64_t except_id);
/* All of an account that wait for a second factor. */
void store_delete_waiting_sessions(struct store_unit *unit, int64_t account_id);

/* Permanent tokens, in the unit that inserts grant and token. Ending the grant revokes.
 * RC_TOO_LARGE when the account has PERMANENT_LIVING_COUNT_MAX living ones already; one conditional
 * insert decides. */
void store_insert_permanent(struct store_unit *unit, const struct permanent *permanent);
/* The name; RC_NOT_FOUND unless it is this account's. */
void store_update_permanent(struct store_unit *unit, const struct permanent *permanent);
/* Says what took its place: RC_SPENT when something has already, its grant has ended, or it is not
 * this account's. One conditional update decides. */
void store_replace_permanent(struct store_unit *unit, int64_t account_id, int64_t id,
                             int64_t replaced_by);
/* A use; never back in time. */
void store_touch_permanent(struct store_unit *unit, int64_t id, int64_t at,
                           const unsigned char address[static 16]);

/* Logout tokens on their way; see the functions of mails, which these are like. */
void store_insert_delivery(struct store_unit *unit, const struct delivery *delivery);
void store_claim_delivery(struct store_unit *unit, int64_t id, int64_t now, int64_t leased_until);
void store_postpone_delivery(struct store_unit *unit, int64_t id, int64_t leased_until,
                             int64_t next_at);
void store_delete_delivery(struct store_unit *unit, int64_t id);
/* Gone with its grants ended by the caller; RC_NOT_FOUND. Its name may be registered anew. */
void store_delete_client(struct store_unit *unit, int64_t client_id);

/* Notes that its owner is told for the so-manieth time that it expires soon: RC_SPENT when as much
 * was noted before. One conditional update decides. */
void store_count_warning(struct store_unit *unit, int64_t id, int64_t warning);

/* ---- reading -------------------------------------------------------------------------------- */

/* All answer RC_OK, RC_NOT_FOUND or a fault. Strings of the noun are copied to the arena. */
enum rc store_find_account(struct store *store, int64_t id, struct arena *arena,
                           struct account *out_account) MUST_CHECK;
enum rc store_find_account_by_name(struct store *store, struct str name, struct arena *arena,
                                   struct account *out_account) MUST_CHECK;
/* Of those that may sign in, the first whose verified address this is, whatever the case of its
 * letters. */
enum rc store_find_account_by_email(struct store *store, struct str email, struct arena *arena,
                                    struct account *out_account) MUST_CHECK;
enum rc store_find_service(struct store *store, int64_t id, struct arena *arena,
                           struct service *out_service) MUST_CHECK;
enum rc store_find_client(struct store *store, int64_t id, struct arena *arena,
                          struct client *out_client) MUST_CHECK;
enum rc store_find_grant(struct store *store, int64_t id, struct arena *arena,
                         struct grant *out_grant) MUST_CHECK;

/* The living standing grant with these four, if any. */
enum rc store_find_standing_grant(struct store *store, const struct grant *like,
                                  struct arena *arena, struct grant *out_grant) MUST_CHECK;

enum rc store_find_token(struct store *store, int64_t id, struct token *out_token) MUST_CHECK;

/* RC_NOT_FOUND when there is none or `now` is past its moment. */
enum rc store_find_replay(struct store *store, int64_t successor_id, int64_t now,
                          struct arena *arena, struct str *out_sealed) MUST_CHECK;

/* The successor a spent token was consumed for, and when. */
struct spent_token {
    int64_t successor_id;
    int64_t at;
};
enum rc store_find_spent(struct store *store, int64_t token_id,
                         struct spent_token *out_spent) MUST_CHECK;

enum rc store_find_session(struct store *store, int64_t id, struct arena *arena,
                           struct session *out_session) MUST_CHECK;

enum rc store_find_browser_session(struct store *store,
                                   const unsigned char digest[static DIGEST_BYTES],
                                   struct arena *arena,
                                   struct browser_session *out_session) MUST_CHECK;
/* RC_OK while a session of the account goes on from that sign-in: it was neither ended by its owner
 * nor by a new password. */
enum rc store_find_login(struct store *store, int64_t account_id, int64_t login_id) MUST_CHECK;
/* Newest first, with id < before_id. */
enum rc store_list_browser_sessions(struct store *store, int64_t account_id, int64_t before_id,
                                    struct arena *arena, struct browser_session *out_rows,
                                    size_t max, size_t *out_count) MUST_CHECK;
/* Sessions of an account whose grant lives, newest first, with id < before_id. */
enum rc store_list_sessions(struct store *store, int64_t account_id, int64_t before_id,
                            struct arena *arena, struct session *out_rows, size_t max,
                            size_t *out_count) MUST_CHECK;

enum rc store_find_permanent(struct store *store, int64_t id, struct arena *arena,
                             struct permanent *out_permanent) MUST_CHECK;
/* The same by its token's id; the token itself may have left the store. */
enum rc store_find_permanent_of_token(struct store *store, int64_t account_id, int64_t token_id,
                                      struct arena *arena,
                                      struct permanent *out_permanent) MUST_CHECK;
/* Newest first, with id < before_id; account_id 0: everybody's. */
enum rc store_list_permanents(struct store *store, int64_t account_id, int64_t before_id,
                              struct arena *arena, struct permanent *out_rows, size_t max,
                              size_t *out_count) MUST_CHECK;
/* One account's in order of id, with id > after_id. */
enum rc store_list_permanents_up(struct store *store, int64_t account_id, int64_t after_id,
                                 struct arena *arena, struct permanent *out_rows, size_t max,
                                 size_t *out_count) MUST_CHECK;

/* Those that are neither ended nor expired; looks at every one. */
enum rc store_count_permanents(struct store *store, int64_t now, size_t *out_count) MUST_CHECK;

/* Living permanent tokens that expire within margin_s and were made to live for longer than that,
 * whose owners have been told of it less than `warning` times, and can be written to: their
 * accounts are enabled and have a verified address. Nothing of what was rotated. By account. */
enum rc store_list_expiring(struct store *store, int64_t now, int64_t margin_s, int64_t warning,
                            struct arena *arena, struct permanent *out_rows, size_t max,
                            size_t *out_count) MUST_CHECK;

enum rc store_find_consent(struct store *store, int64_t account_id, int64_t client_id,
                           struct arena *arena, struct consent *out_consent) MUST_CHECK;

/* Living grants of what was authorized since a sign-in (struct browser_session.login_id), in order
 * of id, with id > after_id: whom its end concerns. The session may have gone. */
enum rc store_list_grants_of_login(struct store *store, int64_t login_id, int64_t after_id,
                                   struct arena *arena, struct grant *out_rows, size_t max,
                                   size_t *out_count) MUST_CHECK;
/* The newest of a sign-in for the client whose id comes next after after_client_id: whom its end
 * concerns, whatever became of the grants. */
enum rc store_find_authorization_of_login(struct store *store, int64_t login_id,
                                          int64_t after_client_id, struct arena *arena,
                                          struct authorization *out_authorization) MUST_CHECK;
/* The delivery that has been due for longest and that nobody is trying. */
enum rc store_find_due_delivery(struct store *store, int64_t now, struct arena *arena,
                                struct delivery *out_delivery) MUST_CHECK;
enum rc store_count_deliveries(struct store *store, size_t *out_count) MUST_CHECK;

/* RC_OK when it is there and unused. */
enum rc store_find_recovery_code(struct store *store, int64_t account_id,
                                 const unsigned char digest[static DIGEST_BYTES]) MUST_CHECK;
enum rc store_count_recovery_codes(struct store *store, int64_t account_id,
                                   size_t *out_unused_count) MUST_CHECK;

/* The second factors of an account in order of id; at most FACTOR_COUNT_MAX. */
enum rc store_list_factors(struct store *store, int64_t account_id, struct arena *arena,
                           struct factor out_rows[static FACTOR_COUNT_MAX],
                           size_t *out_count) MUST_CHECK;

enum rc store_find_passkey(struct store *store, struct str credential_id, struct arena *arena,
                           struct credential_record *out_passkey) MUST_CHECK;
/* An account's passkeys in order of id; at most FACTOR_COUNT_MAX. */
enum rc store_list_passkeys(struct store *store, int64_t account_id, struct arena *arena,
                            struct credential_record out_rows[static FACTOR_COUNT_MAX],
                            size_t *out_count) MUST_CHECK;

enum rc store_find_sealed_value(struct store *store, struct str name, struct arena *arena,
                                struct str *out_sealed) MUST_CHECK;

/* RC_NOT_FOUND also when it has expired. */
enum rc store_find_link(struct store *store, const unsigned char digest[static DIGEST_BYTES],
                        int64_t now, struct arena *arena, struct link *out_link) MUST_CHECK;

/* The newest of an account, not 0, for one purpose. */
enum rc store_find_link_of_account(struct store *store, int64_t account_id,
                                   enum link_purpose purpose, int64_t now, struct arena *arena,
                                   struct link *out_link) MUST_CHECK;

/* The mail that has been due for longest and that nobody is trying to send. */
enum rc store_find_due_mail(struct store *store, int64_t now, struct arena *arena,
                            struct mail *out_mail) MUST_CHECK;
enum rc store_count_mails(struct store *store, size_t *out_count) MUST_CHECK;

/*
 * Pages of lists in order of id: rows with id > after_id, at most max of them (max is at most
 * STORE_LIST_ROW_COUNT_MAX). An empty page is the end.
 */
enum rc store_list_accounts(struct store *store, int64_t after_id, struct arena *arena,
                            struct account *out_rows, size_t max, size_t *out_count) MUST_CHECK;
enum rc store_list_services(struct store *store, int64_t after_id, struct arena *arena,
                            struct service *out_rows, size_t max, size_t *out_count) MUST_CHECK;
enum rc store_list_clients(struct store *store, int64_t after_id, struct arena *arena,
                           struct client *out_rows, size_t max, size_t *out_count) MUST_CHECK;
enum rc store_list_mails(struct store *store, int64_t after_id, struct arena *arena,
                         struct mail *out_rows, size_t max, size_t *out_count) MUST_CHECK;
enum rc store_list_keys(struct store *store, struct arena *arena, struct key *out_rows, size_t max,
                        size_t *out_count) MUST_CHECK;

/* Newest first, with id < before_id. What is searched for (empty: all) stands somewhere in name,
 * full name or e-mail, without regard to case of letters; at most ACCOUNT_NAME_BYTES_MAX. */
enum rc store_search_accounts(struct store *store, struct str text, int64_t before_id,
                              struct arena *arena, struct account *out_rows, size_t max,
                              size_t *out_count) MUST_CHECK;

/* Newest first, with id < before_id. What is searched for (empty: all) stands somewhere in id or
 * name, or in the scope of a service, without regard to case of letters. */
enum rc store_search_services(struct store *store, struct str text, int64_t before_id,
                              struct arena *arena, struct service *out_rows, size_t max,
                              size_t *out_count) MUST_CHECK;
enum rc store_search_clients(struct store *store, struct str text, int64_t before_id,
                             struct arena *arena, struct client *out_rows, size_t max,
                             size_t *out_count) MUST_CHECK;

/* Tokens from the highest id downwards, with id < before_id, all kinds and states: first those that
 * live long, then the others, the newest first of each. */
enum rc store_list_tokens_down(struct store *store, int64_t before_id, struct token *out_rows,
                               size_t max, size_t *out_count) MUST_CHECK;

/* Tokens in order of id, all kinds, those left out that have expired by `now` (0: none). */
enum rc store_list_tokens(struct store *store, int64_t after_id, int64_t now,
                          struct token *out_rows, size_t max, size_t *out_count) MUST_CHECK;

/* Living grants of an account or of a client (0: any), newest first, with id < before_id. */
enum rc store_list_grants(struct store *store, int64_t account_id, int64_t client_id,
                          int64_t before_id, struct arena *arena, struct grant *out_rows,
                          size_t max, size_t *out_count) MUST_CHECK;

/* Living grants whose audience names this service, in order of id. */
enum rc store_list_grants_of_service(struct store *store, struct str service_id, int64_t after_id,
                                     struct arena *arena, struct grant *out_rows, size_t max,
                                     size_t *out_count) MUST_CHECK;

/* Newest first, with id < before_id. */
enum rc store_list_events(struct store *store, int64_t before_id, struct arena *arena,
                          struct event *out_rows, size_t max, size_t *out_count) MUST_CHECK;

/* ---- the change feed ------------------------------------------------------------------------ */

/*
 * Called on the writer's thread, or on the feed's where the store is shared, never on both at once;
 * must be quick, must not call the store. At most 8 listeners. What this process commits itself it
 * may be told twice.
 *
 * A shared store may tell from the moment of the call: who keeps what was read listens first, and
 * reads then.
 */
void store_listen(struct store *store,
                  void (*on_change)(void *context, const struct store_change *), void *context);

/* The listener with that context, if there is one, is told nothing more once this returns. */
void store_unlisten(struct store *store, const void *context);

/* ---- metrics -------------------------------------------------------------------------------- */

struct store_counts {
    uint64_t commits;
    uint64_t units;
    uint64_t unit_refusals; /* units that a step's answer undid */
    uint64_t faults;
    uint64_t swept_rows;
    uint64_t queue_depth;
    uint64_t commit_ns; /* sum over commits */
    uint64_t retries;   /* transactions that were run again: a unit refused, or was in the way */
    uint64_t connections;
    /* Of the disk below the data folder, for a store that has one; else 0. */
    uint64_t disk_free_bytes;
    uint64_t disk_bytes;
};

void store_counts(struct store *store, struct store_counts *out_counts);

#endif
