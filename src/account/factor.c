#include "account/factor.h"

#include "codec/base32.h"
#include "codec/base64url.h"
#include "codec/uri.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "crypto/totp.h"

enum {
    DRIFT_STEPS = 1, /* to either side: clocks differ, and people type slowly; PW-10 */
    RECOVERY_LETTER_COUNT = 26,
    RECOVERY_RANDOM_BYTES = 17, /* five bits a letter, and a few to spare */
    RECOVERY_GROUP_LETTERS = 5,
    RECOVERY_DASH_COUNT = 4,
    CODE_BYTES_MAX = 64, /* of any code with its spaces and dashes */
    SEAL_NAME_BYTES = 32,
    SEALED_BYTES_MAX = FACTOR_SECRET_BYTES_MAX + SEAL_OVERHEAD_BYTES,
    DRAFT_TIME_BYTES = 8,
    DRAFT_BYTES = DRAFT_TIME_BYTES + TOTP_SECRET_BYTES,
    FACTORS_ARENA_BYTES = FACTOR_COUNT_MAX * (FACTOR_NAME_BYTES_MAX + SEALED_BYTES_MAX + 64)
};

_Static_assert((int)RECOVERY_LETTER_COUNT + (int)RECOVERY_DASH_COUNT ==
                   (int)RECOVERY_CODE_TEXT_BYTES,
               "a recovery code is its letters and its dashes");
_Static_assert(BASE64URL_TEXT_BYTES((int)DRAFT_BYTES + (int)SEAL_OVERHEAD_BYTES) <=
                   (int)FACTOR_ENROLMENT_BYTES_MAX,
               "a draft's text fits");
_Static_assert((int)RECOVERY_LETTER_COUNT * 5 <= (int)RECOVERY_RANDOM_BYTES * 8, "random enough");
_Static_assert((int)RECOVERY_CODE_COUNT + 2 <= (int)STORE_UNIT_STEP_COUNT_MAX,
               "all codes are replaced in one unit");

/* ---- enrolment ---- */

/* One factor's secret cannot stand in for another's. */
static struct str seal_name(int64_t factor_id, char out_name[static SEAL_NAME_BYTES])
{
    struct buffer name = buffer_over(out_name, SEAL_NAME_BYTES);

    BUFFER_APPEND_LITERAL(&name, "totp:");
    buffer_append_u64(&name, (uint64_t)factor_id);
    return buffer_str(&name);
}

static enum rc open_secret(const struct factor_keys *keys, const struct factor *factor,
                           struct buffer *out_secret)
{
    char name[SEAL_NAME_BYTES];
    enum rc rc = unseal(keys->master_key, seal_name(factor->id, name), factor->sealed, out_secret);

    return rc == RC_OK || rc_is_fault(rc) ? rc : RC_CORRUPT;
}

static void add_event(struct store_unit *unit, int64_t account_id, const struct act_note *note)
{
    const struct event event = note_event(note, EVENT_FACTOR_CHANGED, account_id);

    store_insert_event(unit, &event);
}

/* Two steps. */
static void add_note(struct store_unit *unit, int64_t account_id, const struct act_note *note)
{
    add_event(unit, account_id, note);
    notice_add(note->notice, unit);
}

static void format_uri(struct str secret, struct str issuer, struct str account_name,
                       struct buffer *out_uri)
{
    BUFFER_APPEND_LITERAL(out_uri, "otpauth://totp/");
    uri_encode(issuer, out_uri);
    BUFFER_APPEND_LITERAL(out_uri, ":");
    uri_encode(account_name, out_uri);
    BUFFER_APPEND_LITERAL(out_uri, "?secret=");
    base32_encode(secret, out_uri);
    BUFFER_APPEND_LITERAL(out_uri, "&issuer=");
    uri_encode(issuer, out_uri);
    BUFFER_APPEND_LITERAL(out_uri, "&algorithm=SHA1&digits=");
    buffer_append_u64(out_uri, TOTP_DIGIT_COUNT);
    BUFFER_APPEND_LITERAL(out_uri, "&period=");
    buffer_append_u64(out_uri, TOTP_STEP_S);
}

static enum rc list_factors(struct store *store, int64_t account_id, struct arena *arena,
                            struct factor out_rows[static FACTOR_COUNT_MAX], size_t *out_count)
{
    arena_init(arena, FACTORS_ARENA_BYTES);
    return store_list_factors(store, account_id, arena, out_rows, out_count);
}

static enum rc insert_totp(const struct factor_keys *keys, struct store *store,
                           const struct factor *draft, struct str secret,
                           const struct act_note *note, int64_t kept_session_id)
{
    char name[SEAL_NAME_BYTES];
    char sealed_bytes[SEALED_BYTES_MAX];
    struct buffer sealed = buffer_over(sealed_bytes, sizeof(sealed_bytes));
    struct factor factor = *draft;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    rc = store_next_id(store, SEQUENCE_NOUN, &factor.id);
    if (rc != RC_OK)
        return rc;
    rc = seal(keys->master_key, seal_name(factor.id, name), secret, &sealed);
    if (rc != RC_OK)
        return rc;
    factor.sealed = buffer_str(&sealed);
    store_unit_init(&unit);
    store_insert_factor(&unit, &factor);
    /* OWASP ASVS 5.0 7.4.3 */
    store_delete_browser_sessions(&unit, factor.account_id, kept_session_id);
    add_note(&unit, factor.account_id, note);
    return store_commit(store, &unit);
}

enum rc factor_enrol_totp(const struct factor_keys *keys, struct store *store,
                          const struct account *account, struct str issuer, struct str name,
                          const struct act_note *note, struct buffer *out_uri)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct factor rows[FACTOR_COUNT_MAX];
    struct factor draft = {
        .account_id = account->id, .kind = FACTOR_TOTP, .name = name, .created_at = note->now
    };
    char bytes[TOTP_SECRET_BYTES];
    struct str secret = { bytes, sizeof(bytes) };
    size_t count;
    enum rc rc;

    rc = list_factors(store, account->id, &arena, rows, &count);
    if (rc != RC_OK)
        return rc;
    if (count >= FACTOR_COUNT_MAX)
        return RC_EXISTS;
    random_bytes(bytes, sizeof(bytes)); /* RFC 4226 4, R6: 160 bits */
    rc = insert_totp(keys, store, &draft, secret, note, 0);
    if (rc == RC_OK)
        format_uri(secret, issuer, account->name, out_uri);
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}

enum rc factor_put_totp(const struct factor_keys *keys, struct store *store, int64_t account_id,
                        const struct factor_secret *totp, int64_t now, struct arena *arena,
                        struct store_unit *unit)
{
    struct factor factor = {
        .account_id = account_id, .kind = FACTOR_TOTP, .name = totp->name, .created_at = now
    };
    struct buffer sealed = buffer_over(arena_alloc(arena, SEALED_BYTES_MAX), SEALED_BYTES_MAX);
    char name[SEAL_NAME_BYTES];
    enum rc rc = store_next_id(store, SEQUENCE_NOUN, &factor.id);

    ASSERT(totp->secret.len >= FACTOR_SECRET_BYTES_MIN &&
           totp->secret.len <= FACTOR_SECRET_BYTES_MAX);
    if (rc == RC_OK)
        rc = seal(keys->master_key, seal_name(factor.id, name), totp->secret, &sealed);
    if (rc != RC_OK)
        return rc;
    factor.sealed = buffer_str(&sealed);
    store_insert_factor(unit, &factor);
    return RC_OK;
}

/* ---- recovery codes ---- */

static void recovery_digest(const struct factor_keys *keys, struct str letters,
                            unsigned char out_digest[static DIGEST_BYTES])
{
    hmac_sha256(keys->code_key, STR("recovery code:"), letters, out_digest);
}

static void make_letters(char out_letters[static RECOVERY_LETTER_COUNT])
{
    char random[RECOVERY_RANDOM_BYTES];
    char text_bytes[2 * RECOVERY_RANDOM_BYTES];
    struct buffer text = buffer_over(text_bytes, sizeof(text_bytes));

    random_bytes(random, sizeof(random));
    base32_encode((struct str){ random, sizeof(random) }, &text);
    ASSERT(!text.overflow && text.len >= RECOVERY_LETTER_COUNT);
    memcpy(out_letters, text_bytes, RECOVERY_LETTER_COUNT);
    explicit_bzero(random, sizeof(random));
    explicit_bzero(text_bytes, sizeof(text_bytes));
}

static void format_letters(const char letters[static RECOVERY_LETTER_COUNT], struct buffer *out)
{
    size_t dash_count = 0;

    for (size_t i = 0; i < RECOVERY_LETTER_COUNT; i++) {
        if (i > 0 && i % RECOVERY_GROUP_LETTERS == 0 && dash_count < RECOVERY_DASH_COUNT) {
            buffer_append_byte(out, '-');
            dash_count++;
        }
        buffer_append_byte(out, letters[i]);
    }
    buffer_append_byte(out, '\n');
}

enum rc factor_make_recovery_codes(const struct factor_keys *keys, struct store *store,
                                   int64_t account_id, const struct act_note *note,
                                   struct buffer *out_codes)
{
    char letters[RECOVERY_CODE_COUNT][RECOVERY_LETTER_COUNT];
    unsigned char digest[DIGEST_BYTES];
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    store_delete_recovery_codes(&unit, account_id);
    for (size_t i = 0; i < RECOVERY_CODE_COUNT; i++) {
        make_letters(letters[i]);
        recovery_digest(keys, (struct str){ letters[i], RECOVERY_LETTER_COUNT }, digest);
        store_insert_recovery_code(&unit, account_id, digest);
    }
    add_note(&unit, account_id, note);
    rc = store_commit(store, &unit);
    for (size_t i = 0; rc == RC_OK && i < RECOVERY_CODE_COUNT; i++)
        format_letters(letters[i], out_codes);
    explicit_bzero(letters, sizeof(letters));
    return rc;
}

enum rc factor_remove_all(struct store *store, int64_t account_id, const struct act_note *note)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_delete_factors(&unit, account_id);
    store_delete_browser_sessions(&unit, account_id, 0); /* OWASP ASVS 5.0 7.4.3 */
    add_note(&unit, account_id, note);
    return store_commit(store, &unit);
}

/* ---- the check ---- */

/* The code without spaces; with is_recovery also without dashes, in upper case. */
static struct str strip(struct str code, bool is_recovery, char out_bytes[static CODE_BYTES_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < code.len && i < CODE_BYTES_MAX; i++) {
        char byte = code.at[i];

        if (byte == ' ' || (is_recovery && byte == '-'))
            continue;
        if (is_recovery && byte >= 'a' && byte <= 'z')
            byte = (char)(byte - 'a' + 'A');
        out_bytes[len++] = byte;
    }
    return (struct str){ out_bytes, len };
}

static bool is_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    return text.len == TOTP_DIGIT_COUNT;
}

/* The newest step that these digits are the code of, among those that may still be used; 0: none.
 */
static int64_t match_secret(struct str secret, struct str digits, int64_t last_step, int64_t now)
{
    char expected[TOTP_DIGIT_COUNT];
    int64_t step = 0;

    /* All are compared, so that time tells nothing of which it was. */
    for (int64_t drift = -DRIFT_STEPS; drift <= DRIFT_STEPS; drift++) {
        int64_t at = now / TOTP_STEP_S + drift;
        bool is_equal;

        totp_format(secret, at, TOTP_DIGIT_COUNT, expected);
        is_equal = secret_bytes_equal(expected, digits.at, TOTP_DIGIT_COUNT);
        if (is_equal && at > last_step) /* RFC 6238 5.2 */
            step = at;
    }
    explicit_bzero(expected, sizeof(expected));
    return step;
}

static enum rc match_step(const struct factor_keys *keys, const struct factor *factor,
                          struct str digits, int64_t now, int64_t *out_step)
{
    char secret_bytes[FACTOR_SECRET_BYTES_MAX];
    struct buffer secret = buffer_over(secret_bytes, sizeof(secret_bytes));
    enum rc rc = open_secret(keys, factor, &secret);

    if (rc == RC_OK)
        *out_step = match_secret(buffer_str(&secret), digits, factor->last_step, now);
    explicit_bzero(secret_bytes, sizeof(secret_bytes));
    return rc;
}

static enum rc check_totp(const struct factor_keys *keys, struct store *store, int64_t account_id,
                          struct str digits, int64_t now, struct store_unit *unit)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct factor rows[FACTOR_COUNT_MAX];
    int64_t used_id = 0;
    int64_t used_step = 0;
    size_t count;
    enum rc rc;

    rc = list_factors(store, account_id, &arena, rows, &count);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        int64_t step;

        if (rows[i].kind != FACTOR_TOTP)
            continue;
        rc = match_step(keys, &rows[i], digits, now, &step);
        if (rc != RC_OK)
            return rc;
        if (step != 0) {
            used_id = rows[i].id;
            used_step = step;
        }
    }
    if (used_id == 0)
        return RC_REFUSED;
    store_spend_step(unit, used_id, used_step, now);
    return RC_OK;
}

static enum rc check_recovery_code(const struct factor_keys *keys, struct store *store,
                                   int64_t account_id, struct str letters,
                                   const struct act_note *note, struct store_unit *unit)
{
    unsigned char digest[DIGEST_BYTES];
    enum rc rc;

    recovery_digest(keys, letters, digest);
    rc = store_find_recovery_code(store, account_id, digest);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_REFUSED : rc;
    store_spend_recovery_code(unit, account_id, digest, note->now);
    add_event(unit, account_id, note);
    return RC_OK;
}

enum rc factor_check(const struct factor_keys *keys, struct store *store, int64_t account_id,
                     struct str code, const unsigned char *address, int64_t now,
                     struct store_unit *unit)
{
    const struct act_note note = { .detail = STR("a recovery code was used"),
                                   .address = address,
                                   .now = now };
    char bytes[CODE_BYTES_MAX];
    struct str text;
    enum rc rc = RC_REFUSED;

    if (code.len > CODE_BYTES_MAX)
        return RC_REFUSED;
    text = strip(code, false, bytes);
    if (is_digits(text)) {
        rc = check_totp(keys, store, account_id, text, now, unit);
    } else {
        text = strip(code, true, bytes);
        if (text.len == RECOVERY_LETTER_COUNT)
            rc = check_recovery_code(keys, store, account_id, text, &note, unit);
    }
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}

struct str factor_throttle_name(struct arena *arena, int64_t account_id)
{
    return arena_format(arena, "factor:%lld", (long long)account_id);
}

/* ---- enrolment by the owner ------------------------------------------------------------------ */

/* A draft: when it was made, and the secret; sealed for one account. */
static struct str draft_name(int64_t account_id, char out_name[static SEAL_NAME_BYTES])
{
    struct buffer name = buffer_over(out_name, SEAL_NAME_BYTES);

    BUFFER_APPEND_LITERAL(&name, "draft:");
    buffer_append_u64(&name, (uint64_t)account_id);
    return buffer_str(&name);
}

enum rc factor_draft_totp(const struct factor_keys *keys, const struct account *account,
                          int64_t now, struct buffer *out_enrolment)
{
    char name[SEAL_NAME_BYTES];
    unsigned char plain[DRAFT_BYTES];
    char sealed_bytes[DRAFT_BYTES + SEAL_OVERHEAD_BYTES];
    struct buffer sealed = buffer_over(sealed_bytes, sizeof(sealed_bytes));
    enum rc rc;

    for (size_t i = 0; i < DRAFT_TIME_BYTES; i++)
        plain[i] = (unsigned char)((uint64_t)now >> 8 * i);
    random_bytes(plain + DRAFT_TIME_BYTES, TOTP_SECRET_BYTES); /* RFC 4226 4, R6: 160 bits */
    rc = seal(keys->master_key, draft_name(account->id, name),
              (struct str){ (const char *)plain, sizeof(plain) }, &sealed);
    if (rc == RC_OK)
        base64url_encode(buffer_str(&sealed), out_enrolment);
    explicit_bzero(plain, sizeof(plain));
    return rc;
}

static enum rc open_draft(const struct factor_keys *keys, int64_t account_id, struct str enrolment,
                          int64_t now, char out_secret[static TOTP_SECRET_BYTES])
{
    char name[SEAL_NAME_BYTES];
    char sealed_bytes[DRAFT_BYTES + SEAL_OVERHEAD_BYTES];
    struct buffer sealed = buffer_over(sealed_bytes, sizeof(sealed_bytes));
    char plain_bytes[DRAFT_BYTES];
    struct buffer plain = buffer_over(plain_bytes, sizeof(plain_bytes));
    uint64_t made_at = 0;
    enum rc rc = base64url_decode(enrolment, &sealed);

    if (rc == RC_OK)
        rc = unseal(keys->master_key, draft_name(account_id, name), buffer_str(&sealed), &plain);
    if (rc_is_fault(rc))
        return rc;
    if (rc != RC_OK || plain.len != DRAFT_BYTES)
        return RC_NOT_FOUND;
    for (size_t i = 0; i < DRAFT_TIME_BYTES; i++)
        made_at |= (uint64_t)(unsigned char)plain_bytes[i] << 8 * i;
    if (now - (int64_t)made_at > FACTOR_DRAFT_S)
        rc = RC_NOT_FOUND;
    else
        memcpy(out_secret, plain_bytes + DRAFT_TIME_BYTES, TOTP_SECRET_BYTES);
    explicit_bzero(plain_bytes, sizeof(plain_bytes));
    return rc;
}

enum rc factor_show_draft(const struct factor_keys *keys, const struct account *account,
                          struct str issuer, struct str enrolment, int64_t now,
                          struct buffer *out_uri, struct buffer *out_key)
{
    char bytes[TOTP_SECRET_BYTES];
    struct str secret = { bytes, sizeof(bytes) };
    enum rc rc = open_draft(keys, account->id, enrolment, now, bytes);

    if (rc == RC_OK) {
        format_uri(secret, issuer, account->name, out_uri);
        base32_encode(secret, out_key);
    }
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}

/* Whether one of the account's factors has this secret already: the form was sent twice. */
static enum rc has_secret(const struct factor_keys *keys, const struct factor *rows, size_t count,
                          struct str secret, bool *out_has)
{
    bool has = false;

    for (size_t i = 0; i < count; i++) {
        char bytes[TOTP_SECRET_BYTES];
        struct buffer opened = buffer_over(bytes, sizeof(bytes));
        enum rc rc = RC_OK;

        if (rows[i].kind != FACTOR_TOTP)
            continue;
        rc = open_secret(keys, &rows[i], &opened);
        if (rc != RC_OK)
            return rc;
        has = (opened.len == secret.len && secret_bytes_equal(bytes, secret.at, secret.len)) || has;
        explicit_bzero(bytes, sizeof(bytes));
    }
    *out_has = has;
    return RC_OK;
}

static enum rc confirm_secret(const struct factor_keys *keys, struct store *store,
                              const struct factor_confirmation *confirmation, struct str secret,
                              int64_t now)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct factor rows[FACTOR_COUNT_MAX];
    char digit_bytes[CODE_BYTES_MAX];
    struct str digits = strip(confirmation->code, false, digit_bytes);
    struct factor factor = { .account_id = confirmation->account_id,
                             .kind = FACTOR_TOTP,
                             .name = confirmation->name,
                             .created_at = now,
                             .last_used_at = now };
    const struct act_note note = { .detail = STR("an app was set up by its owner"),
                                   .address = confirmation->address,
                                   .notice = confirmation->notice,
                                   .now = now };
    bool is_there = false;
    size_t count;
    enum rc rc = list_factors(store, confirmation->account_id, &arena, rows, &count);

    if (rc == RC_OK)
        rc = has_secret(keys, rows, count, secret, &is_there);
    if (rc != RC_OK || is_there)
        return rc;
    if (count >= FACTOR_COUNT_MAX)
        return RC_EXISTS;
    if (is_digits(digits))
        factor.last_step = match_secret(secret, digits, 0, now); /* RFC 6238 5.2: used up */
    if (factor.last_step == 0)
        return RC_REFUSED;
    return insert_totp(keys, store, &factor, secret, &note, confirmation->session_id);
}

enum rc factor_confirm_totp(const struct factor_keys *keys, struct store *store,
                            const struct factor_confirmation *confirmation, int64_t now)
{
    char bytes[TOTP_SECRET_BYTES];
    enum rc rc = open_draft(keys, confirmation->account_id, confirmation->enrolment, now, bytes);

    if (rc == RC_OK)
        rc = confirm_secret(keys, store, confirmation, (struct str){ bytes, sizeof(bytes) }, now);
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}

/* ---- changes by the owner -------------------------------------------------------------------- */

enum rc factor_remove(struct store *store, const struct factor_removal *removal, int64_t now)
{
    const struct act_note note = { .detail = removal->detail.len > 0
                                                 ? removal->detail
                                                 : STR("a second factor was removed by its owner"),
                                   .address = removal->address,
                                   .notice = removal->notice,
                                   .now = now };
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_delete_spare_factor(&unit, removal->factor_id, removal->account_id);
    /* OWASP ASVS 5.0 7.4.3 */
    store_delete_browser_sessions(&unit, removal->account_id, removal->session_id);
    add_note(&unit, removal->account_id, &note);
    return store_commit(store, &unit);
}

enum rc factor_rename(struct store *store, int64_t account_id, int64_t factor_id, struct str name,
                      const unsigned char *address, int64_t now)
{
    const struct act_note note = { .detail = STR("a second factor was renamed by its owner"),
                                   .address = address,
                                   .now = now };
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_rename_factor(&unit, factor_id, account_id, name);
    add_event(&unit, account_id, &note);
    return store_commit(store, &unit);
}
