/*
 * oauth/fetcher.h: documents from other servers: a client's keys, its metadata, its sector.
 *
 * Guarded (HT-08): https only, no redirects, no address of loopback, link-local or private networks
 * unless the operator allowed that network, FETCHER_BYTES_MAX, FETCHER_TIMEOUT_MS, a few at once,
 * one try per host in a while after a failure. The helper program does it (fetch/helper.h); this
 * file asks, waits and remembers. Blocks: only on the work lane.
 */
#ifndef JETON_OAUTH_FETCHER_H
#define JETON_OAUTH_FETCHER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rc.h"
#include "base/str.h"

enum { FETCHER_BYTES_MAX = 64 * 1024, FETCHER_TIMEOUT_MS = 5000 };

struct fetcher;

/* networks   space-separated, that may be asked although they are private; may be empty
 * ca_file    of certificates to trust besides; NULL: the system's alone */
struct fetcher_config {
    struct str networks;
    const char *ca_file;
};

/* The helper starts with the first question. Threads: everything below from any thread. */
enum rc fetcher_new(const struct fetcher_config *config, struct fetcher **out_fetcher,
                    struct buffer *out_error) MUST_CHECK;
void fetcher_free(struct fetcher *fetcher);

/* Of both: a fetcher that is NULL cannot have anything (RC_NOT_FOUND). */

/* The document at a URL, fresh or not older than max_age_s; in the arena. RC_NOT_FOUND: it cannot
 * be had, whatever the reason, which goes to the helper's own log line. */
enum rc fetcher_get(struct fetcher *fetcher, struct str url, int64_t max_age_s, int64_t now,
                    struct arena *arena, struct str *out_body) MUST_CHECK;

/* Sends a form to a URL (back-channel logout). RC_OK: an answer of 2xx; RC_NOT_FOUND: none, try
 * later; RC_REFUSED: it will never be (4xx). */
enum rc fetcher_post_form(struct fetcher *fetcher, struct str url, struct str form) MUST_CHECK;

#endif
