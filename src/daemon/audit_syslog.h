/*
 * daemon/audit_syslog.h: lines of the audit trail to the system's log, facility authpriv.
 */
#ifndef JETON_DAEMON_AUDIT_SYSLOG_H
#define JETON_DAEMON_AUDIT_SYSLOG_H

#include "base/str.h"

/* Connects to /dev/log now, while the process may still open what it likes. */
void audit_syslog_open(void);

/* One line. False: the log is away, or did not take it within a second; it is tried again with the
 * next one. */
bool audit_syslog_write(struct str line);

#endif
