/*
 * fetch/https.h: one document from, or one form to, an https server, in the helper's process.
 *
 * The address is looked at when the socket is made, after the name was resolved (HT-08), so that a
 * name which leads elsewhere the second time leads nowhere. No redirect is followed, no proxy used,
 * nothing decompressed, no cookie or connection kept.
 */
#ifndef JETON_FETCH_HTTPS_H
#define JETON_FETCH_HTTPS_H

#include "fetch/reach.h"
#include "fetch/wire.h"

struct https_setup {
    struct reach reach;
    const char *ca_file; /* certificates to trust beside the system's; NULL: none */
};

struct https_request {
    const char *url;
    bool is_post;
    struct str form; /* is_post */
};

struct https_result {
    enum fetch_outcome outcome;
    int32_t code; /* the status, or one of enum fetch_trouble */
    char words[WIRE_WORDS_BYTES_MAX + 1];
    struct str content; /* of FETCH_DONE; good until the next request */
};

void https_perform(const struct https_setup *setup, const struct https_request *request,
                   struct https_result *out_result);

#endif
