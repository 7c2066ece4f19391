/*
 * store/managed.h: what configuration files own (`jeton apply`).
 *
 * A noun has one owner at most: the file that named it last, by the name that the file gives
 * itself. A row says nothing about what the noun is like, and outlives a client that goes: ids are
 * never given twice.
 */
#ifndef JETON_STORE_MANAGED_H
#define JETON_STORE_MANAGED_H

#include "store/store.h"

enum managed_kind {
    MANAGED_ACCOUNT = 0, /* the numbers are stored */
    MANAGED_SERVICE = 1,
    MANAGED_CLIENT = 2,
    MANAGED_KIND_COUNT
};

enum { MANAGED_SOURCE_BYTES_MAX = 255 };

/* Makes the source the noun's owner, whoever was it before. */
void store_put_managed(struct store_unit *unit, enum managed_kind kind, int64_t noun_id,
                       struct str source);

/* Nobody owns the noun any more. */
void store_delete_managed(struct store_unit *unit, enum managed_kind kind, int64_t noun_id);

/* Whose the noun is; RC_NOT_FOUND. */
enum rc store_find_managed(struct store *store, enum managed_kind kind, int64_t noun_id,
                           struct arena *arena, struct str *out_source) MUST_CHECK;

/* The nouns of a kind that a source owns, in order of id, with id > after_id. */
enum rc store_list_managed(struct store *store, enum managed_kind kind, struct str source,
                           int64_t after_id, int64_t *out_ids, size_t max,
                           size_t *out_count) MUST_CHECK;

#endif
