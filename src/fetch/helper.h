/*
 * fetch/helper.h: the server's end of its helper jeton-fetch: starts it, asks it, ends it.
 *
 * The helper runs only while it is needed: the first request starts it, and one that died is
 * started again, after a pause that doubles from one second to a minute until an answer comes. It
 * gets a socket, standard error, and nothing else: no environment, no other descriptor, no words.
 * A request waits for its answer; a helper that hangs is killed.
 *
 * Threads: one at a time uses a helper. It dies with the launcher (fetch/launcher.h), which dies
 * with the server, so that a server that was killed leaves none behind.
 */
#ifndef JETON_FETCH_HELPER_H
#define JETON_FETCH_HELPER_H

#include "fetch/wire.h"

struct helper;

/* The texts outlive the helper. */
struct helper_config {
    struct str smtp_url;            /* as fetch/smtp_url.h has it                           */
    struct str greeting;            /* our domain, or an address in brackets                */
    const char *smtp_password_file; /* NULL: no sign-in                                     */
    const char *smtp_ca_file;       /* NULL: the system's certificates                      */
    struct str networks;            /* private ones that may be asked, with spaces between  */
    const char *fetch_ca_file;      /* for documents, beside the system's; NULL: none       */
};

/*
 * Looks for the program (beside our own, in its libexec folder, or in the folder of a build) and
 * reads the password file once, so that a start with a wrong one is refused; nothing is started.
 *
 * Answers: RC_OK · RC_INVALID with one line in out_error
 */
enum rc helper_open(const struct helper_config *config, struct helper **out_helper,
                    struct buffer *out_error) MUST_CHECK;

/* Whether that file has a user and a password, as helper_open wants them; the words are the same.
 */
enum rc helper_check_login(const char *path, struct buffer *out_error) MUST_CHECK;

/* Ends it. */
void helper_close(struct helper *helper);

struct helper_mail {
    struct str sender;    /* an address without brackets, checked by the caller */
    struct str recipient; /* the same                                           */
    struct str message;
};

struct helper_answer {
    enum fetch_outcome outcome;
    int64_t code; /* see fetch/wire.h */
    char words[WIRE_WORDS_BYTES_MAX + 1];
    struct str content; /* of a document, in the helper's memory until the next request */
};

/*
 * Sends one message and waits for the outcome, at most FETCH_PATIENCE_MS.
 *
 * stop_fd   readable when we want to go: the answer is waited for HELPER_STOP_MS more. -1: none
 */
void helper_send_mail(struct helper *helper, const struct helper_mail *mail, int stop_fd,
                      struct helper_answer *out_answer);

/*
 * Fetches the document at a URL, or sends a form to one, and waits for the outcome, at most
 * FETCH_DOCUMENT_PATIENCE_MS (fetch/https.h).
 *
 * form   NULL: GET
 */
void helper_fetch(struct helper *helper, struct str url, const struct str *form,
                  struct helper_answer *out_answer);

enum { HELPER_STOP_MS = 5 * 1000 };

#endif
