#include "account/profile.h"
#include "base/clock.h"
#include "daemon/change.h"

enum { ISSUER_BYTES_MAX = 128, CODES_BYTES_MAX = 1024 };

_Static_assert(CODES_BYTES_MAX >= RECOVERY_CODE_COUNT * (RECOVERY_CODE_TEXT_BYTES + 1),
               "all recovery codes must fit");
/* A byte is three in a URI, and the issuer stands there twice. */
_Static_assert(FACTOR_URI_BYTES_MAX >= 3 * ACCOUNT_NAME_BYTES_MAX + 2 * 3 * ISSUER_BYTES_MAX + 256,
               "the longest URI must fit");

static int check_words(struct command_context *context, struct str issuer, struct str name)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));

    if (change_text_check(issuer, ISSUER_BYTES_MAX, &error) != RC_OK)
        return command_refuse(context, "--issuer: %.*s", STR_ARGS(buffer_str(&error)));
    /* A colon parts issuer and name in the URI. */
    if (issuer.len == 0 || str_index_of(issuer, ':') < issuer.len)
        return command_refuse(context, "--issuer: it may not be empty or hold a colon");
    if (change_text_check(name, FACTOR_NAME_BYTES_MAX, &error) != RC_OK)
        return command_refuse(context, "--device-name: %.*s", STR_ARGS(buffer_str(&error)));
    return STATUS_DONE;
}

/* As the pages do: whoever is signed in has to sign in anew, with the factors of now (SE-06). */
static enum rc end_sessions(struct command_context *context, const struct account *account)
{
    static const unsigned char nowhere[16];
    const struct browser browser = { .address = nowhere, .now = clock_now_s() };

    return profile_end_sessions(
        context->store, &browser, account->id, 0,
        change_detail(context, "all sessions, by a change of the second factors,"));
}

/* The secret, alone on a line of standard output, is shown this once. */
static int enrol(struct command_context *context, const struct options *options,
                 const struct account *account)
{
    struct str issuer = change_option(options, "issuer", STR("Jeton"));
    struct str name = change_option(options, "device-name", STR("authenticator"));
    char bytes[FACTOR_URI_BYTES_MAX];
    struct buffer uri = buffer_over(bytes, sizeof(bytes));
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct act_note note;
    int status;
    enum rc rc;

    status = check_words(context, issuer, name);
    if (status != STATUS_DONE)
        return status;
    rc = change_note(context, account, "authenticator enrolled", NEWS_FACTOR_ADDED, name, &letter,
                     &note);
    if (rc == RC_OK)
        rc = factor_enrol_totp(context->factor_keys, context->store, account, issuer, name, &note,
                               &uri);
    if (rc == RC_OK)
        rc = end_sessions(context, account);
    if (rc == RC_EXISTS)
        return command_refuse(context, "'%s' has %d authenticators already; --remove removes all",
                              options->arguments[0], FACTOR_COUNT_MAX);
    if (rc != RC_OK)
        return command_fault(context, rc);
    ASSERT(!uri.overflow);
    sink_str(context->out, buffer_str(&uri));
    sink_text(context->out, "\n");
    explicit_bzero(bytes, sizeof(bytes));
    command_note(context,
                 "enrolled; it is shown this once, and every sign-in of '%s' asks for a "
                 "code from now on",
                 options->arguments[0]);
    return STATUS_DONE;
}

static int make_codes(struct command_context *context, const struct options *options,
                      const struct account *account)
{
    char bytes[CODES_BYTES_MAX];
    struct buffer codes = buffer_over(bytes, sizeof(bytes));
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct act_note note;
    enum rc rc;

    if (!account->has_second_factor)
        return command_refuse(context, "'%s' has no second factor; enrol an authenticator first",
                              options->arguments[0]);
    rc = change_note(context, account, "recovery codes made", NEWS_RECOVERY_CODES, STR(""), &letter,
                     &note);
    if (rc == RC_OK)
        rc = factor_make_recovery_codes(context->factor_keys, context->store, account->id, &note,
                                        &codes);
    if (rc != RC_OK)
        return command_fault(context, rc);
    ASSERT(!codes.overflow);
    sink_str(context->out, buffer_str(&codes));
    explicit_bzero(bytes, sizeof(bytes));
    command_note(context,
                 "these are shown this once, and replace all that '%s' had; each is good "
                 "once",
                 options->arguments[0]);
    return STATUS_DONE;
}

static int remove_all(struct command_context *context, const struct options *options,
                      const struct account *account)
{
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct act_note note;
    enum rc rc = change_note(context, account, "second factors removed", NEWS_FACTORS_REMOVED,
                             STR(""), &letter, &note);

    if (rc == RC_OK)
        rc = factor_remove_all(context->store, account->id, &note);
    if (rc == RC_OK)
        rc = end_sessions(context, account);
    if (rc != RC_OK)
        return command_fault(context, rc);
    command_note(context, "'%s' has no second factor and no recovery codes any more",
                 options->arguments[0]);
    return STATUS_DONE;
}

static int run_totp(struct command_context *context, const struct options *options)
{
    bool wants_codes = options_has(options, "recovery-codes");
    bool wants_removal = options_has(options, "remove");
    bool names_device = options_has(options, "issuer") || options_has(options, "device-name");
    struct account account;
    int status;

    if (wants_codes + wants_removal + names_device > 1)
        return command_usage(context, "--recovery-codes, --remove and an enrolment do not go "
                                      "together");
    status = change_find_account(context, options->arguments[0], &account);
    if (status != STATUS_DONE)
        return status;
    if (wants_codes)
        return make_codes(context, options, &account);
    return wants_removal ? remove_all(context, options, &account)
                         : enrol(context, options, &account);
}

static const struct option_spec options_totp[] = {
    { "issuer", "TEXT", "what the authenticator shows beside the name (default: Jeton)", false },
    { "device-name", "TEXT", "a word for the device (default: authenticator)", false },
    { "recovery-codes", NULL, "makes ten new recovery codes instead", false },
    { "remove", NULL, "removes every authenticator, passkey and recovery code instead", false },
    { 0 },
};

const struct command commands_factor[] = {
    { "user", "totp", "NAME", options_totp, "enrols an authenticator as second factor", true, NULL,
      run_totp },
    { 0 },
};
