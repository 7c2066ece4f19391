#include "token/token_room.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "store/shared.h"
#include "token/room.h"

enum {
    KEEPER_PERIOD_S = 10,
    SAVE_LAST_USES_AFTER_S = 60,
    COUNT_AFTER_S = 60,
    COUNT_SHARE = 1000, /* of the time between, that counting may take */
    FILL_PAGE_ROW_COUNT = 512,
    SEALED_KEY_BYTES = BLOCK_KEY_BYTES + SEAL_OVERHEAD_BYTES
};

static const struct str handle_key_name = { "token-handle-key", 16 };

/* ---- the key of handles --------------------------------------------------------------------- */

/* Makes the key of a new store. RC_EXISTS when another node was quicker. */
static enum rc make_handle_key(struct store *store, const unsigned char *master_key)
{
    unsigned char key[BLOCK_KEY_BYTES];
    char memory[SEALED_KEY_BYTES];
    struct buffer sealed = buffer_over(memory, sizeof(memory));
    struct store_unit unit;
    enum rc rc;

    random_bytes(key, sizeof(key));
    rc = seal(master_key, handle_key_name, (struct str){ (const char *)key, sizeof(key) }, &sealed);
    explicit_bzero(key, sizeof(key));
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_insert_sealed_value(&unit, handle_key_name, buffer_str(&sealed));
    return store_commit(store, &unit);
}

static enum rc read_handle_key(struct store *store, const unsigned char *master_key,
                               struct value_codec *out_codec)
{
    unsigned char key[BLOCK_KEY_BYTES];
    struct buffer plain = buffer_over(key, sizeof(key));
    struct arena arena;
    struct str sealed;
    enum rc rc;

    arena_init(&arena, 4096);
    rc = store_find_sealed_value(store, handle_key_name, &arena, &sealed);
    if (rc == RC_OK &&
        (unseal(master_key, handle_key_name, sealed, &plain) != RC_OK || plain.len != sizeof(key)))
        rc = RC_CORRUPT; /* another master key than the one the store was made with */
    if (rc == RC_OK) {
        *out_codec = (struct value_codec){ .handle_key = block_key_new(key),
                                           .prefix = "jt",
                                           .prefix_bytes = 2 };
    }
    explicit_bzero(key, sizeof(key));
    arena_deinit(&arena);
    return rc;
}

static enum rc open_codec(struct token_room *room, const unsigned char *master_key)
{
    enum rc rc = read_handle_key(room->store, master_key, &room->codec);

    if (rc != RC_NOT_FOUND)
        return rc;
    rc = make_handle_key(room->store, master_key);
    if (rc != RC_OK && rc != RC_EXISTS)
        return rc;
    return read_handle_key(room->store, master_key, &room->codec);
}

/* ---- the feed ------------------------------------------------------------------------------- */

static void wake_keeper(struct token_room *room)
{
    pthread_mutex_lock(&room->keeper_lock);
    room->has_key_change = true;
    pthread_cond_signal(&room->keeper_wake);
    pthread_mutex_unlock(&room->keeper_lock);
}

static void on_change(void *context, const struct store_change *change)
{
    struct token_room *room = context;

    switch (change->kind) {
    case CHANGE_TOKEN_REVOKED:
        live_mark_revoked(room->live, change->key);
        break;
    case CHANGE_GRANT_ENDED:
        grant_mark_ended(room->grants, change->key);
        break;
    case CHANGE_KEYS:
        key_ring_mark_stale(room->keys);
        wake_keeper(room);
        break;
    case CHANGE_ALL:
        /* In this order: what is put into the table again rests on a grant of the book. */
        grant_forget(room->grants);
        live_forget(room->live);
        key_ring_mark_stale(room->keys);
        wake_keeper(room);
        break;
    case CHANGE_ACCOUNT:
    case CHANGE_SERVICE:
    case CHANGE_CLIENT:
    case CHANGE_MAIL:
    case CHANGE_DELIVERY:
        break; /* what these change for tokens comes as ended grants */
    }
}

/* ---- the keeper ----------------------------------------------------------------------------- */

static bool is_stopping(struct token_room *room)
{
    bool stopping;

    pthread_mutex_lock(&room->keeper_lock);
    stopping = room->is_stopping;
    pthread_mutex_unlock(&room->keeper_lock);
    return stopping;
}

static void fill_row(struct token_room *room, const struct token *row, struct live_epoch epoch,
                     int64_t now)
{
    struct live_grant *grant;

    if (row->kind == TOKEN_REFRESH ||
        grant_find(room->grants, row->grant_id, true, &grant) != RC_OK)
        return;
    live_put(room->live, row, grant, epoch, now);
    grant_put(room->grants, grant);
}

/* Fills the table from the store. What it misses is found later, one by one. */
static void fill(struct token_room *room)
{
    struct token *rows = calloc(FILL_PAGE_ROW_COUNT, sizeof(*rows));
    int64_t last_id = 0;
    size_t count = rows == NULL ? 0 : 1;

    while (count > 0 && !is_stopping(room)) {
        struct live_epoch epoch = live_epoch(room->live);
        int64_t now = clock_now_s();

        if (store_list_tokens(room->store, last_id, now, rows, FILL_PAGE_ROW_COUNT, &count) !=
            RC_OK)
            break;
        for (size_t i = 0; i < count; i++)
            fill_row(room, &rows[i], epoch, now);
        if (count > 0)
            last_id = rows[count - 1].id;
    }
    free(rows);
    atomic_store(&room->is_filled, true);
}

/* With a store that is away the notes stay for the next time; at the end they are lost. */
static void save_last_uses(struct token_room *room, bool is_end, int64_t *in_out_saved_at_ms)
{
    int64_t now_ms = clock_monotonic_ms();

    if (!is_end && now_ms - *in_out_saved_at_ms < (int64_t)SAVE_LAST_USES_AFTER_S * 1000)
        return;
    if (last_use_save(&room->last_uses, room->store, room->grants) == RC_OK)
        *in_out_saved_at_ms = now_ms;
}

/* For the metrics, so that nobody who reads them has to wait. */
static void count_permanents(struct token_room *room, int64_t *in_out_next_ms)
{
    int64_t begun_ms = clock_monotonic_ms();
    int64_t pause_ms = (int64_t)COUNT_AFTER_S * 1000;
    size_t count;

    if (begun_ms < *in_out_next_ms)
        return;
    if (store_count_permanents(room->store, clock_now_s(), &count) == RC_OK)
        atomic_store(&room->permanent_count, (int64_t)count);
    if ((clock_monotonic_ms() - begun_ms) * COUNT_SHARE > pause_ms)
        pause_ms = (clock_monotonic_ms() - begun_ms) * COUNT_SHARE;
    *in_out_next_ms = begun_ms + pause_ms;
}

static void *keeper_main(void *context)
{
    struct token_room *room = context;
    int64_t saved_at_ms = clock_monotonic_ms();
    int64_t count_at_ms = 0;

    fill(room);
    pthread_mutex_lock(&room->keeper_lock);
    while (!room->is_stopping) {
        struct timespec until;

        room->has_key_change = false;
        pthread_mutex_unlock(&room->keeper_lock);
        /* A store that is away shows itself on every request; the keys are tended again soon. */
        if (key_ring_tend(room->keys, clock_now_s()) != RC_OK)
            key_ring_mark_stale(room->keys);
        live_tend(room->live, clock_now_s());
        save_last_uses(room, false, &saved_at_ms);
        count_permanents(room, &count_at_ms);
        pthread_mutex_lock(&room->keeper_lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += KEEPER_PERIOD_S;
        while (!room->is_stopping && !room->has_key_change &&
               pthread_cond_timedwait(&room->keeper_wake, &room->keeper_lock, &until) != ETIMEDOUT)
            continue;
    }
    pthread_mutex_unlock(&room->keeper_lock);
    save_last_uses(room, true, &saved_at_ms);
    return NULL;
}

static void init_keeper(struct token_room *room)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&room->keeper_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&room->keeper_wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static struct hmac_key *new_replay_key(const unsigned char *master_key)
{
    unsigned char bytes[SEAL_KEY_BYTES];
    struct hmac_key *key;

    hkdf_sha256((struct str){ (const char *)master_key, SEAL_KEY_BYTES },
                STR("jeton refresh replay"), bytes);
    key = hmac_key_new(bytes);
    explicit_bzero(bytes, sizeof(bytes));
    return key;
}

/* ---- open and close ------------------------------------------------------------------------- */

enum rc token_room_open(const struct token_room_config *config, struct token_room **out_room)
{
    struct token_room *room;
    size_t bytes_max =
        config->live_bytes_max == 0 ? TOKEN_LIVE_BYTES_DEFAULT : config->live_bytes_max;
    enum rc rc;

    if (config->issuer.len > TOKEN_ISSUER_BYTES_MAX)
        return RC_INVALID;
    room = calloc(1, sizeof(*room));
    ASSERT(room != NULL);
    room->store = config->store;
    room->catalog = config->catalog;
    room->issuer = config->issuer;
    room->replay_key = new_replay_key(config->master_key);
    hkdf_sha256((struct str){ (const char *)config->master_key, SEAL_KEY_BYTES },
                STR("jeton access token jwe"), room->jwe_key);
    atomic_init(&room->permanent_count, -1);
    init_keeper(room);
    last_use_init(&room->last_uses);
    rc = grant_book_new(room->store, room->catalog, room->issuer, &room->grants);
    if (rc == RC_OK)
        rc = open_codec(room, config->master_key);
    if (rc == RC_OK)
        rc = key_ring_open(room->store, config->master_key, clock_now_s(), &room->keys);
    if (rc != RC_OK) {
        token_room_close(room);
        return rc;
    }
    room->live = live_table_new(room->grants, bytes_max);
    store_listen(room->store, on_change, room);
    /* Another process may have changed them since they were read. */
    if (store_is_shared(room->store))
        key_ring_mark_stale(room->keys);
    room->has_keeper = pthread_create(&room->keeper, NULL, keeper_main, room) == 0;
    ASSERT(room->has_keeper);
    *out_room = room;
    return RC_OK;
}

void token_room_close(struct token_room *room)
{
    store_unlisten(room->store, room);
    if (room->has_keeper) {
        pthread_mutex_lock(&room->keeper_lock);
        room->is_stopping = true;
        pthread_cond_signal(&room->keeper_wake);
        pthread_mutex_unlock(&room->keeper_lock);
        pthread_join(room->keeper, NULL);
    }
    last_use_deinit(&room->last_uses, room->grants);
    live_table_free(room->live);
    key_ring_close(room->keys);
    grant_book_free(room->grants);
    block_key_free(room->codec.handle_key);
    pthread_mutex_destroy(&room->keeper_lock);
    pthread_cond_destroy(&room->keeper_wake);
    hmac_key_free(room->replay_key);
    explicit_bzero(room->jwe_key, sizeof(room->jwe_key));
    free(room);
}

struct grant_book *token_room_grants(struct token_room *room)
{
    return room->grants;
}

struct key_ring *token_room_keys(struct token_room *room)
{
    return room->keys;
}

struct live_table *token_room_live(struct token_room *room)
{
    return room->live;
}

const struct hmac_key *token_room_replay_key(struct token_room *room)
{
    return room->replay_key;
}

bool token_room_count_permanents(const struct token_room *room, size_t *out_count)
{
    int64_t count = atomic_load(&room->permanent_count);

    if (count < 0)
        return false;
    *out_count = (size_t)count;
    return true;
}

bool token_room_is_filled(const struct token_room *room)
{
    return atomic_load(&room->is_filled);
}
