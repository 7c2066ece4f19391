/*
 * store/catalog.h: every service and client in memory, kept true by the change feed.
 *
 * The fast lane asks here and never waits for the store. An entry is immutable and counted: a
 * reader holds it as long as it likes while a newer one takes its place. The catalog has no thread
 * of its own: when the feed reports a change of a client or a service, the listener only notes it,
 * and the next reader that may block reads the entry again; until then a reader that may not block
 * is told RC_WOULD_BLOCK and moves to the work lane. So an answer never rests on an entry that was
 * changed before the request began.
 *
 * Where the store is shared, the feed may lag behind: what it said too long ago nothing rests on
 * (store_is_trusted), and RC_UNAVAILABLE is the answer.
 *
 * Threads: everything from any thread. The catalog is freed before its store is closed.
 */
#ifndef JETON_STORE_CATALOG_H
#define JETON_STORE_CATALOG_H

#include <stdatomic.h>

#include "store/store.h"

struct catalog;

/* What a secret was when it was last verified: lets the fast lane check it without Argon2. */
struct secret_memory {
    _Atomic unsigned state; /* 0 unknown, 1 being written, 2 set */
    unsigned char mac[DIGEST_BYTES];
};

struct catalog_client {
    struct client client;
    struct secret_memory memory;
    struct secret_memory previous_memory; /* of previous_secret_hash */
    _Atomic unsigned reference_count;     /* the catalog's own business */
};

struct catalog_service {
    struct service service;
    struct secret_memory memory;
    _Atomic unsigned reference_count;
};

/* Reads everything from the store and listens to its feed. */
enum rc catalog_new(struct store *store, struct catalog **out_catalog) MUST_CHECK;
void catalog_free(struct catalog *catalog);

/*
 * Answers: RC_OK · RC_NOT_FOUND · RC_WOULD_BLOCK (only when !may_block).  Faults: the store's.
 * A disabled entry is found: the caller decides. Give it back with catalog_…_put.
 */
enum rc catalog_find_client(struct catalog *catalog, struct str client_id, bool may_block,
                            struct catalog_client **out_client) MUST_CHECK;
enum rc catalog_find_client_by_id(struct catalog *catalog, int64_t id, bool may_block,
                                  struct catalog_client **out_client) MUST_CHECK;
enum rc catalog_find_service(struct catalog *catalog, struct str service_id, bool may_block,
                             struct catalog_service **out_service) MUST_CHECK;

/* The service that owns a scope word (a word belongs to at most one). */
enum rc catalog_find_owner(struct catalog *catalog, struct str scope_word, bool may_block,
                           struct catalog_service **out_service) MUST_CHECK;

/* Appends "service_id=ID" of every enabled service that allows passwords (struct service), space-
 * separated, in order of id. */
enum rc catalog_list_password_services(struct catalog *catalog, bool may_block,
                                       struct buffer *out_words) MUST_CHECK;

void catalog_client_put(struct catalog_client *client);
void catalog_service_put(struct catalog_service *service);

/* For metadata: appends all scope words of enabled services, space-separated, in order of id. */
enum rc catalog_list_scopes(struct catalog *catalog, bool may_block,
                            struct buffer *out_words) MUST_CHECK;

#endif
