/*
 * daemon/mailer.h: the thread that sends what is in the outbox (mail/outbox.h).
 *
 * One mail at a time (daemon/queue_thread.h). A mail that a server will not take is given up, with
 * a line in the log that has its id and the server's code, and never its text or address; every
 * other failure is tried again, later and later, until its time is over. While there is no server
 * at all, one mail is tried now and then.
 *
 * Every hour it also queues what people are to be told before their tokens expire.
 */
#ifndef JETON_DAEMON_MAILER_H
#define JETON_DAEMON_MAILER_H

#include "daemon/expiry_mails.h"
#include "daemon/mail_route.h"

struct mailer;

/*
 * Makes one that listens to the change feed already (see store_listen), and sends nothing yet.
 *
 * route                   gets a stop_fd, which is good until mailer_close
 * route, outbox, meters   outlive the mailer
 *
 * Answers: RC_OK · RC_INVALID with one line in out_error
 */
enum rc mailer_open(struct mail_route *route, const struct outbox *outbox,
                    struct mail_meters *meters, struct mailer **out_mailer,
                    struct buffer *out_error) MUST_CHECK;

/* Starts the thread. head: of what it writes itself; outlives the mailer. RC_SYSTEM */
enum rc mailer_start(struct mailer *mailer, const struct letter_head *head) MUST_CHECK;

/* From now on nothing more is begun, and what is being sent has HELPER_STOP_MS. Any thread. */
void mailer_begin_stop(struct mailer *mailer);

/* Waits for the mail that is being sent; the others stay queued. Nothing may be committed
 * afterwards, nor sent by the route. */
void mailer_close(struct mailer *mailer);

#endif
