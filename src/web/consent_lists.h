/*
 * web/consent_lists.h: what a person is asked to allow a client, as the pages show it that ask
 * (pages/_consent_lists.html). For the web room alone.
 */
#ifndef JETON_WEB_CONSENT_LISTS_H
#define JETON_WEB_CONSENT_LISTS_H

#include "oauth/client_metadata.h"
#include "oauth/details.h"
#include "web/page_call.h"

enum {
    CONSENT_LINK_COUNT_MAX = 3,
    CONSENT_SCOPE_COUNT_MAX = SCOPE_WORD_COUNT_MAX + 2 /* profile and email, by claims */
};

struct consent_scope {
    struct str word;
    struct page_words what; /* what it is to people; none: the word itself is shown */
    struct str service;     /* whose it is; empty: nobody's */
};

struct consent_lists {
    struct consent_scope scopes[CONSENT_SCOPE_COUNT_MAX];
    size_t scope_count;
    struct detail details[DETAILS_COUNT_MAX]; /* RFC 9396 2 */
    size_t detail_count;
    struct str links[CONSENT_LINK_COUNT_MAX]; /* client_uri, policy_uri, tos_uri */
    size_t link_count;
};

/* RC_OK or a fault. In the arena. */
enum rc consent_lists_make(struct page_call *page, const struct client_metadata *metadata,
                           struct str scope, struct str details,
                           const struct consent_lists **out_lists) MUST_CHECK;

/* A client whose name nobody but itself has vouched for. */
bool consent_is_unsure(const struct client *client);

/* What a client is called. */
struct str consent_name_of(const struct client *client);

/* Fills the fields of pages/_consent_lists.html in the values of a page: each page has structs of
 * its own for them, all of one form. */
#define CONSENT_LISTS_SHOW(page_name, arena, lists, values)                                        \
    do {                                                                                           \
        struct page_##page_name##_scopes *scope_rows =                                             \
            arena_alloc(arena, CONSENT_SCOPE_COUNT_MAX * sizeof(*scope_rows));                     \
        struct page_##page_name##_details *detail_rows =                                           \
            arena_alloc(arena, DETAILS_COUNT_MAX * sizeof(*detail_rows));                          \
        struct page_##page_name##_client_links *link_rows =                                        \
            arena_alloc(arena, CONSENT_LINK_COUNT_MAX * sizeof(*link_rows));                       \
                                                                                                   \
        for (size_t i = 0; i < (lists)->scope_count; i++)                                          \
            scope_rows[i] =                                                                        \
                (struct page_##page_name##_scopes){ .word = (lists)->scopes[i].word,               \
                                                    .what = (lists)->scopes[i].what,               \
                                                    .service = (lists)->scopes[i].service };       \
        for (size_t i = 0; i < (lists)->detail_count; i++)                                         \
            detail_rows[i] =                                                                       \
                (struct page_##page_name##_details){ .type = (lists)->details[i].type,             \
                                                     .text = (lists)->details[i].json };           \
        for (size_t i = 0; i < (lists)->link_count; i++)                                           \
            link_rows[i].uri = (lists)->links[i];                                                  \
        (values)->scopes = scope_rows;                                                             \
        (values)->scopes_count = (lists)->scope_count;                                             \
        (values)->details = detail_rows;                                                           \
        (values)->details_count = (lists)->detail_count;                                           \
        (values)->client_links = link_rows;                                                        \
        (values)->client_links_count = (lists)->link_count;                                        \
    } while (0)

#endif
