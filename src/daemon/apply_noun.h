/*
 * daemon/apply_noun.h: one service, client or account of a configuration file: what the file says
 * it is to be, and how that is shown.
 *
 * Members have the names of the options of `service add`, `client add` and `user add`; a client's
 * may have those of RFC 7591 and its extensions as well. What a file does not name has its
 * default, whatever it was before: the file says all of it. But for two: a secret that is not named
 * stays as it is, and so does `disabled` of what the file owns already, so that what was disabled
 * in need is not enabled by the next run. For daemon/command_apply.c alone.
 */
#ifndef JETON_DAEMON_APPLY_NOUN_H
#define JETON_DAEMON_APPLY_NOUN_H

#include "codec/json.h"
#include "daemon/change.h"
#include "store/managed.h"

enum { APPLY_STATE_BYTES_MAX = 256 * 1024 };

struct apply_noun {
    struct command_context *context;
    struct str file; /* for messages */
    const struct json_value *object;
    const struct json_value *planned; /* services of the same file; NULL: they are there */
    enum managed_kind kind;
    struct str id;
    struct str secret;        /* as the file names it; empty: it names none */
    struct str password_hash; /* of an account, made elsewhere; or empty */
    bool is_owned;            /* by this file, before */
    bool is_bad;              /* something was refused, and told */
};

/* "service", "client", "account". */
struct str apply_kind_format(enum managed_kind kind);

/* One line to err: file, line, noun, member (empty: the whole) and words. */
void apply_noun_refuse(struct apply_noun *noun, struct str member, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads the noun's id. */
void apply_noun_read_id(struct apply_noun *noun);

/*
 * What the noun is to be. Secrets and hashes are those of before; the caller replaces them.
 *
 * before    as it is stored; NULL: it is to be made
 *
 * Answers: RC_OK, and noun->is_bad where the file is not sound.  Faults: the store's
 */
enum rc apply_read_service(struct apply_noun *noun, const struct service *before,
                           struct service *out_service) MUST_CHECK;
enum rc apply_read_client(struct apply_noun *noun, const struct client *before,
                          struct client *out_client) MUST_CHECK;
enum rc apply_read_account(struct apply_noun *noun, const struct account *before,
                           struct account *out_account) MUST_CHECK;

/* A noun as a JSON object of what a file may say of it, in the arena; no secrets. */
struct str apply_show_service(struct arena *arena, const struct service *service);
struct str apply_show_client(struct arena *arena, const struct client *client);
struct str apply_show_account(struct arena *arena, const struct account *account);

#endif
