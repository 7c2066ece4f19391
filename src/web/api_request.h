/*
 * web/api_request.h: what a call of /api/v1/tokens asks for, and what is wrong with it. For this
 * room only.
 *
 * What answers false or RC_REFUSED has written the answer: the handler returns RC_OK.
 */
#ifndef JETON_WEB_API_REQUEST_H
#define JETON_WEB_API_REQUEST_H

#include "codec/json.h"
#include "web/problem.h"

void api_answer_problem(struct web_call *call, int status, struct str error, struct str detail);

/* field: the member that is wrong, or empty; value: the part of it that is, or empty */
void api_answer_field(struct web_call *call, const char *field, struct str value,
                      const char *detail);
void api_answer_fault_of(struct web_call *call, const struct permanent_fault *fault);

/*
 * The body as a JSON object.
 *
 * Answers: RC_OK out_document is the caller's to free · RC_REFUSED.  Faults: RC_SYSTEM
 */
enum rc api_read_object(struct web_call *call, struct json_document **out_document) MUST_CHECK;

/* False when the object has a member that is not one of the words of `names`. */
bool api_has_only(struct web_call *call, const struct json_value *object, struct str names);

/* Views of the document. */
bool api_read_name(struct web_call *call, const struct json_value *object, struct str *out_name);
bool api_read_demand(struct web_call *call, const struct json_value *object,
                     struct permanent_demand *out_demand);

#endif
