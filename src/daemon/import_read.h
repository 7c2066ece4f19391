/*
 * daemon/import_read.h: accounts as other servers write them down.
 *
 * Three formats become rows: htpasswd (NAME:HASH lines), LDIF (RFC 2849, content records with uid,
 * cn, mail, userPassword) and the realm export of Keycloak (JSON). Nothing is stored here, and
 * nothing is passed over in silence: every entry becomes a row or a complaint with its line, and
 * what of a row stays behind is named. A hash is rewritten to the form that crypto/password.h
 * checks, where there is one; a TOTP key becomes its bytes.
 */
#ifndef JETON_DAEMON_IMPORT_READ_H
#define JETON_DAEMON_IMPORT_READ_H

#include "account/factor.h"

enum import_format { IMPORT_HTPASSWD, IMPORT_LDIF, IMPORT_KEYCLOAK, IMPORT_FORMAT_COUNT };

enum { IMPORT_NOTE_COUNT_MAX = 8 };

struct import_row {
    size_t number; /* its first line, from 1; of Keycloak, its place among the users */
    struct str name, full_name, email;
    struct str hash; /* as it is to be stored; empty: none */
    bool email_is_known;
    bool is_disabled;
    bool has_other_factor; /* a second factor that stays behind */
    bool has_attributes;   /* what nothing here is like */
    struct factor_secret factors[FACTOR_COUNT_MAX];
    size_t factor_count;
    const char *notes[IMPORT_NOTE_COUNT_MAX]; /* what stays behind, in words */
    size_t note_count;
};

/* What rows are told to. Views live as long as the text and the arena. */
struct import_sink {
    void *context;
    void (*take)(void *context, const struct import_row *row);
    void (*complain)(void *context, size_t number, struct str name, const char *words);
};

/* "htpasswd", "ldif", "keycloak"; RC_INVALID. */
enum rc import_format_parse(struct str text, enum import_format *out_format) MUST_CHECK;

/*
 * Reads all of a text.
 *
 * arena    rows are handed over one by one and given back after each; the text of a row must fit
 */
void import_read(enum import_format format, struct str text, struct arena *arena,
                 const struct import_sink *sink);

#endif
