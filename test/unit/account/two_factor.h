/*
 * An account with a second factor, and the codes of its authenticator.
 */
#ifndef JETON_TEST_ACCOUNT_TWO_FACTOR_H
#define JETON_TEST_ACCOUNT_TWO_FACTOR_H

#include "fixture.h"

#include "codec/base32.h"
#include "crypto/totp.h"

/* What an authenticator program keeps. */
struct authenticator {
    char uri[FACTOR_URI_BYTES_MAX];
    size_t uri_bytes;
    char secret[TOTP_SECRET_BYTES];
};

/* The value of a parameter of the URI's query. */
static inline struct str uri_parameter(struct str uri, const char *name)
{
    struct str rest = str_from(uri, str_index_of(uri, '?') + 1);

    for (;;) {
        size_t end = str_index_of(rest, '&');
        struct str pair = { rest.at, end };
        size_t equals = str_index_of(pair, '=');

        if (str_equal((struct str){ pair.at, equals }, str_of(name)))
            return str_from(pair, equals + 1);
        assert_true(end < rest.len);
        rest = str_from(rest, end + 1);
    }
}

static inline struct authenticator enrol(struct fixture *fixture, int64_t account_id)
{
    struct account account = read_account(fixture, account_id);
    struct authenticator made = { 0 };
    struct buffer uri = buffer_over(made.uri, sizeof(made.uri));
    struct buffer secret = buffer_over(made.secret, sizeof(made.secret));

    assert_int_equal(factor_enrol_totp(&fixture->door.factor_keys, fixture->store, &account,
                                       STR("Jeton"), STR("phone"),
                                       &(struct act_note){ .detail = STR("enrolled"), .now = NOON },
                                       &uri),
                     RC_OK);
    assert_false(uri.overflow);
    assert_int_equal(base32_decode(uri_parameter(buffer_str(&uri), "secret"), &secret), RC_OK);
    assert_int_equal(secret.len, TOTP_SECRET_BYTES);
    made.uri_bytes = uri.len;
    return made;
}

/* Six digits and a NUL: a code of a moment. */
struct shown_code {
    char text[TOTP_DIGIT_COUNT + 1];
};

static inline struct shown_code authenticator_code(const struct authenticator *authenticator,
                                                   int64_t now)
{
    struct shown_code code = { 0 };

    totp_format((struct str){ authenticator->secret, TOTP_SECRET_BYTES }, now / TOTP_STEP_S,
                TOTP_DIGIT_COUNT, code.text);
    return code;
}

/* Digits that are no code of any moment near. */
static inline struct shown_code wrong_code(const struct authenticator *authenticator, int64_t now)
{
    struct shown_code wrong = { "000000" };

    for (int64_t drift = -2; drift <= 2; drift++) {
        struct shown_code right = authenticator_code(authenticator, now + drift * TOTP_STEP_S);

        if (strcmp(right.text, wrong.text) == 0) {
            wrong.text[5]++;
            drift = -3;
        }
    }
    return wrong;
}

#endif
