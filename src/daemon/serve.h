/*
 * daemon/serve.h: the server: opens the house, wires the rooms, serves until it is told to stop.
 *
 * SIGTERM and SIGINT drain and end; SIGHUP reads certificates and keys again; SIGUSR2 puts the
 * program that is installed now in the place of this one (daemon/restart.h). When it serves it says
 * "ready" with its first address on a line of stderr, and READY=1 to the service manager.
 */
#ifndef JETON_DAEMON_SERVE_H
#define JETON_DAEMON_SERVE_H

/* argc, argv: the whole command line, whose second word is "serve". Answers an exit status. */
int serve_run(int argc, char *const *argv);

#endif
