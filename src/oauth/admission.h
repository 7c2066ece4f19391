/*
 * oauth/admission.h: what a client may be that no operator made: one that registered itself
 * (oauth/registration.h), or whose client_id is the URL of its metadata (oauth/client_find.h).
 *
 * Both are judged here, anew with every change, so that an update gets no more than a registration
 * would. They act for people alone, who are asked: authorization_code, refresh_token and
 * device_code; OpenID Connect's words and those of the services that the operator named.
 */
#ifndef JETON_OAUTH_ADMISSION_H
#define JETON_OAUTH_ADMISSION_H

#include "oauth/client_metadata.h"

/* A scope word of the issuer's own, which only administrators can give: its token may register
 * clients (an initial access token, RFC 7591 1.2), and is for nothing else. */
#define ADMISSION_WORD "jeton:register"

enum registration_mode { REGISTRATION_OFF, REGISTRATION_TOKEN, REGISTRATION_OPEN };

enum {
    ADMISSION_COUNT_DEFAULT = 10000,
    ADMISSION_IDLE_S = 30 * 24 * 3600, /* unused for so long, a client goes when others come */
    ADMISSION_UNUSED_S = 24 * 3600,    /* and after so long where there is no room left      */

    /* Of all redirect URIs of one: an answer that shows it has room for them in JSON's longest
     * spelling, beside the other metadata. */
    ADMISSION_URIS_BYTES_MAX = 32 * 1024,

    /* What judging one takes from an arena at the most: the document, each text of it anew, what it
     * was before, and what it refers to. */
    ADMISSION_ARENA_BYTES = 1024 * 1024
};

/* The operator's settings. */
struct client_admission {
    unsigned registration; /* enum registration_mode */
    bool takes_documents;
    struct str service_ids; /* space-separated: what such clients may be for        */
    struct str hosts;       /* of documents, space-separated; "*" is one that is any */
    int64_t count_max;      /* of such clients */
};

/*
 * Judges metadata, and fills a client with it: everything but id, client_id, created_at, secrets
 * and registration_digest.
 *
 * json      from outside
 * policy    CLIENT_IS_REGISTERED or CLIENT_IS_DOCUMENT
 * client    its client_id is set; untouched unless RC_OK; its texts are in the arena afterwards
 *
 * Answers: RC_OK · RC_REFUSED with out_problem.  Faults: the store's
 * Source:  RFC 7591 2, 3.2.2
 */
enum rc admission_judge(struct oauth_call *call, struct str json, enum client_policy policy,
                        struct arena *arena, struct client *client,
                        struct metadata_problem *out_problem) MUST_CHECK;

/*
 * Draws an id and stores the client, with an audit event. Clients that nobody used for long leave
 * meanwhile.
 *
 * Answers: RC_OK · RC_EXISTS the client_id is taken · RC_TOO_LARGE there are too many.  Faults: the
 * store's
 */
enum rc admission_insert(struct oauth_call *call, struct client *client,
                         struct str detail) MUST_CHECK;

/* Stores what admission_judge made of a client that is there already; RC_NOT_FOUND when it has gone
 * or was disabled or given another registration_digest meanwhile. */
enum rc admission_update(struct oauth_call *call, const struct client *client,
                         struct str detail) MUST_CHECK;

#endif
