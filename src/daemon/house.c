#include "daemon/house.h"

#include <pthread.h>

#include "crypto/random.h"

#define SECRET_CHECK_KEY_NAME "secret-check-key"

enum { SMALL_ARENA_BYTES = 64 * 1024 };

/* One change at a time: what a command checks must hold when it commits. */
static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- opening ---- */

static enum rc fail(struct buffer *out_error, enum rc rc)
{
    if (out_error->len == 0)
        buffer_append_format(out_error, "the store: %s", rc_words(rc));
    return rc;
}

/* A new store gets its key now; it is the first thing that the master key seals. */
static enum rc make_stored_key(struct house *house, struct buffer *out_error)
{
    unsigned char key[32];
    char sealed_bytes[sizeof(key) + SEAL_OVERHEAD_BYTES];
    struct buffer sealed = buffer_over(sealed_bytes, sizeof(sealed_bytes));
    struct store_unit unit;
    enum rc rc;

    random_bytes(key, sizeof(key));
    rc = seal(house->master_key.bytes, STR(SECRET_CHECK_KEY_NAME),
              (struct str){ (const char *)key, sizeof(key) }, &sealed);
    if (rc == RC_OK) {
        store_unit_init(&unit);
        store_insert_sealed_value(&unit, STR(SECRET_CHECK_KEY_NAME), buffer_str(&sealed));
        rc = store_commit(house->store, &unit);
    }
    if (rc == RC_OK)
        house->stored_key = hmac_key_new(key);
    explicit_bzero(key, sizeof(key));
    return rc == RC_OK ? RC_OK : fail(out_error, rc);
}

static enum rc open_stored_key(struct house *house, struct str sealed, struct buffer *out_error)
{
    unsigned char key[32];
    struct buffer plain = buffer_over(key, sizeof(key));
    enum rc rc;

    rc = unseal(house->master_key.bytes, STR(SECRET_CHECK_KEY_NAME), sealed, &plain);
    if (rc_is_fault(rc))
        return fail(out_error, rc);
    if (rc != RC_OK || plain.len != sizeof(key)) {
        buffer_append_str(out_error, STR("the master key is not the one that this store was sealed "
                                         "with; name the right one with --master-key-file"));
        return RC_INVALID;
    }
    house->stored_key = hmac_key_new(key);
    explicit_bzero(key, sizeof(key));
    return RC_OK;
}

static enum rc open_keys(struct house *house, struct str data, const char *master_key_file,
                         struct buffer *out_error)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    unsigned char key[32];
    struct str sealed;
    bool is_new;
    enum rc rc;

    arena_init(&arena, SMALL_ARENA_BYTES);
    rc = store_find_sealed_value(house->store, STR(SECRET_CHECK_KEY_NAME), &arena, &sealed);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return fail(out_error, rc);
    is_new = rc == RC_NOT_FOUND;
    rc = master_key_open(data, master_key_file, is_new, &house->master_key,
                         &house->master_key_was_made, out_error);
    if (rc != RC_OK)
        return rc;
    rc = is_new ? make_stored_key(house, out_error) : open_stored_key(house, sealed, out_error);
    if (rc != RC_OK)
        return rc;
    random_bytes(key, sizeof(key));
    house->memory_key = hmac_key_new(key);
    hkdf_sha256((struct str){ (const char *)house->master_key.bytes, MASTER_KEY_BYTES },
                STR("throttle"), key);
    house->throttle_key = hmac_key_new(key);
    hkdf_sha256((struct str){ (const char *)house->master_key.bytes, MASTER_KEY_BYTES },
                STR("recovery codes"), key);
    house->code_key = hmac_key_new(key);
    hkdf_sha256((struct str){ (const char *)house->master_key.bytes, MASTER_KEY_BYTES },
                STR("subjects"), key);
    house->subject_key = hmac_key_new(key);
    explicit_bzero(key, sizeof(key));
    return RC_OK;
}

static enum rc open_all(const char *data, const char *master_key_file, struct house *house,
                        struct buffer *out_error)
{
    struct store_config config = { .data_dir = str_of(data) };
    enum rc rc;

    rc = store_open(&config, &house->store, out_error);
    if (rc != RC_OK)
        return fail(out_error, rc);
    rc = open_keys(house, str_of(data), master_key_file, out_error);
    if (rc != RC_OK)
        return rc;
    rc = catalog_new(house->store, &house->catalog);
    if (rc != RC_OK)
        return fail(out_error, rc);
    house->throttle = throttle_book_new(house->store, house->throttle_key);
    house->checker = (struct secret_checker){ .memory_key = house->memory_key,
                                              .stored_key = house->stored_key,
                                              .cost = PASSWORD_COST_DEFAULT };
    house->door = (struct account_door){ .store = house->store,
                                         .throttle = house->throttle,
                                         .cost = PASSWORD_COST_DEFAULT,
                                         .factor_keys = { .master_key = house->master_key.bytes,
                                                          .code_key = house->code_key } };
    return RC_OK;
}

enum rc house_open(const char *data, const char *master_key_file, struct house *out_house,
                   struct buffer *out_error)
{
    enum rc rc;

    *out_house = (struct house){ 0 };
    rc = open_all(data, master_key_file, out_house, out_error);
    if (rc != RC_OK)
        house_close(out_house);
    return rc;
}

enum rc house_open_room(struct house *house, struct str issuer)
{
    struct token_room_config config = { .store = house->store,
                                        .catalog = house->catalog,
                                        .master_key = house->master_key.bytes,
                                        .issuer = issuer };

    return token_room_open(&config, &house->room);
}

void house_close(struct house *house)
{
    if (house->room != NULL)
        token_room_close(house->room);
    throttle_book_free(house->throttle);
    if (house->store != NULL)
        store_close(house->store);
    if (house->catalog != NULL)
        catalog_free(house->catalog);
    if (house->subject_key != NULL)
        hmac_key_free(house->subject_key);
    if (house->code_key != NULL)
        hmac_key_free(house->code_key);
    if (house->throttle_key != NULL)
        hmac_key_free(house->throttle_key);
    if (house->memory_key != NULL)
        hmac_key_free(house->memory_key);
    if (house->stored_key != NULL)
        hmac_key_free(house->stored_key);
    master_key_close(&house->master_key);
    *house = (struct house){ 0 };
}

/* ---- commands ---- */

/* A server's room stands open; the command line opens one when a value must be read. */
static struct token_room *open_room(struct command_context *context)
{
    struct house *house = context->house;
    enum rc rc;

    if (house->room != NULL)
        return house->room;
    rc = house_open_room(house, STR("http://localhost"));
    if (rc == RC_OK)
        return house->room;
    command_fault(context, rc);
    return NULL;
}

int house_run_command(struct house *house, unsigned uid, int argc, char *const *argv,
                      const struct secret *input, struct sink *out, struct sink *err)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct command_context context = { .store = house->store,
                                       .catalog = house->catalog,
                                       .throttle = house->throttle,
                                       .checker = &house->checker,
                                       .factor_keys = &house->door.factor_keys,
                                       .master_key = house->master_key.bytes,
                                       .mail_route = house->mail_route,
                                       .letters = house->letters,
                                       .open_room = open_room,
                                       .house = house,
                                       .arena = &arena,
                                       .input = input,
                                       .out = out,
                                       .err = err,
                                       .uid = uid,
                                       .name = "" };
    int status;

    arena_init(&arena, COMMAND_ARENA_BYTES);
    status = command_run(&context, argc, argv, &change_lock);
    sink_flush(out);
    sink_flush(err);
    return status;
}
