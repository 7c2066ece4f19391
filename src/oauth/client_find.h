/*
 * oauth/client_find.h: the one place where a client_id that was sent becomes a client.
 *
 * It may be the https URL of the client's own metadata (draft-ietf-oauth-client-id-metadata-
 * document). Such a document is fetched (oauth/fetcher.h), judged as a registration would be
 * (oauth/admission.h), and kept as a client like any other, with CLIENT_IS_DOCUMENT, that follows
 * its document. Only what such a URL's canonical form is can be a client_id; its host has to be one
 * that the operator named.
 */
#ifndef JETON_OAUTH_CLIENT_FIND_H
#define JETON_OAUTH_CLIENT_FIND_H

#include "oauth/oauth.h"

enum {
    CLIENT_DOCUMENT_AGE_S_MAX = 900,   /* of a document that is believed */
    CLIENT_DOCUMENT_READ_COUNT_MAX = 8 /* at once: the work lane has threads for others */
};

/* What is done while the document of a client that is known cannot be had. */
enum client_currency {
    CLIENT_AS_KNOWN,    /* it stays what it was: who was let in is not locked out */
    CLIENT_AS_PUBLISHED /* it is nobody: where a person decides */
};

/*
 * Finds a client.
 *
 * out_client   held: catalog_client_put; it may be disabled
 * out_why      with RC_NOT_FOUND: for the log
 *
 * Answers: RC_OK · RC_NOT_FOUND · RC_WOULD_BLOCK.  Faults: the store's
 * Source:  draft-ietf-oauth-client-id-metadata-document 3, 4, 6
 */
enum rc client_find(struct oauth_call *call, struct str client_id, enum client_currency currency,
                    struct catalog_client **out_client, const char **out_why) MUST_CHECK;

/* Whether a client_id is such a URL (3): https, a host, a path, and nothing else; written as its
 * canonical form. */
bool client_id_is_document(struct str client_id);

#endif
