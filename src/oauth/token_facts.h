/*
 * oauth/token_facts.h: any token and all that it rests on, for operators and administrators: looked
 * up, searched, revoked.
 *
 * Whoever asks may see everybody's tokens; that is the caller's to see to. A value only ever leads
 * to its row, and is kept nowhere.
 */
#ifndef JETON_OAUTH_TOKEN_FACTS_H
#define JETON_OAUTH_TOKEN_FACTS_H

#include "account/admin.h"
#include "oauth/oauth.h"

enum { TOKEN_SEARCH_BYTES_MAX = 255 };

struct token_facts {
    struct token row;
    bool has_grant; /* else it has left the store, and what follows is empty */
    struct grant grant;
    struct account account;     /* id 0: the client itself, or gone */
    struct client client;       /* id 0: gone */
    struct permanent permanent; /* id 0: it is none */
};

enum token_facts_state {
    TOKEN_FACTS_LIVING,
    TOKEN_FACTS_SPENT, /* a refresh token that was rotated */
    TOKEN_FACTS_EXPIRED,
    TOKEN_FACTS_ENDED, /* its grant was */
    TOKEN_FACTS_REVOKED
};

enum token_facts_state token_facts_state_of(const struct token_facts *facts, int64_t now);

/* Reads what a row rests on. RC_OK also where parts are gone.  Faults: the store's */
enum rc token_facts_read(struct store *store, const struct token *row, struct arena *arena,
                         struct token_facts *out_facts) MUST_CHECK;

/* The same, with the last use as memory knows it. */
enum rc token_facts_complete(struct oauth_call *call, const struct token *row, struct arena *arena,
                             struct token_facts *out_facts) MUST_CHECK;

/*
 * Revokes one. A refresh token stands for its family, as at the revocation endpoint (RFC 7009 2.1):
 * to revoke it is to end the grant, and so it is with a permanent token. Again is fine.
 */
enum rc token_facts_revoke(struct store *store, const struct admin *admin,
                           const struct token_facts *facts) MUST_CHECK;

/* The row that a value of any kind and state leads to; RC_NOT_FOUND. */
enum rc token_facts_find_row(struct token_room *room, struct str value,
                             struct token *out_row) MUST_CHECK;

/* One by the id that people see (its jti), or the command line's number; RC_NOT_FOUND. */
enum rc token_facts_find(struct oauth_call *call, struct str id, struct arena *arena,
                         struct token_facts *out_facts) MUST_CHECK;

/* Where a page of tokens is: below a token, or above it. */
struct token_place {
    int64_t id; /* INT64_MAX with !is_above: the first page */
    bool is_above;
};

/*
 * Searches all tokens; a page has those next to its place, the highest id first.
 *
 * text         empty: all. Else what stands somewhere in the name of a permanent token, the owner's
 *              name, the client's id or the words of scope and audience, without regard to case of
 *              letters; at most TOKEN_SEARCH_BYTES_MAX
 * arena        for the rows' texts: TOKEN_FACTS_ROW_BYTES_MAX for each and one more
 * out_next_id  the place of the next page in the same direction; 0: this was the last. A page may
 *              have few rows and yet not be the last: one looks at a bounded number of tokens
 */
enum rc token_facts_search(struct oauth_call *call, struct str text, struct token_place place,
                           struct arena *arena, struct token_facts *out_rows, size_t max,
                           size_t *out_count, int64_t *out_next_id) MUST_CHECK;

/* The texts of grant, account, client and permanent token at their longest. */
enum {
    TOKEN_FACTS_ROW_BYTES_MAX = CLIENT_TEXTS_BYTES_MAX + 3 * SCOPE_BYTES_MAX +
                                SCOPE_WORD_COUNT_MAX * (SERVICE_ID_BYTES_MAX + 1) + 8 * 1024
};

#endif
