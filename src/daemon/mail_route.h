/*
 * daemon/mail_route.h: which way mail goes, as the settings say it; and one message by that way.
 */
#ifndef JETON_DAEMON_MAIL_ROUTE_H
#define JETON_DAEMON_MAIL_ROUTE_H

#include "fetch/helper.h"
#include "mail/outbox.h"

/* The settings of these names, each with a NUL behind it; empty and at NULL: not said. */
struct mail_settings {
    struct str smtp_url; /* not said: no mail is sent */
    struct str smtp_password_file;
    struct str smtp_ca_file;
    struct str mail_from;
};

enum { MAIL_HOST_BYTES = 300 };

/* The settings, understood. Points into them. */
struct mail_route {
    struct mail_sender sender;
    struct helper_config helper; /* its greeting is `host` */
    int stop_fd; /* readable when nobody has time any more; -1 after mail_route_init */
    char host[MAIL_HOST_BYTES]; /* of the issuer: a name, or an address literal */
};

/* RC_OK, or RC_INVALID: an error that begins with the name of the setting. */
enum rc mail_settings_check(const struct mail_settings *settings,
                            struct buffer *out_error) MUST_CHECK;

/*
 * Settings that were checked and have a smtp_url, as a route. The route must not be moved.
 *
 * issuer   whose host we greet with and name messages after
 */
void mail_route_init(const struct mail_settings *settings, struct str issuer,
                     struct mail_route *out_route);

/* Writes the message and sends it, by a helper that stands open. The memory is wiped. */
void mail_route_send(const struct mail_route *route, struct helper *helper,
                     const struct mail_message *message, struct helper_answer *out_answer);

/* Sends that message by a helper of its own. RC_INVALID: no helper. */
enum rc mail_route_test(const struct mail_route *route, struct str recipient,
                        struct helper_answer *out_answer, struct buffer *out_error) MUST_CHECK;

#endif
