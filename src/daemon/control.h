/*
 * daemon/control.h: the socket over which the command line asks a running server.
 *
 * "control.sock" in the data folder, 0600, and only for the server's own user and root
 * (SO_PEERCRED). The command line sends its words and the line from its standard input; the server
 * runs the command on its open store and sends output, messages and the exit status back. The
 * store's lock file decides who is the server: whoever holds it may replace a socket that a dead
 * one left behind. A file that a command reads goes along: the server need not be able to read it.
 *
 *     request   "JTC1", number of words, each word, what follows (1: input, 2: a file), that
 *     answer    any number of { kind, bytes }; the last one is the exit status
 *
 * Numbers are 32 bits, little-endian; words, input and bytes have their length before them.
 */
#ifndef JETON_DAEMON_CONTROL_H
#define JETON_DAEMON_CONTROL_H

#include "daemon/house.h"

enum {
    CONTROL_WORD_COUNT_MAX = 1024,
    CONTROL_REQUEST_BYTES_MAX = 256 * 1024,
    CONTROL_DOCUMENT_BYTES_MAX = 32 * 1024 * 1024, /* 100,000 users of another server */
    CONTROL_CONNECTION_COUNT_MAX = 8,              /* lists may be slow; more have to wait */
    CONTROL_READ_TIMEOUT_S = 10,
    CONTROL_WRITE_TIMEOUT_S = 60 /* somebody reads a list page by page */
};

struct control_server;

/*
 * Listens and starts a thread. The house must outlive the server, and hold the store.
 *
 * Answers: RC_OK · RC_SYSTEM with one line in out_error
 */
enum rc control_server_open(const char *data, struct house *house,
                            struct control_server **out_server,
                            struct buffer *out_error) MUST_CHECK;

/* Lets the commands under way end, and removes the socket. */
void control_server_close(struct control_server *server);

/* Connects to the server of a data folder; RC_NOT_FOUND when there is none. */
enum rc control_connect(const char *data, int *out_fd) MUST_CHECK;

/*
 * Has a command run by the server.
 *
 * input        NULL: none
 * document     empty: none
 * Answers: RC_OK, *out_status is set · RC_UNAVAILABLE the connection broke off
 */
enum rc control_run(int fd, int argc, char *const *argv, const struct secret *input,
                    struct str document, struct sink *out, struct sink *err,
                    int *out_status) MUST_CHECK;

#endif
