#include "daemon/audit_syslog.h"

#include <syslog.h>

void audit_syslog_open(void)
{
    openlog("jeton", LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
}

void audit_syslog_write(struct str line)
{
    syslog(LOG_AUTHPRIV | LOG_INFO, "%.*s", STR_ARGS(line));
}
