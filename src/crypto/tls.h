/*
 * crypto/tls.h: server-side TLS 1.2 and 1.3 over a non-blocking socket (RFC 8446, BCP 195).
 *
 * A context holds certificate and key and may be replaced while streams made from it live on.
 * A stream belongs to one thread at a time.
 */
#ifndef JETON_CRYPTO_TLS_H
#define JETON_CRYPTO_TLS_H

#include "base/buffer.h"
#include "base/rc.h"
#include "crypto/certificate.h"

struct tls_context;
struct tls_stream;

/*
 * Reads a PEM chain and its PEM key.
 *
 * out_error  one line that names the file and what is wrong with it
 * Answers: RC_OK · RC_INVALID unreadable, no certificate, key does not fit, key file open to others
 */
enum rc tls_context_new(const char *certificate_file, const char *key_file,
                        struct tls_context **out_context, struct buffer *out_error) MUST_CHECK;

/* When the certificate expires; 0 when it does not say so in a way that can be read. */
int64_t tls_context_expires_at(const struct tls_context *context);

/* Whose chains a client's certificate may end in; the context keeps a reference of its own. */
void tls_context_trust(struct tls_context *context, const struct certificate_trust *trust);

/* Drops one reference; streams keep theirs. */
void tls_context_free(struct tls_context *context);

/*
 * A stream over a connected socket, which stays the caller's. Writing to a socket that the other
 * end has closed raises SIGPIPE, so the process ignores that signal.
 *
 * Faults: RC_CRYPTO
 */
enum rc tls_stream_new(struct tls_context *context, int fd,
                       struct tls_stream **out_stream) MUST_CHECK;

void tls_stream_free(struct tls_stream *stream);

/*
 * Before the handshake: asks the client for a certificate. It may send none, and any is let
 * through that it has the key of: what a certificate is worth is for others to decide.
 */
void tls_stream_ask_certificate(struct tls_stream *stream);

/*
 * The certificate that the client sent.
 *
 * out_is_trusted   its chain ended in one that is trusted, for a client, when it was sent
 *
 * Answers: RC_OK · RC_NOT_FOUND none · RC_TOO_LARGE for the buffer
 */
enum rc tls_stream_certificate(const struct tls_stream *stream, struct buffer *out_der,
                               bool *out_is_trusted) MUST_CHECK;

/* What the stream waits for, or that it has ended. */
enum tls_progress { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_CLOSED, TLS_FAILED };

enum tls_progress tls_handshake(struct tls_stream *stream);
enum tls_progress tls_read(struct tls_stream *stream, void *out_bytes, size_t max, size_t *out_len);
enum tls_progress tls_write(struct tls_stream *stream, const void *bytes, size_t len,
                            size_t *out_len);

/* Bytes were read that tls_read did not hand out yet, whole record or not: epoll cannot know. */
bool tls_has_pending(const struct tls_stream *stream);

/* Sends close_notify if that is possible without waiting. */
void tls_shutdown(struct tls_stream *stream);

#endif
