#include "oauth/authorization.h"
#include "oauth/id_token.h"

/*
 * What has to happen before a code may be issued. The questions are asked in one order, the first
 * that is not settled is the next step; with prompt=none it is a refusal instead (OpenID Connect
 * Core 3.1.2.6), and so is what a sign-in that was asked for did not bring.
 */

static bool asks(const struct authorization_request *request, unsigned prompts)
{
    return (request->prompt & prompts) != 0;
}

/* The sign-in that this request asked for has taken place. */
static bool has_answered(const struct authorization_person *person)
{
    return person->asked_at != 0 && person->session->proved_at >= person->asked_at;
}

static enum rc refuse_silent(struct oauth_call *call, enum oauth_error error)
{
    return oauth_refuse(call, error, "prompt is none, and the person would have to be asked", NULL);
}

/* Where a step is due: that, or what prompt=none makes of it. */
static enum rc step_or(struct oauth_call *call, const struct authorization_request *request,
                       enum oauth_error error, enum authorization_step step,
                       enum authorization_step *out_step)
{
    if (asks(request, PROMPT_NONE))
        return refuse_silent(call, error);
    *out_step = step;
    return RC_OK;
}

/* ---- who is there ---------------------------------------------------------------------------- */

static bool is_hinted(struct oauth_call *call, const struct authorization_request *request,
                      const struct account *account)
{
    return request->hinted_subject.len == 0 ||
           subject_is(call, &request->client->client, &request->metadata, account->id,
                      request->hinted_subject);
}

static enum rc settle_person(struct oauth_call *call, const struct authorization_request *request,
                             const struct authorization_person *person,
                             enum authorization_step *out_step)
{
    if (person->account == NULL)
        return step_or(call, request, OAUTH_LOGIN_REQUIRED, STEP_SIGN_IN, out_step);
    if (!is_hinted(call, request, person->account)) {
        if (has_answered(person)) /* OpenID Connect Core 3.1.2.2 */
            return oauth_refuse(call, OAUTH_LOGIN_REQUIRED, "somebody else has signed in", NULL);
        return step_or(call, request, OAUTH_LOGIN_REQUIRED, STEP_SIGN_IN, out_step);
    }
    if (asks(request, PROMPT_SELECT_ACCOUNT | PROMPT_CREATE) && person->asked_at == 0)
        *out_step = STEP_SIGN_IN;
    return RC_OK;
}

/* ---- how, and when --------------------------------------------------------------------------- */

static bool is_too_old(const struct oauth_call *call, const struct authorization_request *request,
                       const struct authorization_person *person)
{
    int64_t age_s = call->now - person->session->proved_at;

    if (has_answered(person))
        return false;
    /* OpenID Connect Core 3.1.2.1: 0 is the same as prompt=login. */
    return asks(request, PROMPT_LOGIN) || request->max_age_s == 0 ||
           (request->max_age_s > 0 && age_s > request->max_age_s);
}

static bool reaches_any(const struct authorization_request *request, struct str acr)
{
    struct str rest = request->acr_values;
    struct str wanted;

    if (rest.len == 0)
        return true;
    while (str_next_word(&rest, &wanted))
        if (acr_reaches(acr, wanted))
            return true;
    return false;
}

/* Whether the person has what a class that was asked for takes: a second factor is a code or a
 * passkey. */
static enum rc could_reach(struct oauth_call *call, const struct authorization_request *request,
                           const struct account *account, bool *out_could)
{
    struct factor factors[FACTOR_COUNT_MAX];
    unsigned methods = METHOD_PASSWORD;
    size_t count = 0;
    enum rc rc = RC_OK;

    if (account->has_second_factor)
        rc = store_list_factors(call->oauth->store, account->id, call->arena, factors, &count);
    for (size_t i = 0; rc == RC_OK && i < count; i++)
        methods |= factors[i].kind == FACTOR_PASSKEY ? METHOD_PASSKEY : METHOD_CODE;
    *out_could = reaches_any(request, acr_of(methods));
    return rc;
}

/*
 * RFC 9470 5: a class that was asked for is what the person is asked to prove, where they can. What
 * cannot be had is refused where it is essential (OpenID Connect Core 5.5.1.1), else it is done
 * without.
 */
static enum rc settle_acr(struct oauth_call *call, const struct authorization_request *request,
                          const struct authorization_person *person,
                          enum authorization_step *out_step)
{
    bool may_ask = !asks(request, PROMPT_NONE) && !has_answered(person);
    enum rc rc = RC_OK;

    if (reaches_any(request, acr_of(person->session->methods)))
        return RC_OK;
    if (may_ask)
        rc = could_reach(call, request, person->account, &may_ask);
    if (rc != RC_OK)
        return rc;
    if (may_ask) {
        *out_step = STEP_STEP_UP;
        return RC_OK;
    }
    return request->is_acr_essential
               ? oauth_refuse(call, OAUTH_UNMET_AUTHENTICATION,
                              "the person cannot be authenticated in the way that is asked for",
                              NULL)
               : RC_OK;
}

static enum rc settle_consent(struct oauth_call *call, const struct authorization_request *request,
                              const struct authorization_person *person,
                              enum authorization_step *out_step)
{
    bool is_given = false;
    enum rc rc = RC_OK;

    if (!asks(request, PROMPT_CONSENT))
        rc = consent_is_given(call, &request->client->client, person->account->id,
                              request->consent_scope, request->details, &is_given);
    if (rc != RC_OK || is_given)
        return rc;
    return step_or(call, request, OAUTH_CONSENT_REQUIRED, STEP_CONSENT, out_step);
}

enum rc authorization_next(struct oauth_call *call, const struct authorization_request *request,
                           const struct authorization_person *person,
                           enum authorization_step *out_step)
{
    enum authorization_step step = STEP_NONE;
    enum rc rc = settle_person(call, request, person, &step);

    if (rc == RC_OK && step == STEP_NONE && is_too_old(call, request, person))
        rc = step_or(call, request, OAUTH_LOGIN_REQUIRED, STEP_SIGN_IN_AGAIN, &step);
    if (rc == RC_OK && step == STEP_NONE)
        rc = settle_acr(call, request, person, &step);
    if (rc == RC_OK && step == STEP_NONE)
        rc = settle_consent(call, request, person, &step);
    if (rc == RC_OK)
        *out_step = step;
    return rc;
}
