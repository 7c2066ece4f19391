/*
 * codec/client_cert.h: the header by which a reverse proxy hands on its client's certificate.
 *
 * There is a standard, Client-Cert (RFC 9440), whose value is a byte sequence of RFC 8941, and
 * there is habit: percent-encoded PEM, as nginx and others send it, or its base64 alone.
 */
#ifndef JETON_CODEC_CLIENT_CERT_H
#define JETON_CODEC_CLIENT_CERT_H

#include "base/buffer.h"
#include "base/rc.h"

/*
 * Appends the DER of the (first) certificate; what it is made of is for others to see.
 *
 * Answers: RC_OK · RC_INVALID none of these forms, or no room
 * Source:  RFC 9440 2.1; RFC 8941 3.3.5; RFC 7468 5.1
 */
enum rc client_cert_parse(struct str value, struct buffer *out_der) MUST_CHECK;

#endif
