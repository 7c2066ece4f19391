/*
 * dialect/threedm.h: what 3DM's endpoints share: a legacy Spring Security OAuth server of version
 * 2.4.0 or older, to the letter of its errors. For this room only.
 */
#ifndef JETON_DIALECT_THREEDM_H
#define JETON_DIALECT_THREEDM_H

#include "codec/form.h"
#include "dialect/dialect.h"
#include "oauth/token_request.h"

/* How a client tried to authenticate; the answer to a failure depends on it. */
enum threedm_attempt { ATTEMPT_NONE, ATTEMPT_BASIC, ATTEMPT_FORM };

/* One request as it was read. In the arena, and in the exchange's note for the refusal's answer. */
struct threedm_request {
    struct form form; /* of the body alone: the query is not read */
    struct client_credentials credentials;
    enum threedm_attempt attempt;
    struct str grant_type;   /* as sent; empty: none */
    struct str client_scope; /* with REASON_SCOPE_UNKNOWN: what the client is registered for */
};

/* A refusal in the framework's words. */
struct threedm_error {
    int status;
    struct str error;
    struct str description;
    struct str extra_name; /* of one more member, or empty */
    struct str extra_text;
};

/* request may be NULL. Texts are static or in the arena. */
struct threedm_error threedm_error_of(const struct refusal *refusal,
                                      const struct threedm_request *request, struct arena *arena);

/* The success response: the framework's members in its order, and then 3DM's own. */
token_answer_writer threedm_token_format;

/* Status, Content-Type and the headers of every answer; the body is the caller's. */
void threedm_answer(struct dialect_call *call, int status);

/* A whole answer {"error":…,"error_description":…}, for what no refusal stands for. */
void threedm_answer_error(struct dialect_call *call, int status, struct str error,
                          struct str description);

/* For struct dialect. */
void threedm_answer_refusal(struct dialect_call *call);

#endif
