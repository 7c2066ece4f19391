/*
 * oauth/permanent.h: permanent tokens: made, named, limited, looked at and revoked by their owners.
 *
 * A permanent token is an access token of the owner under the built-in client public_client, with a
 * grant of its own. It may be for every service that allows passwords without a client (what u-Auth
 * gives to a user), as a whole or for single words of theirs. "X" and "service_id=X" ask for the
 * same.
 *
 * PERMANENT_TOKENS_WORD is a word of the issuer's own: its token may manage its owner's tokens by
 * the API, and is for nothing else, so it stands alone. So do ADMISSION_WORD (oauth/admission.h),
 * SCOPE_ADMIN_WORD and SCOPE_ADMIN_READ_WORD, which only administrators may ask for.
 */
#ifndef JETON_OAUTH_PERMANENT_H
#define JETON_OAUTH_PERMANENT_H

#include "oauth/scope.h"

#define PERMANENT_TOKENS_WORD "jeton:tokens"

enum {
    PERMANENT_NAME_BYTES_MAX = 100,
    PERMANENT_ADDRESSES_BYTES_MAX = 1024,
    PERMANENT_COUNT_MAX = PERMANENT_LIVING_COUNT_MAX, /* living ones of one account */

    /* What the texts of one take from the arena at the most, where many are listed. */
    PERMANENT_TEXT_BYTES_MAX =
        PERMANENT_NAME_BYTES_MAX + SCOPE_BYTES_MAX + PERMANENT_ADDRESSES_BYTES_MAX + 64
};

struct permanent_demand {
    int64_t id; /* of what is made, drawn before (SEQUENCE_NOUN): one form, one token; 0: any */
    struct str name;
    struct str scope;       /* words with spaces between them */
    struct str addresses;   /* networks with spaces or commas between them; empty: any */
    int64_t lifetime_s;     /* 0: never expires */
    struct binding binding; /* what its holder will have to prove, proven to be the owner's now */
};

enum permanent_field { PERMANENT_NAME, PERMANENT_SCOPE, PERMANENT_ADDRESSES, PERMANENT_LIFETIME };

enum permanent_problem {
#define PERMANENT_PROBLEM(name, field, words) PERMANENT_##name,
#include "oauth/permanent.def"
#undef PERMANENT_PROBLEM
    PERMANENT_PROBLEM_COUNT
};

/* What is wrong with a demand. */
struct permanent_fault {
    enum permanent_problem problem;
    struct str value; /* the part of the field that is wrong, in the arena; empty: all of it */
};

/* A word of the issuer's own: its token is for nothing else, and is made in the pages alone. */
bool permanent_is_own_word(struct str word);

/* Which field a problem is about, and a few words for a developer. */
enum permanent_field permanent_problem_field(enum permanent_problem problem);
const char *permanent_problem_words(enum permanent_problem problem);

/* Whether one word may be asked for: for an Add button. RC_OK, or RC_REFUSED with out_fault. */
enum rc permanent_check_word(struct oauth_call *call, struct str word,
                             struct permanent_fault *out_fault) MUST_CHECK;

/* All that an owner may choose from: words with spaces between them, services as "service_id=X". */
enum rc permanent_choices(struct oauth_call *call, struct str *out_words) MUST_CHECK;

/* The id of one that is to be made, for its form. */
enum rc permanent_draw_id(struct oauth_call *call, int64_t *out_id) MUST_CHECK;

/*
 * Makes one.
 *
 * lifetime_s_max   policy; 0: no limit, and "never" is allowed
 * out_value        in the arena: a secret, to be shown once
 *
 * Answers: RC_OK · RC_REFUSED with out_fault · RC_EXISTS demand->id was used.  Faults: the store's
 */
enum rc permanent_create(struct oauth_call *call, const struct account *account,
                         const struct permanent_demand *demand, int64_t lifetime_s_max,
                         struct permanent *out_permanent, struct str *out_value,
                         struct permanent_fault *out_fault) MUST_CHECK;

/*
 * Makes a new value with the same name, scope, addresses, length of life and key; the old one
 * stays good until it is revoked or expires, and says what replaced it. The new one is held to what
 * holds today: a token that lives for longer than the policy now allows, or has a scope that its
 * owner may no longer have, is refused and not silently made less of.
 *
 * Answers: as permanent_create; RC_NOT_FOUND not this account's, or no longer living · RC_SPENT it
 * was replaced already
 */
enum rc permanent_rotate(struct oauth_call *call, const struct account *account, int64_t id,
                         int64_t lifetime_s_max, struct permanent *out_permanent,
                         struct str *out_value, struct permanent_fault *out_fault) MUST_CHECK;

/* What its token is bound to; BINDING_NONE also when that has left the store. */
enum rc permanent_find_binding(struct oauth_call *call, const struct permanent *permanent,
                               struct binding *out_binding) MUST_CHECK;

/* RC_NOT_FOUND when it is not this account's. */
enum rc permanent_find(struct oauth_call *call, int64_t account_id, int64_t id,
                       struct permanent *out_permanent) MUST_CHECK;
/* The same by its token's id, also when the token itself has left the store. */
enum rc permanent_find_by_token(struct oauth_call *call, int64_t account_id, int64_t token_id,
                                struct permanent *out_permanent) MUST_CHECK;
enum rc permanent_rename(struct oauth_call *call, int64_t account_id, int64_t id, struct str name,
                         struct permanent_fault *out_fault) MUST_CHECK;
/* Ends it at once; again is fine. */
enum rc permanent_revoke(struct oauth_call *call, int64_t account_id, int64_t id) MUST_CHECK;

/* Newest first, with id < before_id, the revoked and expired ones too. Their texts take up to
 * PERMANENT_TEXT_BYTES_MAX each. */
enum rc permanent_list(struct oauth_call *call, int64_t account_id, int64_t before_id,
                       struct permanent *out_rows, size_t max, size_t *out_count) MUST_CHECK;
/* The same with id > after_id, those that are next to it; the newest of them first, too. */
enum rc permanent_list_up(struct oauth_call *call, int64_t account_id, int64_t after_id,
                          struct permanent *out_rows, size_t max, size_t *out_count) MUST_CHECK;

/* Memory may know of a later use than the store. */
void permanent_update_last_use(struct token_room *tokens, struct permanent *permanent);

/* ---- between the files of this header -------------------------------------------------------- */

/* A demand that was found right; its texts are in the arena, as they are to be stored. */
struct permanent_plan {
    int64_t id; /* as demanded */
    struct str name;
    struct str addresses;
    struct permission permission; /* its shape lives as long as was demanded */
    struct binding binding;
};

/* Answers: RC_OK · RC_REFUSED with out_fault.  Faults: the store's */
enum rc permanent_read(struct oauth_call *call, const struct permanent_demand *demand,
                       int64_t lifetime_s_max, struct permanent_plan *out_plan,
                       struct permanent_fault *out_fault) MUST_CHECK;

/* The name alone. */
enum rc permanent_read_name(struct oauth_call *call, struct str name, struct str *out_name,
                            struct permanent_fault *out_fault) MUST_CHECK;

/* Sets the fault and answers RC_REFUSED. The value may be empty: all of the field. */
enum rc permanent_refuse(enum permanent_problem problem, struct str value,
                         struct permanent_fault *out_fault) MUST_CHECK;

#endif
