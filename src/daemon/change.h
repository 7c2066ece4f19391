/*
 * daemon/change.h: what the commands share: audit events, ending grants, secrets, and the checks of
 * the words that an operator gives.
 */
#ifndef JETON_DAEMON_CHANGE_H
#define JETON_DAEMON_CHANGE_H

#include "account/admin.h"
#include "daemon/command.h"

/* Who gave the command, for account/admin.h. In the context's arena. */
struct admin change_admin(struct command_context *context);

/* "added by uid 0", in the context's arena: what an audit event says of an act of an operator. */
struct str change_detail(struct command_context *context, const char *act);

/* Adds an audit event of now. A service's id stands where a client's does. */
void change_event(struct command_context *context, struct store_unit *unit, enum event_kind kind,
                  int64_t account_id, int64_t client_id, const char *act);

/* The account of that name, in the context's arena. An exit status; the line has been written. */
int change_find_account(struct command_context *context, const char *name,
                        struct account *out_account);

/* What a commit answered: on a fault or an answer writes the line. An exit status. */
int change_answer(struct command_context *context, enum rc rc);

/* Commits; the same. */
int change_commit(struct command_context *context, struct store_unit *unit);

/*
 * Ends every living grant of an account, of a client (0: any), or of a service, a few in each unit
 * (RT-10). Call it when the change that forbids new ones is committed.
 *
 * out_count    grants that were ended
 */
enum rc change_end_grants(struct command_context *context, int64_t account_id, int64_t client_id,
                          size_t *out_count) MUST_CHECK;
enum rc change_end_grants_of_service(struct command_context *context, struct str service_id,
                                     size_t *out_count) MUST_CHECK;

/* Forgets the failed authentications of a client or service. */
void change_forgive(struct command_context *context, struct str id, struct store_unit *unit);

/* A fresh secret: 256 random bits as 43 characters of base64url. */
void change_make_secret(struct secret *out_secret);

/*
 * The stored form of a secret: of the chosen one in context->input, or else of a made one.
 *
 * out_hash     the stored form, in the context's arena
 * out_made     the made secret, to be shown once; empty when one was chosen
 *
 * An exit status; the line has been written.
 */
int change_secret(struct command_context *context, bool is_chosen, struct str *out_hash,
                  struct secret *out_made);

/*
 * A scope from an operator's words (RFC 6749 3.3), single spaces, in the arena: no word twice, at
 * most SCOPE_WORD_COUNT_MAX. RC_INVALID with the reason.
 */
enum rc change_scope_parse(struct str text, struct arena *arena, struct str *out_scope,
                           struct buffer *out_error) MUST_CHECK;

/* A client_id or service id: 1 to 255 visible ASCII characters without '"', '\\' and ','; without
 * ':' where may_hold_colon is false. RC_INVALID with the reason. */
enum rc change_id_check(struct str id, bool may_hold_colon, struct buffer *out_error) MUST_CHECK;

/* A text for people: UTF-8, no control characters, at most bytes_max. */
enum rc change_text_check(struct str text, size_t bytes_max, struct buffer *out_error) MUST_CHECK;

/* The text of an option, or the fallback. */
struct str change_option(const struct options *options, const char *name, struct str fallback);

#endif
