/*
 * oauth/registry_check.h: what may be said of a service or a client, whoever says it.
 *
 * The command line and the pages hand over a noun with its texts as they were typed, and get it
 * back tidied, or all that is wrong with it, one thing for each field. Nothing is stored here; see
 * oauth/registry_admin.h.
 */
#ifndef JETON_OAUTH_REGISTRY_CHECK_H
#define JETON_OAUTH_REGISTRY_CHECK_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "store/catalog.h"

enum registry_field {
    REGISTRY_ID,
    REGISTRY_NAME,
    REGISTRY_SCOPE,
    REGISTRY_LIFETIME,
    REGISTRY_GRANTS,
    REGISTRY_SERVICES,
    REGISTRY_REDIRECT_URIS,
    REGISTRY_REFRESH_LIFETIME,
    REGISTRY_REFRESH_IDLE_LIFETIME,
    REGISTRY_FIELD_COUNT
};

enum registry_problem {
#define REGISTRY_PROBLEM(name, field, words) REGISTRY_##name,
#include "oauth/registry.def"
#undef REGISTRY_PROBLEM
    REGISTRY_PROBLEM_COUNT
};

struct registry_fault {
    enum registry_problem problem;
    struct str value; /* what is wrong, in the arena or in what was handed over; may be empty */
    int64_t number;   /* the bound that was passed; 0: none */
};

struct registry_faults {
    struct registry_fault list[REGISTRY_FIELD_COUNT]; /* at most one for each field */
    size_t count;
};

enum {
    SERVICE_LIFETIME_S_DEFAULT = 3600,
    SERVICE_LIFETIME_S_MAX = 366 * 24 * 3600,
    REFRESH_LIFETIME_S_DEFAULT = 30 * 24 * 3600,
    REFRESH_IDLE_LIFETIME_S_DEFAULT = 14 * 24 * 3600,
    REFRESH_LIFETIME_S_MIN = 60,
    REFRESH_LIFETIME_S_MAX = 3660 * 24 * 3600,
    CLIENT_SERVICES_BYTES_MAX = 32 * 1024,
    CLIENT_URIS_BYTES_MAX = REDIRECT_URI_COUNT_MAX * (REDIRECT_URI_BYTES_MAX + 1),

    /* What a check takes from the arena at the most. */
    REGISTRY_CHECK_BYTES_MAX =
        SCOPE_BYTES_MAX + CLIENT_SERVICES_BYTES_MAX + CLIENT_URIS_BYTES_MAX + 64
};

enum registry_field registry_problem_field(enum registry_problem problem);

/* Appends the words for an operator. */
void registry_fault_write(const struct registry_fault *fault, struct buffer *to);

/*
 * Checks a service: its id while it has no number yet (service->id 0), name, scope, lifetime.
 *
 * service   name and scope are tidied in place; an empty name becomes the id. The scope stands in
 *           the arena
 *
 * Answers: RC_OK · RC_REFUSED with out_faults.  Faults: the store's
 */
enum rc registry_check_service(struct catalog *catalog, struct arena *arena,
                               struct service *service,
                               struct registry_faults *out_faults) MUST_CHECK;

/*
 * Checks a client: its id while it has no number yet (client->id 0), name, scope, grant types,
 * services, redirect URIs, lifetimes. Built-in clients have no grant types and no lifetimes.
 *
 * client    texts are tidied in place, in the arena: services each once, with single spaces;
 *           redirect URIs from the lines that are not empty, each once. An idle lifetime that is
 *           longer than the whole is cut to it
 *
 * Answers: RC_OK · RC_REFUSED with out_faults.  Faults: the store's
 * Source:  RFC 6749 2, 3.1.2, 3.3, 4.4
 */
enum rc registry_check_client(struct catalog *catalog, struct arena *arena, struct client *client,
                              struct registry_faults *out_faults) MUST_CHECK;

/* One of the clients that are there from the beginning (oauth/oauth.h). */
bool registry_is_built_in(const struct client *client);

#endif
