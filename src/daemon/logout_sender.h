/*
 * daemon/logout_sender.h: the thread that tells clients of logouts (oauth/logout.h).
 *
 * One token at a time (daemon/queue_thread.h), each made for the attempt. A client that answers
 * with 2xx has been told; one that answers with 4xx never will be; every other failure is tried
 * again, later and later, for LOGOUT_PATIENCE_S. What is not told yet stays in the store over a
 * restart. The log has the client's id and never what a token says.
 */
#ifndef JETON_DAEMON_LOGOUT_SENDER_H
#define JETON_DAEMON_LOGOUT_SENDER_H

#include "oauth/fetcher.h"
#include "oauth/logout.h"

struct logout_sender;

/* Makes one that listens to the change feed already, and sends nothing yet. All outlive it, and the
 * oauth is looked at from the start on. */
struct logout_sender *logout_sender_new(struct store *store, const struct oauth *oauth,
                                        struct logout_meters *meters);

/* Starts the thread. RC_SYSTEM */
enum rc logout_sender_start(struct logout_sender *sender) MUST_CHECK;

/* From now on nothing more is begun. Any thread. */
void logout_sender_begin_stop(struct logout_sender *sender);

/* Waits for what is being sent. Nothing may be committed afterwards. */
void logout_sender_free(struct logout_sender *sender);

#endif
