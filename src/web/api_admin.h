/*
 * web/api_admin.h: what administrators' programs do: /api/v1/admin (docs/api-admin.md). For this
 * room only.
 *
 * A row of the endpoint table has a struct api_resource: which verbs it takes. Before a verb runs,
 * api_admin_endpoint has found out who calls (an administrator's token, or a client's own, with
 * SCOPE_ADMIN_WORD or, to read, SCOPE_ADMIN_READ_WORD), has read the body, and has noted the
 * request's Idempotency-Key, if there is one. A verb writes its answer, a problem too, and returns
 * RC_OK; or a fault. Cookies are not looked at.
 *
 * What a noun has is a table of fields: how a member is called, how it is written, where it is in
 * the noun's struct, and whether it may be given when one is made, or changed. What may be said of
 * it is checked where pages and commands have it checked.
 */
#ifndef JETON_WEB_API_ADMIN_H
#define JETON_WEB_API_ADMIN_H

#include "oauth/registry_admin.h"
#include "oauth/token_facts.h"
#include "web/api_request.h"
#include "web/letter.h"

struct api_admin {
    struct web_call *call;
    struct store *store;
    struct arena arena;     /* for rows and what becomes of a body; as large as it may get */
    struct account account; /* who calls; id 0: a client by itself */
    int64_t client_id;
    struct admin admin;
    struct registry_desk desk;
    const struct json_value *body; /* an object; NULL: the verb takes none */
    struct str location;           /* of what was made; empty: none */
    struct str etag;               /* with its quotes; empty: none  */
};

typedef enum rc api_verb(struct api_admin *api);

struct api_resource {
    api_verb *get, *post, *patch, *remove;
    unsigned bodies; /* METHOD_POST, API_METHOD_PATCH: they take one */
    bool hashes;     /* a body with a password goes to the hash lane */
    bool in_parts;   /* a POST commits more than once: of a store that is busy half may be done */
};

#define API_METHOD_PATCH (1u << HTTP_PATCH)

extern const struct api_resource api_server_resource, api_accounts_resource, api_account_resource,
    api_account_unlock_resource, api_account_factors_resource, api_account_sessions_resource,
    api_account_recovery_resource, api_session_resource, api_factor_resource,
    api_account_grants_resource, api_account_tokens_resource, api_services_resource,
    api_service_resource, api_service_secret_resource, api_service_grants_resource,
    api_clients_resource, api_client_resource, api_client_secret_resource,
    api_client_old_secret_resource, api_client_grants_resource, api_admin_tokens_resource,
    api_admin_token_resource, api_token_lookup_resource, api_events_resource,
    api_checkpoints_resource, api_keys_resource, api_keys_rotate_resource, api_mails_resource,
    api_mails_retry_resource, api_mails_test_resource;

/* ---- fields ---------------------------------------------------------------------------------- */

enum api_type {
    API_TEXT,   /* struct str */
    API_WORDS,  /* struct str, with spaces between them: an array */
    API_LINES,  /* struct str, with line feeds between them: an array */
    API_NUMBER, /* int64_t */
    API_TIME,   /* int64_t; 0: null */
    API_FLAG,   /* bool */
    API_GRANTS, /* unsigned, bits of enum grant_type: an array */
    API_CLIENT_TYPE,
    API_AUTH_METHOD,
    API_TOKEN_FORMAT,
    API_ALG
};

enum { API_READ = 0, API_MAKE = 1u << 0, API_CHANGE = 1u << 1 };

struct api_field {
    const char *name;
    enum api_type type;
    unsigned may; /* bits: when it may be given */
    size_t offset;
};

struct api_fields {
    const struct api_field *rows;
    size_t count;
    struct str others; /* members that are read elsewhere: words */
};

/* Members of an object that is open. */
void api_fields_format(const struct api_fields *fields, const void *noun, struct json_out *json);

/* Members of the body over what is there; texts are views into it or stand in the arena. False: the
 * answer is written. */
bool api_fields_read(struct api_admin *api, const struct api_fields *fields, unsigned may,
                     void *noun);

/* A member: a text, or null for an empty one; a moment, or null for none. */
void api_member_text(struct json_out *json, const char *name, struct str text);
void api_member_time(struct json_out *json, const char *name, int64_t at);

/* "managed_by": the configuration file that owns it, or null. */
enum rc api_member_owner(struct api_admin *api, enum managed_kind kind, int64_t id,
                         struct json_out *json) MUST_CHECK;

/* ---- answers --------------------------------------------------------------------------------- */

/* The members of a noun, between braces that are written elsewhere. */
typedef enum rc api_format(struct api_admin *api, const void *noun, struct json_out *json);

/* One noun with its ETag. secret: shown once, beside its other members; empty: none */
enum rc api_answer(struct api_admin *api, int status, api_format *format, const void *noun,
                   struct str secret);
enum rc api_answer_none(struct api_admin *api); /* 204 */
enum rc api_answer_missing(struct api_admin *api);
enum rc api_answer_conflict(struct api_admin *api, const char *detail);
/* What a change that somebody else overtook is answered. */
enum rc api_answer_overtaken(struct api_admin *api);
/* As `rc` says: 204, 404, or a fault. */
enum rc api_answer_done(struct api_admin *api, enum rc rc);

/* RFC 9110 13.1.1. False: the noun is not as it was seen, and the answer is written. */
bool api_is_match(struct api_admin *api, api_format *format, const void *noun);

/* ---- what the path names --------------------------------------------------------------------- */

/* The rest of the path without escapes; RC_NOT_FOUND when it is no text. */
enum rc api_path_text(struct api_admin *api, struct str *out_text) MUST_CHECK;

/* A number that is shown as a text without a meaning, and read back; kind: of what. */
struct str api_handle_seal(struct api_admin *api, const char *kind, int64_t id);
bool api_handle_open(struct api_admin *api, const char *kind, struct str handle, int64_t *out_id);

/* The account of the path, by its number. RC_NOT_FOUND: the answer is written. */
enum rc api_account_find(struct api_admin *api, struct account *out_account) MUST_CHECK;

/* The mail that tells an address that is known to be the account's, as web/page_mail.h has it; its
 * row is NULL where nobody is told. factor: its name, or empty */
enum rc api_tell(struct api_admin *api, const struct account *account, enum letter_news news,
                 struct str factor, struct letter *out_letter) MUST_CHECK;

/* ---- services and clients -------------------------------------------------------------------- */

/* What is wrong with one, as its member: the first thing of several. */
enum rc api_refuse_faults(struct api_admin *api, const struct registry_faults *faults);
enum rc api_refuse_taken(struct api_admin *api);

/* "/api/v1/admin/SECTION/ID" */
struct str api_path_to(struct api_admin *api, const char *section, struct str id);

/* A fresh secret in the arena, which is wiped with the call, and its stored form. */
struct str api_make_secret(struct api_admin *api, struct str *out_hash);

/* ---- lists ----------------------------------------------------------------------------------- */

enum { API_ROW_COUNT = 20, API_ROW_COUNT_MAX = 50, API_FILTER_BYTES_MAX = 255 };

struct api_list {
    const char *kind;  /* of its places */
    int64_t before_id; /* INT64_MAX: from the beginning */
    size_t limit;
    int64_t next_id;           /* of the row where it goes on; 0: this was the last page */
    int64_t looked_back_until; /* of a search that goes on where there may be more; 0: none */
};

/* Reads the query: limit, after and the filters that `filters` names. False: the answer is written.
 */
bool api_list_begin(struct api_admin *api, const char *kind, struct str filters,
                    struct api_list *out_list);

/* The same of a list of an account's, which is found by the path. RC_REFUSED: the answer is
 * written. */
enum rc api_account_list_begin(struct api_admin *api, const char *kind, struct str filters,
                               struct account *out_account, struct api_list *out_list) MUST_CHECK;

/* A filter, without blanks around it; empty: none. */
struct str api_filter(struct api_admin *api, struct str name);

/*
 * Writes a page: the rows as far as there is room for them, and where it goes on.
 *
 * count      rows; more than list->limit: there are others
 * id_offset  of the int64_t in a row that its place is made of
 */
enum rc api_list_answer(struct api_admin *api, struct api_list *list, api_format *format,
                        const void *rows, size_t row_bytes, size_t count, size_t id_offset);

#endif
