/*
 * daemon/entrance.h: where a server can be reached, as its settings have it: listeners, whose
 * proxies are believed, the address to tell people, and the issuer.
 */
#ifndef JETON_DAEMON_ENTRANCE_H
#define JETON_DAEMON_ENTRANCE_H

#include "daemon/settings.h"
#include "http/http.h"

enum { ENTRANCE_COUNT_MAX = 3 * SETTINGS_LIST_COUNT_MAX + 1, ENTRANCE_TEXT_BYTES = 512 };

struct entrance {
    struct http_listener listeners[ENTRANCE_COUNT_MAX];
    char inherited[ENTRANCE_COUNT_MAX][16]; /* "fd:3" */
    size_t listener_count;
    struct http_network proxies[SETTINGS_LIST_COUNT_MAX];
    char address[ENTRANCE_TEXT_BYTES]; /* "http://127.0.0.1:8080" */
    char issuer[ENTRANCE_TEXT_BYTES];
};

/*
 * Reads the settings into the server's part of a configuration, which refers to all three.
 *
 * Answers: RC_OK · RC_INVALID with one line in out_error
 */
enum rc entrance_open(const struct settings *settings, const struct outside *outside,
                      struct entrance *out_entrance, struct http_config *out_config,
                      struct buffer *out_error) MUST_CHECK;

/* What the server says of a listener or file, with its place in the settings. */
void entrance_blame(const struct entrance *entrance, const struct settings *settings,
                    struct str words, struct buffer *out_error);

/*
 * Fills in address and issuer.
 *
 * port   what the first listener has got; 0: it has none
 *
 * Answers: RC_OK · RC_INVALID with one line in out_error
 */
enum rc entrance_name(const struct settings *settings, unsigned port, struct entrance *entrance,
                      struct buffer *out_error) MUST_CHECK;

/* The same before anything listens: a port that the kernel chooses is not known yet. */
enum rc entrance_check_name(const struct settings *settings, struct entrance *entrance,
                            struct buffer *out_error) MUST_CHECK;

/* Logs listeners by which tokens travel a network in clear. */
void entrance_warn(const struct entrance *entrance, const struct settings *settings);

/* When the database's password stands where everybody can read it. */
void entrance_warn_of_password(const struct settings *settings);

#endif
