/*
 * daemon/house.h: what stands behind both the server and the command line: the open store, the
 * catalog, the master key and the keys derived from it, the throttle, and the token room.
 *
 * Only one process holds a data folder at a time; any number share a database, and of those only a
 * server holds the folder that it has beside it. Lifetimes: everything here lives until
 * house_close; what the configuration refers to is not kept.
 */
#ifndef JETON_DAEMON_HOUSE_H
#define JETON_DAEMON_HOUSE_H

#include "account/account.h"
#include "account/secret_check.h"
#include "daemon/command.h"
#include "daemon/database.h"
#include "daemon/master_key.h"
#include "token/token_room.h"

/* The sealed value that every store has from its first opening on. */
#define SECRET_CHECK_KEY_NAME "secret-check-key"

enum { HOUSE_REMARK_BYTES = 256 };

struct house_config {
    const char *data;                /* NULL: none, which needs a database */
    const struct database *database; /* NULL: SQLite in the folder */
    const char *master_key_file;     /* NULL: see daemon/master_key.h */
    unsigned reader_count;           /* connections that read; 0: the store's choice */
    bool is_server;                  /* holds the folder beside a database, too */
    bool is_check;                   /* house_check's own */
};

struct house {
    struct store *store;
    char remark[HOUSE_REMARK_BYTES]; /* of the engine, for the operator; empty: none */
    bool has_lock;                   /* of the folder, beside a database */
    int lock_fd;
    struct catalog *catalog;
    struct master_key master_key;
    bool master_key_was_made;
    struct hmac_key *memory_key;
    struct hmac_key *stored_key;
    struct hmac_key *throttle_key;
    struct hmac_key *code_key;    /* of recovery codes */
    struct hmac_key *subject_key; /* of pairwise subjects and session ids */
    struct secret_checker checker;
    struct throttle_book *throttle;
    struct account_door door;
    struct token_room *room;             /* NULL until house_open_room      */
    const struct mail_route *mail_route; /* a server's; NULL: it sends none */
    const struct letter_head *letters;   /* as mail_route; without `now` */
};

/*
 * Opens store, key and books; crypto_init has been called.
 *
 * out_error         one line, on every code but RC_OK
 *
 * Answers: RC_OK · RC_EXISTS another process holds the folder · RC_INVALID what does not get better
 *          by itself.  Faults: the store's; RC_UNAVAILABLE also of a database that is away
 */
enum rc house_open(const struct house_config *config, struct house *out_house,
                   struct buffer *out_error) MUST_CHECK;

/*
 * Whether a server could open it: reads the store, if there is one, and the master key, and changes
 * nothing, whoever holds the folder.
 *
 * Answers: as house_open
 */
enum rc house_check(const struct house_config *config, struct buffer *out_error) MUST_CHECK;

/*
 * The store alone, to be read and closed (store_close), as house_check has it.
 *
 * Answers: RC_OK · RC_NOT_FOUND there is none yet, and else as house_open
 */
enum rc house_open_to_read(const struct house_config *config, struct store **out_store,
                           struct buffer *out_error) MUST_CHECK;

/* Opens the token room. issuer must outlive the house; live_bytes_max is as of token_room_open. */
enum rc house_open_room(struct house *house, struct str issuer, size_t live_bytes_max) MUST_CHECK;

void house_close(struct house *house);

/* Runs a command line of the user uid over the house; an exit status. Sinks are flushed. */
int house_run_command(struct house *house, unsigned uid, int argc, char *const *argv,
                      const struct secret *input, struct str document, struct sink *out,
                      struct sink *err);

/*
 * Whether a master key is the one that sealed a store's first value, before the store is opened.
 *
 * where   what to call the key's place; empty: nothing
 *
 * Answers: RC_OK · RC_INVALID with a line in out_error
 */
enum rc house_check_key(const struct master_key *key, struct str sealed, const char *where,
                        struct buffer *out_error) MUST_CHECK;

#endif
