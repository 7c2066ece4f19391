#include "jose/jose.h"
#include "token/room.h"

enum { SERVICE_PAGE_COUNT = 32 };

enum signer_kind signer_kind_of(enum signing_alg alg)
{
    switch (alg) {
    case ALG_ES256:
        return SIGNER_ES256;
    case ALG_EDDSA:
        return SIGNER_EDDSA;
    case ALG_RS256:
        return SIGNER_RS256;
    case ALG_COUNT:
        break;
    }
    ASSERT(false);
    return SIGNER_ES256;
}

/* Appends the steps that store a new key. The key's texts live in the arena. */
static enum rc draft_key(const struct signer *signer, const unsigned char *master_key,
                         struct arena *arena, struct key *key)
{
    char private_bytes[SIGNER_PRIVATE_BYTES_MAX];
    struct buffer private_key = buffer_over(private_bytes, sizeof(private_bytes));
    struct buffer sealed =
        buffer_over(arena_alloc(arena, SIGNER_PRIVATE_BYTES_MAX + SEAL_OVERHEAD_BYTES),
                    SIGNER_PRIVATE_BYTES_MAX + SEAL_OVERHEAD_BYTES);
    struct buffer jwk = buffer_over(arena_alloc(arena, 4096), 4096);
    struct public_key public_key;
    char *kid = arena_alloc(arena, KEY_ID_BYTES);
    enum rc rc;

    signer_public(signer, &public_key);
    jwk_thumbprint(&public_key, kid);
    key->kid = (struct str){ kid, KEY_ID_BYTES };
    jwk_format_public(&public_key, key->kid, &jwk);
    key->public_jwk = buffer_str(&jwk);
    rc = signer_export_private(signer, &private_key);
    if (rc == RC_OK)
        rc = seal(master_key, key->kid, buffer_str(&private_key), &sealed);
    key->sealed = buffer_str(&sealed);
    explicit_bzero(private_bytes, sizeof(private_bytes));
    return rc;
}

/* How long a token that is signed today may live: longer than any overlap a caller has in mind when
 * a service's JWTs do. RS256 signs for 3DM, where every service's tokens are JWTs. */
static enum rc find_longest_lifetime(struct store *store, enum signing_alg alg, struct arena *arena,
                                     int64_t *in_out_longest_s)
{
    struct service *rows = arena_alloc(arena, SERVICE_PAGE_COUNT * sizeof(*rows));
    struct arena page;
    int64_t after_id = 0;
    size_t count;
    enum rc rc;

    arena_init(&page, KEYS_ARENA_BYTES);
    do {
        count = 0;
        arena_reset(&page);
        rc = store_list_services(store, after_id, &page, rows, SERVICE_PAGE_COUNT, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            after_id = rows[i].id;
            if ((rows[i].format == TOKEN_JWT || alg == ALG_RS256) &&
                rows[i].lifetime_s > *in_out_longest_s)
                *in_out_longest_s = rows[i].lifetime_s;
        }
    } while (rc == RC_OK && count > 0);
    arena_deinit(&page);
    return rc;
}

/* Adds the retirement of the current keys of an algorithm to the unit. */
static enum rc retire_current(struct store *store, enum signing_alg alg, int64_t retires_at,
                              size_t count_max, struct arena *arena, struct store_unit *unit)
{
    struct key *keys = arena_alloc(arena, KEY_COUNT_MAX * sizeof(*keys));
    size_t count;
    enum rc rc = store_list_keys(store, arena, keys, KEY_COUNT_MAX, &count);

    if (rc != RC_OK)
        return rc;
    if (count >= count_max)
        return RC_TOO_LARGE;
    for (size_t i = 0; i < count; i++) {
        if (keys[i].alg != alg || keys[i].retires_at != 0)
            continue;
        /* Normally one; a unit has room for the few that hurried rotations leave. */
        if (unit->step_count + 2 >= STORE_UNIT_STEP_COUNT_MAX)
            return RC_TOO_LARGE;
        store_retire_key(unit, keys[i].id, retires_at);
    }
    return RC_OK;
}

/* How a key comes about. */
struct making {
    int64_t overlap_s;
    const struct key_actor *actor; /* NULL: nobody's act */
    const int64_t *newest_at;      /* only if there is no later one; NULL: in any case */
};

static struct str describe(const struct key *key, const struct key_actor *actor,
                           struct arena *arena)
{
    return actor == NULL
               ? key->kid
               : arena_format(arena, "%.*s by %.*s", STR_ARGS(key->kid), STR_ARGS(actor->by));
}

static enum rc commit_new_key(struct store *store, struct key *key, const struct signer *signer,
                              const unsigned char *master_key, const struct making *making,
                              struct arena *arena)
{
    struct event event = { .at = key->created_at, .kind = EVENT_KEY_CHANGED };
    int64_t overlap_s = making->overlap_s;
    /* A server makes the first key of an algorithm, and the next in time: for that is room left. */
    size_t count_max = making->newest_at != NULL ? KEY_COUNT_MAX : KEY_KEPT_COUNT_MAX;
    struct store_unit unit;
    enum rc rc = draft_key(signer, master_key, arena, key);

    if (rc == RC_OK)
        rc = find_longest_lifetime(store, key->alg, arena, &overlap_s);
    if (rc == RC_OK)
        rc = store_next_id(store, SEQUENCE_NOUN, &key->id);
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    if (making->newest_at != NULL)
        store_insert_next_key(&unit, key, *making->newest_at);
    else
        store_insert_key(&unit, key);
    rc = retire_current(store, key->alg, key->signs_from + overlap_s, count_max, arena, &unit);
    if (rc != RC_OK)
        return rc;
    event.detail = describe(key, making->actor, arena);
    if (making->actor != NULL)
        memcpy(event.address, making->actor->address, sizeof(event.address));
    store_insert_event(&unit, &event);
    return store_commit(store, &unit);
}

static enum rc make(struct store *store, const unsigned char *master_key, struct key key,
                    const struct making *making, char out_kid[static KEY_ID_BYTES + 1])
{
    struct signer *signer;
    struct arena arena;
    enum rc rc = signer_generate(signer_kind_of(key.alg), &signer);

    if (rc != RC_OK)
        return rc;
    arena_init(&arena, KEYS_ARENA_BYTES);
    rc = commit_new_key(store, &key, signer, master_key, making, &arena);
    if (rc == RC_OK) {
        memcpy(out_kid, key.kid.at, KEY_ID_BYTES);
        out_kid[KEY_ID_BYTES] = '\0';
    }
    arena_deinit(&arena);
    signer_free(signer);
    return rc;
}

enum rc key_make(struct store *store, const unsigned char *master_key, struct key key,
                 int64_t overlap_s, const struct key_actor *actor,
                 char out_kid[static KEY_ID_BYTES + 1])
{
    const struct making making = { .overlap_s = overlap_s, .actor = actor };

    return make(store, master_key, key, &making, out_kid);
}

enum rc key_make_next(struct store *store, const unsigned char *master_key, struct key key,
                      int64_t overlap_s, int64_t newest_at, char out_kid[static KEY_ID_BYTES + 1])
{
    const struct making making = { .overlap_s = overlap_s, .newest_at = &newest_at };

    return make(store, master_key, key, &making, out_kid);
}

enum rc key_rotate(struct store *store, const unsigned char master_key[static SEAL_KEY_BYTES],
                   enum signing_alg alg, int64_t now, int64_t signs_from, int64_t overlap_s,
                   char out_kid[static KEY_ID_BYTES + 1])
{
    const struct key key = { .alg = alg, .created_at = now, .signs_from = signs_from };

    return key_make(store, master_key, key, overlap_s, NULL, out_kid);
}
