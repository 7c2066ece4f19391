/*
 * daemon/command_move.h: `jeton move`, which moves all of a store into another one.
 *
 * It opens no house: a store that is being moved can be opened by nobody (store/move.h). It stands
 * beside `serve` rather than in the table of commands, as it has two stores and no verb.
 */
#ifndef JETON_DAEMON_COMMAND_MOVE_H
#define JETON_DAEMON_COMMAND_MOVE_H

#include "daemon/sink.h"

/* Runs it; argv is what stands behind "move". An exit status. */
int move_run(int argc, char *const *argv, struct sink *out, struct sink *err);

#endif
