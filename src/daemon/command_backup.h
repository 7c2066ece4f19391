/*
 * daemon/command_backup.h: `jeton backup`, which writes all of a store to a file while servers run,
 * and `jeton restore`, which makes a store of it. docs/backup.md
 *
 * Like `jeton move` they open no house: one reads beside whoever writes, and the other writes what
 * nobody may serve before it is complete.
 */
#ifndef JETON_DAEMON_COMMAND_BACKUP_H
#define JETON_DAEMON_COMMAND_BACKUP_H

#include "daemon/sink.h"

/* Run them; argv is what stands behind the command. An exit status. */
int backup_run(int argc, char *const *argv, struct sink *out, struct sink *err);
int restore_run(int argc, char *const *argv, struct sink *out, struct sink *err);

#endif
