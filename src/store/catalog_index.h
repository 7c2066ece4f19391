/*
 * store/catalog_index.h: the hash maps of the catalog; no locks, no store.
 *
 * Two chained maps, by name and by id, hold services and clients alike: they share one namespace
 * and one sequence of ids. A third holds the scope words. Nobody from outside chooses what is kept
 * here, only what is looked for, so the hash needs no key.
 */
#ifndef JETON_STORE_CATALOG_INDEX_H
#define JETON_STORE_CATALOG_INDEX_H

#include "store/catalog.h"

/* A service or a client; the index holds one reference to its entry. */
struct catalog_record {
    struct catalog_record *next_by_name;
    struct catalog_record *next_by_id;
    uint64_t name_hash;
    int64_t id;
    struct str name;               /* in the entry */
    struct catalog_client *client; /* exactly one of the two is set */
    struct catalog_service *service;
};

struct catalog_word;

struct catalog_index {
    struct catalog_record **by_name;
    struct catalog_record **by_id;
    size_t bucket_count; /* of both; a power of two */
    size_t record_count;
    struct catalog_word **words;
    size_t word_bucket_count;          /* a power of two */
    struct catalog_service **services; /* in order of id */
    size_t service_count;
};

/* Fault of all: RC_SYSTEM, no memory. */
enum rc catalog_index_init(struct catalog_index *index) MUST_CHECK;
void catalog_index_deinit(struct catalog_index *index);

/*
 * Makes the entry anew. A secret that `before` (may be the same index) knows with the same hash
 * stays remembered: it need not be verified the slow way again.
 */
enum rc catalog_index_put_client(struct catalog_index *index, const struct client *client,
                                 const struct catalog_index *before) MUST_CHECK;
enum rc catalog_index_put_service(struct catalog_index *index, const struct service *service,
                                  const struct catalog_index *before) MUST_CHECK;
void catalog_index_remove(struct catalog_index *index, int64_t id);

/* Must follow any change of a service, before the next look-up of a word. */
enum rc catalog_index_make_words(struct catalog_index *index) MUST_CHECK;

/* NULL when there is none. */
struct catalog_record *catalog_index_find(const struct catalog_index *index, struct str name);
struct catalog_record *catalog_index_find_by_id(const struct catalog_index *index, int64_t id);
struct catalog_service *catalog_index_find_owner(const struct catalog_index *index,
                                                 struct str scope_word);

#endif
