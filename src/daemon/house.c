#include "daemon/house.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "crypto/random.h"
#include "store/folder.h"

enum { SMALL_ARENA_BYTES = 64 * 1024, ERROR_BYTES = 512 };

/* One change at a time: what a command checks must hold when it commits. */
static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the master key ---- */

enum rc house_check_key(const struct master_key *key, struct str sealed, const char *where,
                        struct buffer *out_error)
{
    unsigned char plain_bytes[64];
    struct buffer plain = buffer_over(plain_bytes, sizeof(plain_bytes));
    enum rc rc = unseal(key->bytes, STR(SECRET_CHECK_KEY_NAME), sealed, &plain);

    explicit_bzero(plain_bytes, sizeof(plain_bytes));
    if (rc == RC_OK)
        return RC_OK;
    buffer_append_format(out_error,
                         "the master key%s%s is not the one that the store was sealed with; name "
                         "the right one with --master-key-file",
                         *where == '\0' ? "" : " in ", where);
    return rc_is_fault(rc) ? rc : RC_INVALID;
}

/* ---- opening ---- */

static enum rc fail(struct buffer *out_error, enum rc rc)
{
    if (out_error->len == 0)
        buffer_append_format(out_error, "the store: %s", rc_words(rc));
    return rc;
}

/*
 * A new store gets its key now; it is the first thing that the master key seals. RC_EXISTS: another
 * process was quicker.
 */
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
    return rc == RC_OK || rc == RC_EXISTS ? rc : fail(out_error, rc);
}

/* What was made for a store that turned out to have a key opens nothing, and would be in the way.
 */
static enum rc forget_own_key(struct house *house, const char *data, struct buffer *out_error)
{
    if (house->master_key_was_made)
        master_key_remove(data);
    buffer_append_str(out_error, STR("the master key is not the one that this store was sealed "
                                     "with; name the right one with --master-key-file"));
    return RC_INVALID;
}

static enum rc open_stored_key(struct house *house, const char *data, struct str sealed,
                               struct buffer *out_error)
{
    unsigned char key[32];
    struct buffer plain = buffer_over(key, sizeof(key));
    enum rc rc;

    rc = unseal(house->master_key.bytes, STR(SECRET_CHECK_KEY_NAME), sealed, &plain);
    if (rc_is_fault(rc))
        return fail(out_error, rc);
    if (rc != RC_OK || plain.len != sizeof(key))
        return forget_own_key(house, data, out_error);
    house->stored_key = hmac_key_new(key);
    explicit_bzero(key, sizeof(key));
    return RC_OK;
}

static enum rc open_master_key(struct house *house, const struct house_config *config,
                               struct buffer *out_error)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct str sealed;
    bool is_new;
    enum rc rc;

    arena_init(&arena, SMALL_ARENA_BYTES);
    rc = store_find_sealed_value(house->store, STR(SECRET_CHECK_KEY_NAME), &arena, &sealed);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return fail(out_error, rc);
    is_new = rc == RC_NOT_FOUND;
    rc = master_key_open(config->data, config->master_key_file, is_new, &house->master_key,
                         &house->master_key_was_made, out_error);
    if (rc == RC_OK && is_new) {
        rc = make_stored_key(house, out_error);
        if (rc == RC_OK)
            return RC_OK;
        if (rc != RC_EXISTS)
            return rc;
        rc = store_find_sealed_value(house->store, STR(SECRET_CHECK_KEY_NAME), &arena, &sealed);
        if (rc != RC_OK)
            return fail(out_error, rc);
    }
    return rc == RC_OK ? open_stored_key(house, config->data, sealed, out_error) : rc;
}

static enum rc open_keys(struct house *house, const struct house_config *config,
                         struct buffer *out_error)
{
    unsigned char key[32];
    enum rc rc = open_master_key(house, config, out_error);

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

/* One line, whatever the engine said, and which database it is about. */
static enum rc report_database(const struct house_config *config, struct str words, enum rc rc,
                               struct buffer *out_error)
{
    buffer_append_format(out_error, "the database %s: ", config->database->place);
    if (words.len == 0)
        words = str_of(rc_words(rc));
    for (size_t i = 0; i < words.len; i++)
        buffer_append_byte(out_error, (unsigned char)words.at[i] < 0x20 || words.at[i] == 0x7f
                                          ? ' '
                                          : words.at[i]);
    return rc;
}

static enum rc open_store(const struct house_config *config, struct house *house,
                          struct buffer *out_error)
{
    struct store_config store_config = { .reader_count = config->reader_count,
                                         .is_read_only = config->is_check,
                                         .is_check = config->is_check };
    char bytes[ERROR_BYTES];
    struct buffer words = buffer_over(bytes, sizeof(bytes));
    enum rc rc = RC_OK;

    if (config->data != NULL) {
        store_config.data_dir = str_of(config->data);
        rc = database_check_folder(config->database, config->data, out_error);
    }
    if (rc != RC_OK)
        return rc;
    if (config->database == NULL) {
        rc = store_open(&store_config, &house->store, out_error);
        return rc == RC_OK ? rc : fail(out_error, rc);
    }
    store_config.database = str_of(config->database->uri);
    rc = store_open(&store_config, &house->store, &words);
    if (rc != RC_OK)
        return report_database(config, buffer_str(&words), rc, out_error);
    snprintf(house->remark, sizeof(house->remark), "%.*s", STR_ARGS(buffer_str(&words)));
    return RC_OK;
}

/* A folder beside a database: it is marked only when there turned out to be such a database. */
static enum rc open_folder_beside(struct house *house, const struct house_config *config,
                                  struct buffer *out_error)
{
    enum rc rc = database_mark_folder(config->database, config->data, out_error);

    if (rc != RC_OK || !config->is_server)
        return rc;
    rc = folder_lock(str_of(config->data), &house->lock_fd, out_error);
    house->has_lock = rc == RC_OK;
    return rc;
}

static enum rc open_all(const struct house_config *config, struct house *house,
                        struct buffer *out_error)
{
    enum rc rc;

    rc = open_store(config, house, out_error);
    if (rc == RC_OK && config->database != NULL && config->data != NULL)
        rc = open_folder_beside(house, config, out_error);
    if (rc != RC_OK)
        return rc;
    rc = open_keys(house, config, out_error);
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

enum rc house_open(const struct house_config *config, struct house *out_house,
                   struct buffer *out_error)
{
    enum rc rc;

    *out_house = (struct house){ 0 };
    rc = open_all(config, out_house, out_error);
    if (rc != RC_OK)
        house_close(out_house);
    return rc;
}

static bool is_new_folder(const struct house_config *config)
{
    char path[FOLDER_PATH_BYTES_MAX];
    char ignored[1];
    struct buffer error = buffer_over(ignored, sizeof(ignored));

    return config->database == NULL &&
           folder_path(str_of(config->data), "jeton.db", path, &error) == RC_OK &&
           access(path, F_OK) != 0 && errno == ENOENT;
}

static enum rc check_master_key(struct house *house, const struct house_config *config,
                                struct buffer *out_error)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct str sealed;
    enum rc rc;

    arena_init(&arena, SMALL_ARENA_BYTES);
    rc = store_find_sealed_value(house->store, STR(SECRET_CHECK_KEY_NAME), &arena, &sealed);
    if (rc == RC_NOT_FOUND)
        return RC_OK; /* nobody has used it yet */
    if (rc != RC_OK)
        return fail(out_error, rc);
    rc = master_key_open(config->data, config->master_key_file, false, &house->master_key,
                         &house->master_key_was_made, out_error);
    return rc == RC_OK ? open_stored_key(house, config->data, sealed, out_error) : rc;
}

/* A folder that is not there has to be makeable, and one that is there ours alone. */
static enum rc check_new_folder(struct str dir, struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    enum rc rc = folder_path(dir, "", path, out_error);

    if (rc != RC_OK || access(path, F_OK) == 0)
        return rc == RC_OK ? folder_check(dir, false, out_error) : rc;
    while (dir.len > 1 && dir.at[dir.len - 1] == '/')
        dir.len--;
    while (dir.len > 0 && dir.at[dir.len - 1] != '/')
        dir.len--;
    snprintf(path, sizeof(path), "%.*s", STR_ARGS(dir.len == 0 ? STR(".") : dir));
    if (access(path, W_OK | X_OK) == 0)
        return RC_OK;
    buffer_append_format(out_error, "cannot make the data folder in %s: %s", path, strerror(errno));
    return RC_INVALID;
}

enum rc house_check(const struct house_config *config, struct buffer *out_error)
{
    struct house_config reading = *config;
    struct house house = { .store = NULL };
    enum rc rc;

    if (is_new_folder(config))
        return check_new_folder(str_of(config->data), out_error);
    reading.is_check = true;
    rc = open_store(&reading, &house, out_error);
    if (rc == RC_OK)
        rc = check_master_key(&house, config, out_error);
    house_close(&house);
    return rc;
}

enum rc house_open_to_read(const struct house_config *config, struct store **out_store,
                           struct buffer *out_error)
{
    struct house_config reading = *config;
    struct house house = { .store = NULL };
    enum rc rc;

    if (is_new_folder(config))
        return RC_NOT_FOUND;
    reading.is_check = true;
    rc = open_store(&reading, &house, out_error);
    if (rc == RC_OK)
        *out_store = house.store;
    return rc;
}

enum rc house_open_room(struct house *house, struct str issuer, size_t live_bytes_max)
{
    struct token_room_config config = { .store = house->store,
                                        .catalog = house->catalog,
                                        .master_key = house->master_key.bytes,
                                        .issuer = issuer,
                                        .live_bytes_max = live_bytes_max };

    return token_room_open(&config, &house->room);
}

void house_close(struct house *house)
{
    if (house->room != NULL)
        token_room_close(house->room);
    throttle_book_free(house->throttle);
    if (house->catalog != NULL)
        catalog_free(house->catalog);
    if (house->store != NULL)
        store_close(house->store);
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
    if (house->has_lock)
        close(house->lock_fd);
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
    rc = house_open_room(house, STR("http://localhost"), 0);
    if (rc == RC_OK)
        return house->room;
    command_fault(context, rc);
    return NULL;
}

int house_run_command(struct house *house, unsigned uid, int argc, char *const *argv,
                      const struct secret *input, struct str document, struct sink *out,
                      struct sink *err)
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
                                       .document = document,
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
