/*
 * daemon/database_watch.h: what a server does about a shared database that is away.
 *
 * At the start it waits for one that cannot be reached yet, as a machine and its database may start
 * together; what is wrong and stays so (a password, a right, a schema, a key) ends the start at
 * once. Later a thread says in the log, once each, when the database was lost and when it is back,
 * and likewise when its clock and this machine's have come apart; and now and then what else
 * failed. Requests that were answered 503 for it have no lines of their own.
 */
#ifndef JETON_DAEMON_DATABASE_WATCH_H
#define JETON_DAEMON_DATABASE_WATCH_H

#include <signal.h>

#include "daemon/house.h"

enum { DATABASE_WAIT_S = 60 };

/*
 * house_open, repeated for DATABASE_WAIT_S while the database cannot be reached.
 *
 * stop_signals   are blocked; one of them ends the waiting
 *
 * Answers: house_open's · RC_SPENT a signal came
 */
enum rc database_await_house(const struct house_config *config, const sigset_t *stop_signals,
                             struct house *out_house, struct buffer *out_error) MUST_CHECK;

struct database_watch;

/*
 * Starts the thread; nothing for a store that is not shared.
 *
 * place       names the database; outlives the watch
 * out_watch   NULL: there is nothing to watch
 */
enum rc database_watch_start(struct store *store, const char *place,
                             struct database_watch **out_watch) MUST_CHECK;

/* NULL is fine. */
void database_watch_stop(struct database_watch *watch);

#endif
