/*
 * codec/uri.h: URIs (RFC 3986) as far as a token server needs them.
 */
#ifndef JETON_CODEC_URI_H
#define JETON_CODEC_URI_H

#include "base/buffer.h"
#include "base/rc.h"
#include "base/str.h"

/* Views of the parts, as sent. */
struct uri {
    struct str scheme;
    struct str host; /* with the brackets of an IPv6 literal; empty when there is no authority */
    struct str port; /* digits, or empty */
    struct str path;
    struct str query; /* without '?' */
    bool has_userinfo;
    bool has_query;
    bool has_fragment;
};

/*
 * Takes a URI apart.
 *
 * Answers: RC_OK · RC_INVALID not a URI with a scheme, an http or https URI without a host, or an
 *          IPvFuture host
 * Source:  RFC 3986 3; RFC 9110 4.2
 */
enum rc uri_parse(struct str text, struct uri *out_uri) MUST_CHECK;

/*
 * Appends an http or https URI as its equals are all written: scheme and host in lower case, no
 * default port, escapes in upper case and only where they are needed, no dot segments, a path that
 * is never empty; query and fragment are left away. For comparing.
 *
 * Answers: RC_OK · RC_INVALID another scheme, or userinfo · RC_TOO_LARGE
 * Source:  RFC 3986 6.2.2, 6.2.3
 */
enum rc uri_normalise(struct str text, struct buffer *to) MUST_CHECK;

/* Appends text with everything but RFC 3986's unreserved characters percent-encoded. */
void uri_encode(struct str text, struct buffer *to);

/*
 * A redirection endpoint (RFC 6749 3.1.2, RFC 9700 2.6): absolute, no userinfo, no fragment; https,
 * http for a loopback host (RFC 8252 7.3), or a private-use scheme, which has a period in it
 * (RFC 8252 7.1), so that javascript:, data: and the like are none in any spelling.
 */
enum rc redirect_uri_check(struct str uri) MUST_CHECK;

/*
 * An issuer identifier (RFC 8414 2): https, or http for a loopback host; a host; no userinfo,
 * query or fragment; no trailing slash; the scheme in lower case, as issuers are compared by byte.
 */
enum rc issuer_check(struct str issuer) MUST_CHECK;

#endif
