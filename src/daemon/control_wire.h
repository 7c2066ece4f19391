/*
 * daemon/control_wire.h: whole reads and writes on the control socket, and its addresses; for the
 * two ends of daemon/control.h alone.
 */
#ifndef JETON_DAEMON_CONTROL_WIRE_H
#define JETON_DAEMON_CONTROL_WIRE_H

#include <sys/un.h>

#include "base/str.h"

#define CONTROL_MAGIC       "JTC1"
#define CONTROL_SOCKET_NAME "control.sock"

enum { CONTROL_MAGIC_BYTES = 4, CONTROL_NUMBER_BYTES = 4 };

/* What follows the words of a request. */
enum control_part { CONTROL_INPUT = 1, CONTROL_DOCUMENT = 2 };

enum control_kind { CONTROL_OUT = 1, CONTROL_ERR = 2, CONTROL_STATUS = 3 };

/*
 * The socket's address by way of an open folder: a path may be longer than sun_path, a descriptor
 * is not. Answers the folder's descriptor, to be closed after bind or connect, or -1.
 */
int control_address(const char *data, struct sockaddr_un *out_address);

/* All of it, or false. */
bool control_write(int fd, const void *bytes, size_t len);
bool control_read(int fd, void *out_bytes, size_t len);

bool control_write_number(int fd, uint32_t number);
bool control_read_number(int fd, uint32_t *out_number);

#endif
