#include "web/consent_lists.h"

#include "oauth/scope.h"

/* What a scope word is to people; none: the word itself is shown. */
static struct page_words words_of(struct str word)
{
    static const struct str service_prefix = { SCOPE_SERVICE_PREFIX,
                                               sizeof(SCOPE_SERVICE_PREFIX) - 1 };
    static const struct {
        const char *word;
        enum page_text text;
    } known[] = { { "openid", PAGE_TEXT_SCOPE_OPENID },
                  { "profile", PAGE_TEXT_SCOPE_PROFILE },
                  { "email", PAGE_TEXT_SCOPE_EMAIL },
                  { "offline_access", PAGE_TEXT_SCOPE_OFFLINE_ACCESS } };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_equal(word, str_of(known[i].word)))
            return page_say(known[i].text);
    if (str_starts_with(word, service_prefix))
        return (struct page_words){ .text = PAGE_TEXT_SCOPE_SERVICE,
                                    .value = str_from(word, service_prefix.len) };
    return page_say(PAGE_TEXT_NONE);
}

static enum rc list_scopes(struct page_call *page, struct str scope, struct consent_lists *lists)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct str word;

    while (lists->scope_count < CONSENT_SCOPE_COUNT_MAX && str_next_word(&scope, &word)) {
        struct consent_scope *row = &lists->scopes[lists->scope_count++];
        enum rc rc;

        *row = (struct consent_scope){ .word = word, .what = words_of(word) };
        rc = scope_name_owner(oauth, word, &row->service);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static void list_links(const struct client_metadata *metadata, struct consent_lists *lists)
{
    const struct str links[CONSENT_LINK_COUNT_MAX] = { metadata->client_uri, metadata->policy_uri,
                                                       metadata->tos_uri };

    for (size_t i = 0; i < CONSENT_LINK_COUNT_MAX; i++)
        if (links[i].len > 0)
            lists->links[lists->link_count++] = links[i];
}

enum rc consent_lists_make(struct page_call *page, const struct client_metadata *metadata,
                           struct str scope, struct str details,
                           const struct consent_lists **out_lists)
{
    struct consent_lists *lists = arena_alloc(page->call->exchange->arena, sizeof(*lists));
    enum rc rc = list_scopes(page, scope, lists);

    if (rc != RC_OK)
        return rc;
    lists->detail_count = details_list(details, page->call->exchange->arena, lists->details);
    list_links(metadata, lists);
    *out_lists = lists;
    return RC_OK;
}

bool consent_is_unsure(const struct client *client)
{
    return (client->policy & (CLIENT_IS_REGISTERED | CLIENT_IS_DOCUMENT)) != 0;
}

struct str consent_name_of(const struct client *client)
{
    return client->name.len > 0 ? client->name : client->client_id;
}
