/*
 * Whatever stands in the rows of a store, reading them ends with nouns or a fault, and what reads
 * the texts of a noun further on bears any text. The first byte chooses what is looked for; then
 * come the columns, one after the other, as an engine of the target's own hands them out. A column
 * begins with a byte: below 0x80 a text of so many bytes follows, behind 0x80 a number of eight,
 * behind 0x81 a length of two bytes and a text; 0x82 is NULL, 0x83 … 0xfe are the numbers from 0
 * on, and 0xff ends the row.
 */
#include "codec/form.h"
#include "crypto/digest.h"
#include "crypto/passkey.h"
#include "crypto/password.h"
#include "crypto/seal.h"
#include "crypto/signer.h"
#include "fuzz.h"
#include "jose/jose.h"
#include "oauth/client_keys.h"
#include "oauth/details.h"
#include "oauth/id_token.h"
#include "store/answered.h"
#include "store/authorized.h"
#include "store/managed.h"
#include "store/room.h"
#include "store/trail.h"
#include "store/tries.h"
#include "token/room.h"

enum {
    COLUMN_COUNT_MAX = 24,
    ROW_COUNT_MAX = 4,
    INPUT_BYTES_MAX = 16 * 1024,
    TAG_NUMBER = 0x80,
    TAG_LONG_TEXT,
    TAG_NULL,
    TAG_SMALL,
    TAG_END = 0xff
};

struct column {
    int64_t number;
    struct str bytes;
    bool is_null;
};

/* What an engine has of a query: the bytes that are left, and the row under the cursor. */
struct driver_session {
    struct str rest;
    struct column columns[COLUMN_COUNT_MAX];
};

static uint64_t take_number(struct str *rest, size_t byte_count)
{
    uint64_t number = 0;

    while (byte_count-- > 0 && rest->len > 0) {
        number = number << 8 | (unsigned char)rest->at[0];
        *rest = str_from(*rest, 1);
    }
    return number;
}

static struct str take_text(struct str *rest, size_t len)
{
    struct str text = { rest->at, len < rest->len ? len : rest->len };

    *rest = str_from(*rest, text.len);
    return text;
}

/* False at the end of the row. */
static bool take_column(struct str *rest, struct column *out_column)
{
    unsigned tag = rest->len == 0 ? TAG_END : (unsigned)take_number(rest, 1);

    *out_column = (struct column){ .is_null = tag == TAG_NULL, .bytes = STR("") };
    if (tag < TAG_NUMBER)
        out_column->bytes = take_text(rest, tag);
    else if (tag == TAG_LONG_TEXT)
        out_column->bytes = take_text(rest, (size_t)take_number(rest, 2));
    else if (tag == TAG_NUMBER)
        out_column->number = (int64_t)take_number(rest, 8);
    else if (tag >= TAG_SMALL && tag < TAG_END)
        out_column->number = (int64_t)tag - TAG_SMALL;
    return tag != TAG_END;
}

/* ---- the engine ------------------------------------------------------------------------------ */

static enum rc fuzz_query(struct driver_session *session, enum statement statement,
                          const struct store_param *params, unsigned param_count)
{
    (void)session;
    (void)params;
    ASSERT(statement < STATEMENT_COUNT && param_count > 0);
    return RC_OK;
}

static enum rc fuzz_next(struct driver_session *session, bool *out_has_row)
{
    bool goes_on = session->rest.len > 0;

    *out_has_row = goes_on;
    for (unsigned i = 0; i < COLUMN_COUNT_MAX; i++) {
        session->columns[i] = (struct column){ .bytes = STR("") };
        goes_on = goes_on && take_column(&session->rest, &session->columns[i]);
    }
    return RC_OK;
}

static int64_t fuzz_column_int(struct driver_session *session, unsigned column)
{
    ASSERT(column < COLUMN_COUNT_MAX);
    return session->columns[column].number;
}

static struct str fuzz_column_bytes(struct driver_session *session, unsigned column)
{
    ASSERT(column < COLUMN_COUNT_MAX);
    return session->columns[column].bytes;
}

static bool fuzz_column_is_null(struct driver_session *session, unsigned column)
{
    ASSERT(column < COLUMN_COUNT_MAX);
    return session->columns[column].is_null;
}

static size_t fuzz_row_bytes(struct driver_session *session)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < COLUMN_COUNT_MAX; i++)
        bytes += session->columns[i].bytes.len;
    return bytes;
}

static void fuzz_finish(struct driver_session *session)
{
    (void)session;
}

static const struct driver fuzz_driver = { .query = fuzz_query,
                                           .next = fuzz_next,
                                           .column_int = fuzz_column_int,
                                           .column_bytes = fuzz_column_bytes,
                                           .column_is_null = fuzz_column_is_null,
                                           .row_bytes = fuzz_row_bytes,
                                           .finish = fuzz_finish };

static struct store *fuzz_store(struct str rest)
{
    static struct driver_session session;
    static struct store store;

    if (store.driver == NULL) {
        crypto_init();
        store.driver = &fuzz_driver;
        store.readers.max_count = 1;
        ASSERT(pthread_mutex_init(&store.readers.lock, NULL) == 0 &&
               pthread_cond_init(&store.readers.returned, NULL) == 0);
        reader_add(&store, &session);
    }
    session.rest = rest;
    return &store;
}

/* ---- what is read further on ----------------------------------------------------------------- */

static void check_words(struct str words)
{
    struct str rest = words;
    struct str word;

    while (str_next_word(&rest, &word))
        ASSERT(word.len > 0 && fuzz_is_within(word, words));
}

static void check_sealed(struct str sealed, struct arena *arena)
{
    static const unsigned char key[SEAL_KEY_BYTES] = { 1 };
    struct buffer plain = buffer_over(arena_alloc(arena, sealed.len + 1), sealed.len + 1);

    if (unseal(key, STR("stored"), sealed, &plain) == RC_OK)
        ASSERT(plain.len + SEAL_OVERHEAD_BYTES == sealed.len);
}

static void check_hash(struct str hash)
{
    const struct password_cost cost = { .memory_kib = 8, .passes = 1 };

    (void)password_is_known(hash);
    (void)password_needs_upgrade(hash, cost);
}

static enum rc find_account(struct store *store, struct arena *arena)
{
    struct account account;
    enum rc rc = store_find_account(store, 1, arena, &account);

    if (rc == RC_OK)
        check_hash(account.password_hash);
    return rc;
}

static enum rc find_service(struct store *store, struct arena *arena)
{
    struct service service;
    enum rc rc = store_find_service(store, 1, arena, &service);

    if (rc != RC_OK)
        return rc;
    ASSERT(service.format < TOKEN_FORMAT_COUNT && service.alg < ALG_COUNT);
    check_hash(service.secret_hash);
    check_words(service.scope);
    return rc;
}

static enum rc find_client(struct store *store, struct arena *arena)
{
    struct client client;
    struct client_metadata metadata;
    char memory[4096];
    struct buffer members = buffer_over(memory, sizeof(memory));
    struct json_out json = { .to = &members };
    enum rc rc = store_find_client(store, 1, arena, &client);

    if (rc != RC_OK)
        return rc;
    check_hash(client.secret_hash);
    check_words(client.service_ids);
    rc = client_metadata_read(&client, arena, &metadata);
    ASSERT(rc == RC_OK || rc == RC_CORRUPT || rc == RC_SYSTEM);
    return rc == RC_OK ? client_metadata_format(&client, arena, &json) : rc;
}

static enum rc list_grants(struct store *store, struct arena *arena)
{
    struct grant rows[ROW_COUNT_MAX];
    size_t count = 0;
    enum rc rc = store_list_grants(store, 1, 0, 0, arena, rows, ROW_COUNT_MAX, &count);

    if (rc != RC_OK)
        return rc;
    ASSERT(count <= ROW_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        char memory[4096];
        struct buffer text = buffer_over(memory, sizeof(memory));
        struct json_out json = { .to = &text };

        ASSERT(rows[i].binding.kind < BINDING_KIND_COUNT);
        check_words(rows[i].scope);
        grant_format_audience(rows[i].audience, STR("https://as.example"), &json);
    }
    return rc;
}

static enum rc find_authorization(struct store *store, struct arena *arena)
{
    const struct account account = { .name = STR("alice"), .full_name = STR("Alice") };
    struct authorization authorization;
    struct detail details[DETAILS_COUNT_MAX];
    char memory[4096];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct json_out json = { .to = &text };
    enum rc rc = store_find_authorization(store, 1, arena, &authorization);

    if (rc != RC_OK)
        return rc;
    ASSERT(details_list(authorization.details, arena, details) <= DETAILS_COUNT_MAX);
    (void)details_contain(authorization.details, authorization.actor, arena);
    (void)details_join(authorization.details, authorization.actor, arena);
    claims_format(&account, authorization.amr, authorization.claims, CLAIMS_ID_TOKEN, arena, &json);
    claims_format(&account, authorization.amr, authorization.claims, CLAIMS_USERINFO, arena, &json);
    return rc;
}

static enum rc find_pushed_request(struct store *store, struct arena *arena)
{
    static const unsigned char digest[DIGEST_BYTES];
    struct pushed_request request;
    struct form form;
    enum rc rc = store_find_pushed_request(store, digest, 1, arena, &request);

    return rc == RC_OK ? form_parse(request.parameters, arena, &form) : rc;
}

static enum rc find_device_request(struct store *store, struct arena *arena)
{
    static const unsigned char digest[DIGEST_BYTES];
    struct device_request request;
    enum rc rc = store_find_device_request(store, digest, arena, &request);

    if (rc == RC_OK)
        ASSERT(request.state >= DEVICE_WAITING && request.state <= DEVICE_SPENT &&
               request.binding.kind < BINDING_KIND_COUNT);
    return rc;
}

static enum rc find_code(struct store *store, struct arena *arena)
{
    static const unsigned char digest[DIGEST_BYTES];
    struct code code;
    enum rc rc = store_find_code(store, digest, arena, &code);

    if (rc == RC_OK)
        ASSERT(code.binding.kind < BINDING_KIND_COUNT);
    return rc;
}

static enum rc list_tokens(struct store *store, struct arena *arena)
{
    struct token rows[ROW_COUNT_MAX];
    size_t count = 0;
    enum rc rc = store_list_tokens(store, 0, 1, rows, ROW_COUNT_MAX, &count);

    (void)arena;
    for (size_t i = 0; i < count; i++)
        ASSERT(rows[i].kind < TOKEN_KIND_COUNT && rows[i].format < TOKEN_FORMAT_COUNT);
    return rc;
}

static enum rc find_permanent(struct store *store, struct arena *arena)
{
    struct permanent permanent;
    const struct grant_tie tie = { .permanent = &permanent };
    struct tie_limits limits;
    enum rc rc = store_find_permanent(store, 1, arena, &permanent);

    if (rc != RC_OK)
        return rc;
    rc = tie_read(&tie, &limits);
    /* What cannot be read must not let anybody in. */
    ASSERT(rc == RC_CORRUPT || limits.network_count > 0 || str_trim(permanent.addresses).len == 0);
    if (rc == RC_OK)
        ASSERT(limits.network_count <= PERMANENT_NETWORK_COUNT_MAX);
    return rc;
}

static enum rc list_keys(struct store *store, struct arena *arena)
{
    struct key rows[ROW_COUNT_MAX];
    size_t count = 0;
    enum rc rc = store_list_keys(store, arena, rows, ROW_COUNT_MAX, &count);

    for (size_t i = 0; i < count; i++) {
        struct public_key public_key;
        struct signer *signer = NULL;

        check_sealed(rows[i].sealed, arena);
        (void)!jwk_parse_public(rows[i].public_jwk, &public_key);
        if (signer_import_private(SIGNER_ES256, rows[i].kid, &signer) == RC_OK)
            signer_free(signer);
    }
    return rc;
}

static enum rc find_passkey(struct store *store, struct arena *arena)
{
    struct credential_record passkey;
    enum rc rc = store_find_passkey(store, STR("id"), arena, &passkey);

    return rc == RC_OK ? passkey_public_key_check(passkey.public_key) : rc;
}

static enum rc list_sessions(struct store *store, struct arena *arena)
{
    struct session rows[ROW_COUNT_MAX];
    size_t count = 0;

    return store_list_sessions(store, 1, 0, arena, rows, ROW_COUNT_MAX, &count);
}

static enum rc list_browser_sessions(struct store *store, struct arena *arena)
{
    struct browser_session rows[ROW_COUNT_MAX];
    size_t count = 0;
    enum rc rc = store_list_browser_sessions(store, 1, 0, arena, rows, ROW_COUNT_MAX, &count);

    for (size_t i = 0; i < count; i++)
        ASSERT(rows[i].stage >= STAGE_NEEDS_CODE && rows[i].stage <= STAGE_SIGNED_IN);
    return rc;
}

static enum rc list_factors(struct store *store, struct arena *arena)
{
    struct factor rows[FACTOR_COUNT_MAX];
    size_t count = 0;
    enum rc rc = store_list_factors(store, 1, arena, rows, &count);

    ASSERT(count <= FACTOR_COUNT_MAX);
    for (size_t i = 0; i < count; i++)
        check_sealed(rows[i].sealed, arena);
    return rc;
}

static enum rc find_answered(struct store *store, struct arena *arena)
{
    static const unsigned char digest[DIGEST_BYTES];
    struct answered answered;
    enum rc rc = store_find_answered(store, digest, 1, arena, &answered);

    if (rc == RC_OK)
        check_sealed(answered.sealed, arena);
    return rc;
}

static enum rc find_replay(struct store *store, struct arena *arena)
{
    struct str sealed;
    enum rc rc = store_find_replay(store, 1, 1, arena, &sealed);

    if (rc == RC_OK)
        check_sealed(sealed, arena);
    return rc;
}

static enum rc find_link(struct store *store, struct arena *arena)
{
    static const unsigned char digest[DIGEST_BYTES];
    struct link link;

    return store_find_link(store, digest, 1, arena, &link);
}

static enum rc list_mails(struct store *store, struct arena *arena)
{
    struct mail rows[ROW_COUNT_MAX];
    size_t count = 0;

    return store_list_mails(store, 0, arena, rows, ROW_COUNT_MAX, &count);
}

static enum rc find_delivery(struct store *store, struct arena *arena)
{
    struct delivery delivery;

    return store_find_due_delivery(store, 1, arena, &delivery);
}

static enum rc find_consent(struct store *store, struct arena *arena)
{
    struct detail details[DETAILS_COUNT_MAX];
    struct consent consent;
    enum rc rc = store_find_consent(store, 1, 1, arena, &consent);

    if (rc == RC_OK)
        (void)details_list(consent.details, arena, details);
    return rc;
}

static enum rc list_events(struct store *store, struct arena *arena)
{
    struct event rows[ROW_COUNT_MAX];
    size_t count = 0;

    return store_list_events(store, 0, arena, rows, ROW_COUNT_MAX, &count);
}

static enum rc list_trail(struct store *store, struct arena *arena)
{
    struct trail_event rows[ROW_COUNT_MAX];
    size_t count = 0;

    return store_list_trail(store, 0, 9, arena, rows, ROW_COUNT_MAX, &count);
}

static enum rc list_checkpoints(struct store *store, struct arena *arena)
{
    struct checkpoint rows[ROW_COUNT_MAX];
    size_t count = 0;

    (void)arena;
    return store_list_checkpoints(store, 0, rows, ROW_COUNT_MAX, &count);
}

static enum rc find_throttles(struct store *store, struct arena *arena)
{
    unsigned char keys[THROTTLE_KEY_COUNT][DIGEST_BYTES] = { { 0 } };
    struct throttle rows[THROTTLE_KEY_COUNT];

    (void)arena;
    return store_find_throttles(store, keys, rows);
}

static enum rc (*const finders[])(struct store *store, struct arena *arena) = {
    find_account, find_service, find_client,    list_grants,      find_authorization,
    find_code,    list_tokens,  find_permanent, list_keys,        find_pushed_request,
    find_passkey, list_factors, find_answered,  list_sessions,    list_browser_sessions,
    find_replay,  find_link,    list_mails,     find_delivery,    find_device_request,
    find_consent, list_events,  list_trail,     list_checkpoints, find_throttles,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    size_t index;

    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    index = data[0] % (sizeof(finders) / sizeof(finders[0]));
    (void)finders[index](fuzz_store(str_from(input, 1)), fuzz_arena());
    return 0;
}
