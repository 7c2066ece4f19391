/*
 * oauth/registry_admin.h: what administrators do to services and clients, from the command line and
 * in the pages.
 *
 * Whether somebody is an administrator is the caller's to see to, and that what is stored has
 * passed oauth/registry_check.h. Every act is one transaction with its audit event, which says who
 * did it. An act that rests on what was read before carries both, what it was and what it is to be,
 * and answers RC_SPENT when somebody else has changed it meanwhile: nothing is undone unseen.
 * Ending grants is account/grants_end.h.
 *
 * Secrets are made here, shown once by the caller, and stored as account/secret_check.h says
 * (CA-13). A client's secret may be rotated with an overlap: the one before is good until a moment,
 * so that every place where it stands can be changed in time. One before at most: rotating again
 * ends the one before that.
 */
#ifndef JETON_OAUTH_REGISTRY_ADMIN_H
#define JETON_OAUTH_REGISTRY_ADMIN_H

#include "account/admin.h"
#include "account/secret_check.h"
#include "oauth/oauth.h"
#include "oauth/registry_check.h"

/* Where the acts happen, and who does them. */
struct registry_desk {
    struct store *store;
    struct throttle_book *throttle;
    const struct admin *admin;
};

enum { REGISTRY_OVERLAP_S_MAX = 366 * 24 * 3600 };

/* A fresh secret, 256 random bits as 43 characters of base64url, and its stored form. */
void registry_make_secret(const struct secret_checker *checker, struct secret *out_secret,
                          char out_hash[static PASSWORD_HASH_BYTES_MAX]);

/* The number of a service or client that is still to be made: storing it twice makes one. */
enum rc registry_next_id(struct store *store, int64_t *out_id) MUST_CHECK;

/* ---- services -------------------------------------------------------------------------------- */

/* Stores a new one; its id was drawn. RC_EXISTS when the name or the id is taken. */
enum rc registry_create_service(const struct registry_desk *desk,
                                const struct service *service) MUST_CHECK;

/* Name, scope and what tokens look like. RC_SPENT. */
enum rc registry_change_service(const struct registry_desk *desk, const struct service *before,
                                const struct service *after) MUST_CHECK;

/* Replaces the secret at once, or removes it (an empty hash), and forgets what failed under the
 * one before. RC_SPENT. */
enum rc registry_set_service_secret(const struct registry_desk *desk, const struct service *before,
                                    struct str hash) MUST_CHECK;

/* Disables or enables; to end what lives is the caller's when it is disabled (RT-10). Enabling
 * forgets failures. RC_SPENT. */
enum rc registry_disable_service(const struct registry_desk *desk,
                                 const struct service *before) MUST_CHECK;
enum rc registry_enable_service(const struct registry_desk *desk,
                                const struct service *before) MUST_CHECK;

/* ---- clients --------------------------------------------------------------------------------- */

enum rc registry_create_client(const struct registry_desk *desk,
                               const struct client *client) MUST_CHECK;
enum rc registry_change_client(const struct registry_desk *desk, const struct client *before,
                               const struct client *after) MUST_CHECK;
enum rc registry_disable_client(const struct registry_desk *desk,
                                const struct client *before) MUST_CHECK;
enum rc registry_enable_client(const struct registry_desk *desk,
                               const struct client *before) MUST_CHECK;

/*
 * Replaces the secret, and forgets what failed under the one before. Tokens live on.
 *
 * hash       the stored form of the new one
 * overlap_s  how long the one before is good for yet, 0 to REGISTRY_OVERLAP_S_MAX
 * out_until  when it ends; 0: it has ended. May be NULL
 *
 * Answers: RC_OK · RC_SPENT · RC_INVALID two chosen secrets cannot overlap (CA-05).  Faults: the
 * store's
 */
enum rc registry_rotate_client_secret(const struct registry_desk *desk, const struct client *before,
                                      struct str hash, int64_t overlap_s,
                                      int64_t *out_until) MUST_CHECK;

/* The secret before is good for nothing from now on. RC_SPENT · RC_NOT_FOUND there is none. */
enum rc registry_end_overlap(const struct registry_desk *desk,
                             const struct client *before) MUST_CHECK;

/* When the secret before ends; 0: there is none that is still good. */
int64_t registry_overlap_until(const struct client *client, int64_t now);

/* ---- looking --------------------------------------------------------------------------------- */

enum {
    /* The texts of one at their longest; what has no limit of its own is bounded by a request. */
    REGISTRY_CLIENT_BYTES_MAX = SCOPE_BYTES_MAX + CLIENT_SERVICES_BYTES_MAX +
                                CLIENT_URIS_BYTES_MAX + HTTP_BODY_BYTES_MAX + 4096,
    REGISTRY_SERVICE_BYTES_MAX = SCOPE_BYTES_MAX + 4096
};

/* RC_NOT_FOUND. */
enum rc registry_find_service(struct store *store, int64_t id, struct arena *arena,
                              struct service *out_service) MUST_CHECK;
enum rc registry_find_client(struct store *store, int64_t id, struct arena *arena,
                             struct client *out_client) MUST_CHECK;

/* The same by the id that the outside knows. */
enum rc registry_find_service_named(const struct oauth *oauth, struct str service_id,
                                    struct arena *arena, struct service *out_service) MUST_CHECK;
enum rc registry_find_client_named(const struct oauth *oauth, struct str client_id,
                                   struct arena *arena, struct client *out_client) MUST_CHECK;

/* As store_search_services and store_search_clients. */
enum rc registry_search_services(struct store *store, struct str text, int64_t before_id,
                                 struct arena *arena, struct service *out_rows, size_t max,
                                 size_t *out_count) MUST_CHECK;
enum rc registry_search_clients(struct store *store, struct str text, int64_t before_id,
                                struct arena *arena, struct client *out_rows, size_t max,
                                size_t *out_count) MUST_CHECK;

#endif
