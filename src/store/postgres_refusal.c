#include <stdio.h>

#include "store/postgres.h"

enum { SQLSTATE_BYTES = 5 };

/* What was said when no connection came about: whether it gets better by itself, and what to do. */
struct refusal_row {
    const char *sign; /* the beginning of an SQLSTATE, or words of libpq */
    enum rc rc;
    const char *advice;
};

static const struct refusal_row by_sqlstate[] = {
    { "08P01", RC_INVALID, "a pooler takes no options: leave them out of the URL" },
    { "28P01", RC_INVALID, "see --database-password-file" },
    { "28", RC_INVALID, "see which roles its pg_hba.conf lets in, and from where" },
    { "3D000", RC_INVALID, "docs/postgresql.md says how it is made" },
    { "42501", RC_INVALID, "docs/postgresql.md says which rights the role needs" },
    { "53300", RC_UNAVAILABLE, "see --database-connections, and its max_connections" },
    { "57P03", RC_UNAVAILABLE, "it is on its way up, or down" },
};

static const struct refusal_row by_words[] = {
    { "no password supplied", RC_INVALID, "see --database-password-file" },
    { "certificate", RC_INVALID, "see sslmode and sslrootcert in the URL" },
    { "does not support SSL", RC_INVALID, "see sslmode in the URL, and ssl in its configuration" },
    { "channel binding", RC_INVALID, "see channel_binding in the URL" },
    { "private key file", RC_INVALID, "see sslkey in the URL" },
    { "invalid ", RC_INVALID, "see the options in the URL" },
    { "session is read-only", RC_UNAVAILABLE, "none of its hosts takes writes" },
};

static const struct refusal_row anything = { "", RC_UNAVAILABLE,
                                             "see that it runs and can be reached from here" };

/* One attempt may follow the other (with TLS and without, address by address): the last one. */
static struct str last_attempt(const char *text)
{
    static const char beginning[] = "connection to server";
    const char *last = text;
    const char *found;

    for (found = strstr(text, beginning); found != NULL; found = strstr(found + 1, beginning))
        last = found;
    return str_trim((struct str){ last, strcspn(last, "\n") });
}

/* "FATAL:  28P01: password authentication failed": the place of the code; words.len without. */
static size_t find_sqlstate(struct str words)
{
    static const char before[] = ":  ";
    size_t at;
    size_t index;

    for (at = 0; at + strlen(before) + SQLSTATE_BYTES + 2 < words.len; at++) {
        const char *code = words.at + at + strlen(before);

        if (strncmp(words.at + at, before, strlen(before)) != 0)
            continue;
        for (index = 0; index < SQLSTATE_BYTES; index++) {
            if ((code[index] < '0' || code[index] > '9') &&
                (code[index] < 'A' || code[index] > 'Z'))
                break;
        }
        if (index == SQLSTATE_BYTES && code[SQLSTATE_BYTES] == ':')
            return at + strlen(before);
    }
    return words.len;
}

static const struct refusal_row *judge(struct str words, size_t code_at, const char *text)
{
    size_t index;

    for (index = 0; index < sizeof(by_sqlstate) / sizeof(by_sqlstate[0]); index++) {
        if (str_starts_with(str_from(words, code_at), str_of(by_sqlstate[index].sign)))
            return &by_sqlstate[index];
    }
    for (index = 0; code_at == words.len && index < sizeof(by_words) / sizeof(by_words[0]);
         index++) {
        if (strstr(text, by_words[index].sign) != NULL)
            return &by_words[index];
    }
    return &anything;
}

enum rc postgres_report_refusal(struct driver_session *session, struct buffer *out_error)
{
    const char *text = session->is_late        ? "it did not answer in time"
                       : session->conn == NULL ? "no memory"
                                               : PQerrorMessage(session->conn);
    struct str words = last_attempt(text);
    size_t code_at = find_sqlstate(words);
    size_t code_bytes = code_at < words.len ? SQLSTATE_BYTES + 2 : 0;
    const struct refusal_row *row = judge(words, code_at, words.at);

    snprintf(session->error, sizeof(session->error), "%.*s%.*s", (int)code_at, words.at,
             STR_ARGS(str_from(words, code_at + code_bytes)));
    buffer_append_format(out_error, "%s; %s", session->error, row->advice);
    return row->rc;
}
