#include "oauth/authorization.h"
#include "store/authorized.h"

/*
 * What an account allowed a client, remembered. It is believed only of clients whose identity is
 * sure: of those that authenticate, before any token is made of the code (RFC 6749 10.2). Anybody
 * may call themselves the others (RFC 8252 8.6), and what a document says of its client may change
 * with each reading; so there a person always looks (AZ-17).
 */

static bool is_identity_sure(const struct client *client)
{
    return client->type == CLIENT_CONFIDENTIAL && (client->policy & CLIENT_IS_DOCUMENT) == 0;
}

enum rc consent_is_given(struct oauth_call *call, const struct client *client, int64_t account_id,
                         struct str scope, struct str details, bool *out_is_given)
{
    struct consent consent;
    enum rc rc;

    if ((client->policy & CLIENT_IS_TRUSTED) != 0 || !is_identity_sure(client)) {
        *out_is_given = (client->policy & CLIENT_IS_TRUSTED) != 0;
        return RC_OK;
    }
    rc = store_find_consent(call->oauth->store, account_id, client->id, call->arena, &consent);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    *out_is_given = rc == RC_OK && scope_contains(consent.scope, scope) &&
                    details_contain(consent.details, details, call->arena);
    return RC_OK;
}

/* The words of both, each once; the newer ones alone where both are too long together. */
static struct str join_words(struct arena *arena, struct str older, struct str newer)
{
    size_t bytes_max = newer.len + 1 + older.len;
    struct buffer joined = buffer_over(arena_alloc(arena, bytes_max), bytes_max);
    struct str word;

    buffer_append_str(&joined, newer);
    while (str_next_word(&older, &word)) {
        if (str_has_word(newer, word))
            continue;
        if (joined.len > 0)
            buffer_append_byte(&joined, ' ');
        buffer_append_str(&joined, word);
    }
    return joined.len > SCOPE_BYTES_MAX ? newer : buffer_str(&joined);
}

enum rc consent_remember(struct oauth_call *call, const struct client *client, int64_t account_id,
                         struct str scope, struct str details, struct store_unit *unit)
{
    struct consent consent = { 0 };
    enum rc rc =
        store_find_consent(call->oauth->store, account_id, client->id, call->arena, &consent);

    if (rc == RC_NOT_FOUND)
        rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &consent.id);
    if (rc != RC_OK)
        return rc;
    consent.account_id = account_id;
    consent.client_id = client->id;
    consent.scope = join_words(call->arena, consent.scope, scope);
    consent.details = details_join(consent.details, details, call->arena);
    if (consent.details.len > DETAILS_BYTES_MAX)
        consent.details = details;
    consent.at = call->now;
    store_put_consent(unit, &consent);
    return RC_OK;
}
