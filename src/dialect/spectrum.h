/*
 * dialect/spectrum.h: what Spectrum's REST and SOAP services share. For this room only.
 *
 * A handler begins with spectrum_begin, which writes the CORS headers, and then either writes an
 * answer of its own with spectrum_answer or refuses; a refusal starts from an empty response, and
 * gets its CORS headers from dialect_spectrum.answer_refusal.
 */
#ifndef JETON_DIALECT_SPECTRUM_H
#define JETON_DIALECT_SPECTRUM_H

#include "dialect/dialect.h"
#include "oauth/token_request.h"

/* xs:int, as the WADL and the WSDL say. */
#define SPECTRUM_TTL_MINUTES_MAX INT32_MAX

/* ---- tokens (spectrum_token.c) ----------------------------------------------------------------
 */

/*
 * Signs the user of the Authorization header (Basic, read raw) in and issues a token.
 *
 * ttl_minutes   0: without an end
 * has_session   tied to a new session and to the client's address
 *
 * Answers: as a handler; RC_REFUSED: no, unusable or wrong credentials, or an endless open token
 * that is not allowed
 */
enum rc spectrum_issue(struct dialect_call *call, int64_t ttl_minutes, bool has_session,
                       struct token_answer *out_answer) MUST_CHECK;

/* Ends the token that the request presents, and with it its session, whose cookie is removed.
 * RC_REFUSED: there is no active one. */
enum rc spectrum_end_presented(struct dialect_call *call) MUST_CHECK;

/*
 * Signs the user of the Authorization header in and issues nothing.
 *
 * Answers: as a handler; RC_REFUSED: no, unusable or wrong credentials
 */
enum rc spectrum_sign_in(struct dialect_call *call, struct account *out_account) MUST_CHECK;

/* What a user of Spectrum may get, and the built-in client in whose name: catalog_client_put when
 * RC_OK. RC_REFUSED: an administrator disabled that client. */
enum rc spectrum_permit(struct dialect_call *call, struct catalog_client **out_client,
                        struct permission *out_permission) MUST_CHECK;

/* ---- answers (spectrum_answer.c) --------------------------------------------------------------
 */

/* Status, Content-Type (empty: none), X-Content-Type-Options and the no-store headers. */
void spectrum_answer(struct dialect_call *call, int status, struct str content_type);

/* An answer of {"message":"…"}, as Spectrum's hosted sibling has them. */
void spectrum_answer_message(struct dialect_call *call, int status, struct str message);

/* Set-Cookie: SESSION, and its removal. */
void spectrum_add_session_cookie(struct dialect_call *call, struct str session_id);
void spectrum_add_session_removal(struct dialect_call *call);

/* The answer of the two token routes: JSON, or XML for whoever prefers just that. */
void spectrum_answer_token(struct dialect_call *call, const struct token_answer *answer);

/* Appends <name>text</name>. */
void spectrum_append_element(struct buffer *xml, const char *name, struct str text);

/* True when the Accept headers list that media type by name with a weight above 0. */
bool spectrum_accepts(const struct http_request *request, struct str media_type);

/* Writes the refusal of a SOAP service as a fault. False: the request is for none, or its status
 * says all there is to say (401, 429): nothing is written. answer_refusal asks it first. */
bool spectrum_soap_refusal(struct dialect_call *call);

/* ---- CORS (spectrum_cors.c) -------------------------------------------------------------------
 */

/*
 * CORS (contracts 1.10): adds the headers of an answer to an allowed origin. True when the request
 * was a preflight: it has been answered.
 */
bool spectrum_cors(struct dialect_call *call);

/* The headers alone, of whatever answer. */
void spectrum_add_cors_headers(struct dialect_call *call);

/* Whether any origin may call. */
bool spectrum_has_cors(const struct dialect_settings *settings);

/* For dialect_settings_check: the origins and the list of headers. */
enum rc spectrum_cors_check(const struct dialect_settings *settings,
                            struct buffer *out_error) MUST_CHECK;

/* Which methods a resource has beside HEAD. */
enum spectrum_methods { SPECTRUM_GET, SPECTRUM_GET_POST };

/* CORS, then the method. True when the request has been answered: a preflight, or 405. */
bool spectrum_begin(struct dialect_call *call, enum spectrum_methods methods);

#endif
