/*
 * daemon/audit_sealer.h: the thread that seals the audit trail (account/trail.h).
 *
 * A second after something was written, and once more when it is stopped, it puts a checkpoint
 * behind the newest event. One of several servers does so; what one left half done the next one
 * completes. No request ever waits for it. Each event that it seals it also writes to the log or to
 * syslog, if told to, and so at least once: after a crash some come twice. Events that are older
 * than they are to be kept are removed here, a whole checkpoint's at a time, and never unseen.
 */
#ifndef JETON_DAEMON_AUDIT_SEALER_H
#define JETON_DAEMON_AUDIT_SEALER_H

#include "store/store.h"

enum audit_log { AUDIT_LOG_NONE, AUDIT_LOG_LOG, AUDIT_LOG_SYSLOG };

struct audit_settings {
    unsigned log;           /* enum audit_log */
    int64_t retention_days; /* 0: for ever */
};

struct audit_sealer;

/* Starts it. store, settings and master_key outlive it.  RC_CRYPTO, RC_SYSTEM */
enum rc audit_sealer_start(struct store *store, const struct audit_settings *settings,
                           const unsigned char *master_key,
                           struct audit_sealer **out_sealer) MUST_CHECK;

/* Seals what is there and ends it; takes NULL too. Nothing that is committed later is sealed. */
void audit_sealer_stop(struct audit_sealer *sealer);

#endif
