/*
 * oauth/client_metadata_members.h: the table of oauth/client_metadata.def as the files see it that
 * read, judge and write a client's metadata. For these alone.
 */
#ifndef JETON_OAUTH_CLIENT_METADATA_MEMBERS_H
#define JETON_OAUTH_CLIENT_METADATA_MEMBERS_H

#include "codec/json.h"
#include "oauth/client_metadata.h"

/* What a member is: in a registration, in struct client_metadata, and as it is kept. */
enum metadata_form {
    FORM_JWKS,        /* an object; struct str, kept as a string of JSON      */
    FORM_HTTPS,       /* an https URL; struct str                             */
    FORM_PAGE,        /* an https or http URL; struct str                     */
    FORM_TEXT,        /* struct str                                           */
    FORM_REDIRECTS,   /* an array of redirect URIs; struct str, one a line    */
    FORM_LINES,       /* an array of strings; struct str, one a line          */
    FORM_WORDS,       /* an array of words; struct str with spaces            */
    FORM_MODES,       /* the same of response modes                           */
    FORM_BOOL,        /* bool                                                 */
    FORM_APPLICATION, /* "web" or "native"; bool                              */
    FORM_ALG,         /* the name of an algorithm that we sign with; the enum */
    FORM_CLIENT_ALG,  /* of one that clients may sign with                    */
    FORM_SECONDS      /* a number; int64_t, -1 for none                       */
};

struct metadata_member {
    enum metadata_form form;
    struct str name;
    size_t offset;     /* in struct client_metadata */
    size_t has_offset; /* of its has_…: algorithms  */
    bool is_operators; /* nobody else may set it    */
};

/* All of the table, in its order; ends with a name that is empty. */
extern const struct metadata_member metadata_members[];

/* The places of a member. */
struct str *metadata_text(const struct metadata_member *member, struct client_metadata *metadata);
bool *metadata_flag(const struct metadata_member *member, struct client_metadata *metadata);
int64_t *metadata_seconds(const struct metadata_member *member, struct client_metadata *metadata);
enum signing_alg *metadata_alg(const struct metadata_member *member,
                               struct client_metadata *metadata, bool **out_has);

/* Nothing registered. */
void metadata_clear(const struct metadata_member *member, struct client_metadata *metadata);

/* Whether metadata has the member at all. */
bool metadata_has(const struct metadata_member *member, const struct client_metadata *metadata);

/* Takes a member as RFC 7591 shows it, or a kept one. Answers: RC_OK · RC_INVALID another type */
enum rc metadata_take(const struct metadata_member *member, const struct json_value *value,
                      struct arena *arena, struct client_metadata *metadata) MUST_CHECK;

/* Appends the member as RFC 7591 shows it, or, is_kept, as the store keeps it. */
void metadata_format_member(const struct metadata_member *member,
                            const struct client_metadata *metadata, bool is_kept,
                            struct json_out *json);

/* The whole as struct client.metadata has it, in the arena. RC_TOO_LARGE */
enum rc metadata_keep(const struct client_metadata *metadata, struct arena *arena,
                      struct str *out_json) MUST_CHECK;

/* Members that are bits of enum client_policy; ends with no bit. */
struct metadata_policy {
    unsigned bit;
    struct str name;
    bool is_operators;
};
extern const struct metadata_policy metadata_policies[];

#endif
