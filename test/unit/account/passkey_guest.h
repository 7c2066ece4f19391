/*
 * test/unit/account/passkey_guest.h: somebody at a browser with an authenticator of software, and
 * an account: asks for options, answers them, and sends the answer.
 */
#ifndef JETON_TEST_PASSKEY_GUEST_H
#define JETON_TEST_PASSKEY_GUEST_H

#include "fixture.h"

#include "../webauthn.h"
#include "account/passkey_factor.h"

#define PASSWORD "a long enough password"
#define RP_ID    "login.example.org"
#define ORIGIN   "https://login.example.org"

/* An authenticator with one credential. */
struct device {
    struct signer *signer;
    char key_memory[64];
    struct str key; /* COSE_Key */
    char id[24];
    char handle[PASSKEY_USER_HANDLE_BYTES];
    uint32_t count;
    unsigned flags;
};

/* An account at a browser. */
struct guest {
    struct fixture *fixture;
    struct passkey_site site;
    struct passkey_visitor visitor;
    struct address from;
    struct browser_session session;
    struct account account;
    char options_memory[PASSKEY_OPTIONS_BYTES_MAX];
    const char *options; /* the newest */
};

static inline void device_init(struct device *device, char name)
{
    struct buffer key = buffer_over(device->key_memory, sizeof(device->key_memory));
    struct public_key public_key;

    *device = (struct device){ .flags = SOFT_UP | SOFT_UV, .count = 5 };
    memset(device->id, name, sizeof(device->id));
    assert_int_equal(signer_generate(SIGNER_EDDSA, &device->signer), RC_OK);
    signer_public(device->signer, &public_key);
    append_eddsa_key(&key, public_key.x);
    device->key = buffer_str(&key);
}

static inline struct str device_id(const struct device *device)
{
    return (struct str){ device->id, sizeof(device->id) };
}

/* ---- guests ---------------------------------------------------------------------------------- */

static inline void guest_init(struct guest *guest, struct fixture *fixture)
{
    static const unsigned char key[32] = { 7, 8, 9 };

    memset(guest, 0, sizeof(*guest));
    guest->fixture = fixture;
    guest->from = address_v4(9);
    guest->site = (struct passkey_site){ .challenge_key = hmac_key_new(key),
                                         .rp_id = STR(RP_ID),
                                         .rp_name = STR("Jeton"),
                                         .origin = STR(ORIGIN) };
    guest->visitor.browser =
        (struct browser){ .address = guest->from.bytes, .device = STR("Agent/1.0"), .now = NOON };
    memset(guest->visitor.owner, 1, DIGEST_BYTES);
}

static inline void guest_deinit(struct guest *guest)
{
    hmac_key_free(guest->site.challenge_key);
}

static inline void guest_leave(struct guest *guest)
{
    guest->visitor.session = NULL;
    guest->visitor.account = NULL;
}

/* As after a password, or all of a sign-in. */
static inline void guest_enter(struct guest *guest, int64_t account_id, enum session_stage stage)
{
    struct browser_begin begin = { .account_id = account_id,
                                   .stage = stage,
                                   .address = guest->from.bytes,
                                   .device = STR("Agent/1.0"),
                                   .now = guest->visitor.browser.now };
    char value[BROWSER_VALUE_BYTES];
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(
        browser_session_begin(guest->fixture->store, &begin, &unit, value, &guest->session), RC_OK);
    assert_int_equal(store_commit(guest->fixture->store, &unit), RC_OK);
    guest->account = read_account(guest->fixture, account_id);
    guest->visitor.session = &guest->session;
    guest->visitor.account = &guest->account;
    memcpy(guest->visitor.owner, guest->session.digest, DIGEST_BYTES);
}

/* The text behind the first of these words in the options. */
static inline const char *behind(const char *text, const char *word)
{
    const char *at = strstr(text, word);

    assert_non_null(at);
    return at + strlen(word);
}

static inline void take_options(struct guest *guest, struct buffer *options)
{
    buffer_append_byte(options, '\0');
    assert_false(options->overflow);
    guest->options = options->at;
}

/* A member's text, behind an object's name. */
static inline struct str option_text(const struct guest *guest, const char *object,
                                     const char *name)
{
    const char *at = behind(behind(guest->options, object), name);

    return (struct str){ at, (size_t)(strchr(at, '"') - at) };
}

/* How many credentials are named. */
static inline size_t count_credentials(const struct guest *guest)
{
    const char *at = guest->options;
    size_t count = 0;

    while ((at = strstr(at, "{\"type\":\"public-key\",\"id\":\"")) != NULL) {
        at++;
        count++;
    }
    return count;
}

static inline struct buffer options_buffer(struct guest *guest)
{
    return buffer_over(guest->options_memory, sizeof(guest->options_memory));
}

static inline enum rc ask_new(struct guest *guest)
{
    struct buffer options = options_buffer(guest);
    enum rc rc =
        passkey_begin_registration(&guest->fixture->door, &guest->site, &guest->visitor, &options);

    if (rc == RC_OK)
        take_options(guest, &options);
    return rc;
}

static inline enum rc ask(struct guest *guest)
{
    struct buffer options = options_buffer(guest);
    enum rc rc =
        passkey_begin_sign_in(&guest->fixture->door, &guest->site, &guest->visitor, &options);

    if (rc == RC_OK)
        take_options(guest, &options);
    return rc;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* An answer, in base64url. */
struct texts {
    char memory[6][8192];
};

static inline struct str encode(struct texts *texts, size_t at, struct str bytes)
{
    struct buffer text = buffer_over(texts->memory[at], sizeof(texts->memory[at]));

    base64url_encode(bytes, &text);
    assert_false(text.overflow);
    return buffer_str(&text);
}

static inline struct str client_data(const struct guest *guest, const char *type,
                                     char out_text[512])
{
    struct str challenge = option_text(guest, "{", "\"challenge\":\"");

    snprintf(out_text, 512, "{\"type\":\"%s\",\"challenge\":\"%.*s\",\"origin\":\"%s\"}", type,
             STR_ARGS(challenge), ORIGIN);
    return str_of(out_text);
}

static inline struct passkey_new new_of(const struct guest *guest, struct device *device,
                                        struct texts *texts)
{
    struct soft_data soft = { .rp_id = RP_ID,
                              .flags = device->flags | SOFT_AT,
                              .count = device->count,
                              .credential_id = device_id(device),
                              .public_key = device->key };
    struct buffer handle_bytes = buffer_over(device->handle, sizeof(device->handle));
    char data_memory[1024], object_memory[2048], json[512];
    struct buffer data = buffer_over(data_memory, sizeof(data_memory));
    struct buffer object = buffer_over(object_memory, sizeof(object_memory));

    assert_int_equal(base64url_decode(option_text(guest, "\"user\":", "\"id\":\""), &handle_bytes),
                     RC_OK);
    append_data(&data, &soft);
    append_object(&object, "none", STR("\xa0"), buffer_str(&data));
    return (struct passkey_new){
        .credential_id = encode(texts, 0, device_id(device)),
        .client_data = encode(texts, 1, client_data(guest, "webauthn.create", json)),
        .attestation_object = encode(texts, 2, buffer_str(&object)),
        .transports = STR("internal hybrid"),
        .name = STR("phone"),
    };
}

static inline enum rc send_new(struct guest *guest, const struct passkey_new *answer,
                               const char **out_why)
{
    return passkey_finish_registration(&guest->fixture->door, &guest->site, &guest->visitor, answer,
                                       out_why);
}

static inline enum rc make(struct guest *guest, struct device *device, const char **out_why)
{
    struct texts texts;
    struct passkey_new answer;

    assert_int_equal(ask_new(guest), RC_OK);
    answer = new_of(guest, device, &texts);
    return send_new(guest, &answer, out_why);
}

static inline void must_make(struct guest *guest, struct device *device)
{
    const char *why = "";

    assert_int_equal(make(guest, device, &why), RC_OK);
}

static inline struct passkey_answer answer_of(const struct guest *guest, struct device *device,
                                              struct texts *texts)
{
    struct soft_data soft = { .rp_id = RP_ID, .flags = device->flags, .count = device->count };
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    char data_memory[1024], json[512];
    struct buffer data = buffer_over(data_memory, sizeof(data_memory));
    struct str text = client_data(guest, "webauthn.get", json);

    append_data(&data, &soft);
    return (struct passkey_answer){
        .credential_id = encode(texts, 0, device_id(device)),
        .client_data = encode(texts, 1, text),
        .authenticator_data = encode(texts, 2, buffer_str(&data)),
        .signature =
            encode(texts, 3, soft_sign(device->signer, buffer_str(&data), text, signature)),
        .user_handle = encode(texts, 4, (struct str){ device->handle, sizeof(device->handle) }),
    };
}

static inline struct browser_result send(struct guest *guest, const struct passkey_answer *answer)
{
    struct browser_result result;
    struct account account = { 0 };

    assert_int_equal(passkey_finish_sign_in(&guest->fixture->door, &guest->site, &guest->visitor,
                                            answer, &guest->fixture->arena, &result, &account),
                     RC_OK);
    assert_non_null(result.why);
    if (result.verdict == SIGN_IN_OK)
        assert_int_equal(account.id, result.session.account_id);
    return result;
}

/* A whole sign-in with what the device says next. */
static inline struct browser_result use(struct guest *guest, struct device *device)
{
    struct texts texts;
    struct passkey_answer answer;

    assert_int_equal(ask(guest), RC_OK);
    device->count++;
    answer = answer_of(guest, device, &texts);
    return send(guest, &answer);
}

static inline void assert_refused(const struct browser_result *result, const char *why)
{
    static const char nothing[BROWSER_VALUE_BYTES];

    assert_int_equal(result->verdict, SIGN_IN_CODE_WRONG);
    assert_string_equal(result->why, why);
    assert_memory_equal(result->value, nothing, sizeof(nothing));
}

static inline struct credential_record record_of(struct guest *guest, const struct device *device)
{
    struct credential_record record;

    assert_int_equal(store_find_passkey(guest->fixture->store, device_id(device),
                                        &guest->fixture->arena, &record),
                     RC_OK);
    return record;
}

#endif
