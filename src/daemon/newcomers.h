/*
 * daemon/newcomers.h: the settings for clients that no operator makes (oauth/admission.h).
 */
#ifndef JETON_DAEMON_NEWCOMERS_H
#define JETON_DAEMON_NEWCOMERS_H

#include "dialect/dialect.h"
#include "oauth/admission.h"

enum { NEWCOMERS_LIST_BYTES_MAX = 16 * 256 };

/* As jeton.yaml(5) has them. */
struct newcomers_settings {
    unsigned registration;         /* enum registration_mode: client-registration */
    int64_t count_max;             /* client-registration-max                     */
    struct dialect_texts services; /* client-registration-service                 */
    bool takes_documents;          /* client-id-documents                         */
    struct dialect_texts hosts;    /* client-document-host                        */
};

struct newcomers {
    struct client_admission admission;
    char services[NEWCOMERS_LIST_BYTES_MAX];
    char hosts[NEWCOMERS_LIST_BYTES_MAX];
};

/* RC_INVALID with a line that begins with a setting's name. */
enum rc newcomers_settings_check(const struct newcomers_settings *settings,
                                 struct buffer *out_error) MUST_CHECK;

/* Of settings that were checked. The admission refers to the other members. */
void newcomers_init(const struct newcomers_settings *settings, struct newcomers *out_newcomers);

#endif
