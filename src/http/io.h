/*
 * http/io.h: reading from a connection and writing to it, whether it is encrypted or not.
 */
#ifndef JETON_HTTP_IO_H
#define JETON_HTTP_IO_H

#include "base/str.h"
#include "crypto/tls.h"

/* What a step came to. A TLS stream that reads may have to wait until it can write. */
enum io { IO_DONE, IO_WAITS_TO_READ, IO_WAITS_TO_WRITE, IO_ENDED };

enum io io_of_tls(enum tls_progress progress);

/* tls is NULL where the connection is plain. Both may do less than they were asked for. */
enum io io_read(int fd, struct tls_stream *tls, char *bytes, size_t max, size_t *out_len);
enum io io_write(int fd, struct tls_stream *tls, struct str bytes, size_t *out_len);

#endif
