/*
 * daemon/change.h: what the commands share: audit events, ending grants, secrets, and the words
 * that an operator gives.
 */
#ifndef JETON_DAEMON_CHANGE_H
#define JETON_DAEMON_CHANGE_H

#include "account/admin.h"
#include "codec/json.h"
#include "daemon/command.h"
#include "oauth/registry_admin.h"

/* Who gave the command, for account/admin.h. In the context's arena. */
struct admin change_admin(struct command_context *context);

/* "added by uid 0", in the context's arena: what an audit event says of an act of an operator. */
struct str change_detail(struct command_context *context, const char *act);

/*
 * What an operator's act on an account leaves behind: its event and, where this server sends mail
 * and the account has an address that is known to be its owner's, a mail to them.
 *
 * factor       NEWS_FACTOR_…: its name
 * out_letter   zeroed; deinitialized after the act
 */
enum rc change_note(struct command_context *context, const struct account *account, const char *act,
                    enum letter_news news, struct str factor, struct letter *out_letter,
                    struct act_note *out_note) MUST_CHECK;

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

/* Where and by whom services and clients are changed (oauth/registry_admin.h). */
struct registry_desk change_desk(struct command_context *context, const struct admin *admin);

/* Writes the line for the first fault. STATUS_REFUSED */
int change_refuse_faults(struct command_context *context, const struct registry_faults *faults);

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

/* A text for people: UTF-8, no control characters, at most bytes_max. */
enum rc change_text_check(struct str text, size_t bytes_max, struct buffer *out_error) MUST_CHECK;

/* An address as operators give it, or none. */
enum rc change_email_check(struct str email, struct buffer *out_error) MUST_CHECK;

/* "90", "90s", "15m", "1h" or "7d", at most most_s. RC_INVALID with the reason. */
enum rc change_duration_parse(struct str text, int64_t most_s, int64_t *out_s,
                              struct buffer *out_error) MUST_CHECK;

/* The values of a repeated option with a separator between them, in the arena; an empty one, and
 * one with the separator in it, is refused. An exit status. */
int change_option_list(struct command_context *context, const struct options *options,
                       const char *name, char separator, struct str *out_list);

/* Which configuration file owns the noun; empty: none. */
struct str change_owner(struct command_context *context, enum managed_kind kind, int64_t noun_id);

/* The member "managed_by" of a noun that a file owns. */
void change_write_owner(struct command_context *context, enum managed_kind kind, int64_t noun_id,
                        struct json_out *json);

/* The text of an option, or the fallback. */
struct str change_option(const struct options *options, const char *name, struct str fallback);

#endif
