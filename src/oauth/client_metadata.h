/*
 * oauth/client_metadata.h: what a client is registered with beyond its columns: the members of RFC
 * 7591 2, OpenID Connect Registration 2 and their extensions.
 *
 * One reader for the command line, the administration pages, dynamic registration and documents
 * that client ids point to. struct client.metadata is the JSON object as this file wrote it: known
 * members alone, each sound. What has a column (redirect_uris, grant_types, scope …) is not in it.
 */
#ifndef JETON_OAUTH_CLIENT_METADATA_H
#define JETON_OAUTH_CLIENT_METADATA_H

#include "oauth/oauth.h"

/* Empty texts: not registered. All are views into the client's metadata and the arena. */
struct client_metadata {
    struct str jwks;     /* JSON object */
    struct str jwks_uri; /* exclude each other */
    struct str tls_subject_dn, tls_san_dns, tls_san_uri, tls_san_ip,
        tls_san_email;                    /* at most one */
    struct str post_logout_redirect_uris; /* newline-separated */
    struct str backchannel_logout_uri;
    bool backchannel_logout_session_required;
    struct str sector_identifier_uri;
    struct str client_uri, logo_uri, policy_uri, tos_uri;
    struct str contacts; /* newline-separated */
    struct str software_id, software_version;
    bool is_native; /* application_type */
    bool has_id_token_alg, has_userinfo_alg, has_introspection_alg, has_request_alg;
    bool has_assertion_alg;
    enum signing_alg id_token_alg;      /* RS256 where none is registered */
    enum signing_alg userinfo_alg;      /* has_userinfo_alg: userinfo is signed */
    enum signing_alg introspection_alg; /* has_…: RFC 9701 */
    enum signing_alg request_alg;       /* request_object_signing_alg */
    enum signing_alg assertion_alg;     /* token_endpoint_auth_signing_alg */
    int64_t default_max_age_s;          /* -1: none */
    bool require_auth_time;
    struct str default_acr_values;
    struct str response_modes;     /* space-separated; empty: query and form_post */
    struct str details_types;      /* authorization_details_types, space-separated */
    struct str exchange_audiences; /* ours: services that tokens may be exchanged for */
    struct str exchange_subjects;  /* ours: clients and services whose tokens, beside its own */
    bool may_omit_pkce;            /* ours: it authenticates, and is too old for RFC 7636 */
};

/* The client's metadata, taken apart. RC_CORRUPT when it is not what was written. */
enum rc client_metadata_read(const struct client *client, struct arena *arena,
                             struct client_metadata *out_metadata) MUST_CHECK;

/*
 * Judges a registration (RFC 7591 2): a JSON object from outside, unknown members ignored, and
 * fills a client with it: columns, policy bits and metadata. Members that are not named keep what
 * the client has (defaults of RFC 7591 for a new one).
 *
 * out_problem   with RC_REFUSED: which error (invalid_redirect_uri or invalid_client_metadata) and
 *               one sentence that names the member, without values
 *
 * Answers: RC_OK · RC_REFUSED
 */
struct metadata_problem {
    enum oauth_error error;
    struct str member;
    struct str sentence; /* of RFC 6749 5.2's characters */
};
enum rc client_metadata_apply(struct str json, bool is_operator, struct arena *arena,
                              struct client *client,
                              struct metadata_problem *out_problem) MUST_CHECK;

/* The same of several objects, of which a later one wins: they are judged together. */
enum rc client_metadata_apply_all(const struct str *objects, size_t object_count, bool is_operator,
                                  struct arena *arena, struct client *client,
                                  struct metadata_problem *out_problem) MUST_CHECK;

/* Whether a registration may have a member of that name, whoever makes it. */
bool client_metadata_knows(struct str name);

/* Appends the members of a client, columns and metadata alike, as RFC 7591 3.2.1 shows them:
 * between braces that the caller writes. */
enum rc client_metadata_format(const struct client *client, struct arena *arena,
                               struct json_out *json) MUST_CHECK;

/* Whether it authenticates with a secret that is not empty. */
bool client_has_secret(const struct client *client);

/* Registered as FAPI 2.0's Security Profile wants clients (5.3.2): pushed requests and bound
 * tokens. Such a client is held to its stricter rules, those for assertions among them. */
bool client_is_fapi(const struct client *client);

#endif
