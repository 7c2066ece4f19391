/*
 * daemon/house.h: what stands behind both the server and the command line: the open store, the
 * catalog, the master key and the keys derived from it, the throttle, and the token room.
 *
 * Only one process holds a data folder at a time. Lifetimes: everything here lives until
 * house_close.
 */
#ifndef JETON_DAEMON_HOUSE_H
#define JETON_DAEMON_HOUSE_H

#include "account/account.h"
#include "account/secret_check.h"
#include "daemon/command.h"
#include "daemon/master_key.h"
#include "token/token_room.h"

struct house {
    struct store *store;
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
 * master_key_file   NULL: see daemon/master_key.h
 * out_error         one line, on every code but RC_OK
 *
 * Answers: RC_OK · RC_EXISTS another process holds the folder · RC_INVALID.  Faults: the store's
 */
enum rc house_open(const char *data, const char *master_key_file, struct house *out_house,
                   struct buffer *out_error) MUST_CHECK;

/* Opens the token room. issuer must outlive the house. */
enum rc house_open_room(struct house *house, struct str issuer) MUST_CHECK;

void house_close(struct house *house);

/* Runs a command line of the user uid over the house; an exit status. Sinks are flushed. */
int house_run_command(struct house *house, unsigned uid, int argc, char *const *argv,
                      const struct secret *input, struct sink *out, struct sink *err);

#endif
