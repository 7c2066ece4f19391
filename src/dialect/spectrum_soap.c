#include "codec/soap.h"
#include "dialect/spectrum.h"
#include "dialect/spectrum_wsdl.h"
#include "oauth/introspection.h"

/*
 * As CXF does on the server: SOAPAction and Content-Type are not looked at, the envelope says what
 * it is. Credentials come first: a 401 is no fault, and who has none learns nothing else.
 */

#define XML_TYPE "text/xml;charset=UTF-8"

/* An envelope with security headers of others has a quarter of this. The parser needs twice its
 * size for texts, and at the most as much for names. */
enum { ENVELOPE_BYTES_MAX = 16 * 1024 };

_Static_assert(4 * ENVELOPE_BYTES_MAX <= (int)HTTP_BODY_BYTES_MAX, "it fits where a form does");

/* What an envelope asks of the token manager. */
struct demand {
    int64_t ttl_minutes;
    bool has_session;
};

/* SOAP 1.1 4.4; 6.2: with status 500, but what passes is said to pass. */
static void answer_fault(struct dialect_call *call, int status, const char *code, struct str words)
{
    struct buffer *xml = &call->exchange->response.body;

    spectrum_answer(call, status, STR(XML_TYPE));
    BUFFER_APPEND_LITERAL(xml, "<soap:Envelope xmlns:soap=\"" SOAP_ENVELOPE_NAMESPACE "\">"
                               "<soap:Body><soap:Fault><faultcode>soap:");
    buffer_append_str(xml, str_of(code));
    BUFFER_APPEND_LITERAL(xml, "</faultcode><faultstring>");
    xml_escape(words, xml);
    BUFFER_APPEND_LITERAL(xml, "</faultstring></soap:Fault></soap:Body></soap:Envelope>");
}

/* ---- what is asked --------------------------------------------------------------------------- */

static bool is_known_namespace(struct str namespace)
{
    for (size_t i = 0; i < NAMESPACE_COUNT; i++)
        if (str_equal(namespace, spectrum_namespaces[i]))
            return true;
    return false;
}

static bool is_open_operation(const struct dialect_settings *settings, struct str name)
{
    for (size_t i = 0; i < settings->spectrum_soap_open.count; i++)
        if (str_equal(name, str_of(settings->spectrum_soap_open.at[i])))
            return true;
    return false;
}

/* xs:int of 0 or more; a sign and zeros in front are allowed (XML Schema 2 3.3.17). */
static const char *read_minutes(const struct str *text, bool is_optional, int64_t *out_minutes)
{
    uint64_t minutes;
    struct str digits;

    if (text == NULL) {
        if (is_optional)
            *out_minutes = 0;
        return is_optional ? NULL : SPECTRUM_LIFE_FIELD " is missing";
    }
    digits = str_from(*text, str_starts_with(*text, STR("+")) ? 1 : 0);
    if (!str_parse_u64(digits, SPECTRUM_TTL_MINUTES_MAX, &minutes))
        return SPECTRUM_LIFE_FIELD " is no whole number from 0 to 2147483647";
    *out_minutes = (int64_t)minutes;
    return NULL;
}

/* Reads the envelope of a service whose operations are in one of the two namespaces. */
static struct soap_fault read_envelope(struct dialect_call *call, struct soap_request *out_request)
{
    struct soap_fault fault = { "Client", NULL };

    if (call->exchange->request.body.len > ENVELOPE_BYTES_MAX)
        fault.words = "the envelope is too long";
    else if (soap_parse(call->exchange->request.body, call->oauth->arena, out_request, &fault) ==
                 RC_OK &&
             !is_known_namespace(out_request->operation_namespace))
        fault.words = "the operation is in no namespace of this service";
    return fault;
}

/* NULL, or the words for a fault. */
static const char *read_operation(const struct dialect_settings *settings,
                                  const struct soap_request *request, struct demand *out_demand)
{
    const struct str *life = soap_find(request, STR(SPECTRUM_LIFE_FIELD));
    const char *fault;

    if (str_equal(request->operation, STR(SPECTRUM_ENDLESS_OPERATION))) {
        *out_demand = (struct demand){ .has_session = true };
        return NULL;
    }
    if (str_equal(request->operation, STR(SPECTRUM_EXPIRING_OPERATION))) {
        out_demand->has_session = settings->spectrum_soap_binding == SOAP_BINDING_SESSION;
        fault = read_minutes(life, false, &out_demand->ttl_minutes);
    } else if (is_open_operation(settings, request->operation)) {
        out_demand->has_session = false;
        fault = read_minutes(life, true, &out_demand->ttl_minutes);
    } else {
        return "there is no such operation";
    }
    if (fault == NULL && !out_demand->has_session && out_demand->ttl_minutes == 0 &&
        !settings->spectrum_endless)
        return "tokens without a session and without an end are not allowed here";
    return fault;
}

static struct soap_fault read_demand(struct dialect_call *call, struct soap_request *out_request,
                                     struct demand *out_demand)
{
    struct soap_fault fault = read_envelope(call, out_request);

    if (fault.words == NULL)
        fault.words = read_operation(call->settings, out_request, out_demand);
    return fault;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* In the request's namespace, with nothing of it on what is inside; NULL answer: nothing inside. */
static void answer_operation(struct dialect_call *call, const struct soap_request *request,
                             const struct token_answer *answer)
{
    struct buffer *xml = &call->exchange->response.body;

    spectrum_answer(call, 200, STR(XML_TYPE));
    BUFFER_APPEND_LITERAL(xml, "<soap:Envelope xmlns:soap=\"" SOAP_ENVELOPE_NAMESPACE "\">"
                               "<soap:Body><ns2:");
    xml_escape(request->operation, xml);
    BUFFER_APPEND_LITERAL(xml, "Response xmlns:ns2=\"");
    xml_escape(request->operation_namespace, xml);
    BUFFER_APPEND_LITERAL(xml, "\">");
    if (answer != NULL) {
        BUFFER_APPEND_LITERAL(xml, "<return>");
        if (answer->session_id.len > 0)
            spectrum_append_element(xml, "session", answer->session_id);
        spectrum_append_element(xml, "token", answer->access_token);
        spectrum_append_element(xml, "username", answer->account->name);
        BUFFER_APPEND_LITERAL(xml, "</return>");
    }
    BUFFER_APPEND_LITERAL(xml, "</ns2:");
    xml_escape(request->operation, xml);
    BUFFER_APPEND_LITERAL(xml, "Response></soap:Body></soap:Envelope>");
}

/* A client reads it before it has credentials. */
static enum rc answer_get(struct dialect_call *call, enum spectrum_service service)
{
    struct str query = call->exchange->request.query;

    if (spectrum_query_has(query, STR("wsdl"), NULL)) {
        spectrum_answer(call, 200, STR(XML_TYPE));
        spectrum_wsdl_format(call, service, query, &call->exchange->response.body);
        return RC_OK;
    }
    spectrum_answer_message(call, 405, STR("POST a SOAP envelope, or ask for ?wsdl"));
    http_add_header(call->exchange, STR("Allow"), STR("POST")); /* RFC 9110 15.5.6 */
    return RC_OK;
}

/* ---- the services ---------------------------------------------------------------------------- */

static enum rc manage(struct dialect_call *call)
{
    struct demand demand = { 0 };
    struct soap_request request;
    struct token_answer answer;
    struct soap_fault fault;
    struct account account;
    enum rc rc;

    /* Without credentials nothing is read; and the envelope once, where they are checked. */
    if (!call->oauth->may_hash) {
        rc = spectrum_sign_in(call, &account);
        if (rc != RC_OK)
            return rc;
    }
    fault = read_demand(call, &request, &demand);
    if (fault.words != NULL) {
        rc = spectrum_sign_in(call, &account);
        if (rc == RC_OK)
            answer_fault(call, 500, fault.code, str_of(fault.words));
        return rc;
    }
    rc = spectrum_issue(call, demand.ttl_minutes, demand.has_session, &answer);
    if (rc != RC_OK)
        return rc;
    if (answer.session_id.len > 0)
        spectrum_add_session_cookie(call, answer.session_id);
    answer_operation(call, &request, &answer);
    return RC_OK;
}

/* Whether the request presents an active token. RC_OK, or RC_REFUSED. */
static enum rc check_presented(struct dialect_call *call)
{
    static const struct bearer_demand nothing;
    struct token_presented presented;
    struct token_view view;
    enum rc rc = spectrum_presented(&call->exchange->request, &presented);

    if (rc != RC_OK)
        return oauth_refuse(call->oauth, OAUTH_INVALID_TOKEN, "", "no token");
    rc = bearer_check(call->oauth, &presented, &nothing, &view);
    if (rc == RC_OK)
        token_view_put(call->oauth->oauth->tokens, &view);
    return rc;
}

static enum rc log_out(struct dialect_call *call)
{
    struct soap_request request;
    struct soap_fault fault;
    enum rc rc;

    if (!call->oauth->may_block)
        return RC_WOULD_BLOCK;
    rc = check_presented(call);
    if (rc != RC_OK)
        return rc;
    fault = read_envelope(call, &request);
    if (fault.words == NULL && !str_equal(request.operation, STR(SPECTRUM_LOGOUT_OPERATION)))
        fault.words = "there is no such operation";
    if (fault.words != NULL) {
        answer_fault(call, 500, fault.code, str_of(fault.words));
        return RC_OK;
    }
    rc = spectrum_end_presented(call);
    if (rc == RC_OK)
        answer_operation(call, &request, NULL);
    return rc;
}

enum rc spectrum_soap_token_manager(struct dialect_call *call)
{
    if (spectrum_begin(call, SPECTRUM_GET_POST))
        return RC_OK;
    return call->exchange->request.method == HTTP_POST ? manage(call)
                                                       : answer_get(call, SPECTRUM_TOKEN_MANAGER);
}

enum rc spectrum_soap_token_logout(struct dialect_call *call)
{
    if (spectrum_begin(call, SPECTRUM_GET_POST))
        return RC_OK;
    return call->exchange->request.method == HTTP_POST ? log_out(call)
                                                       : answer_get(call, SPECTRUM_TOKEN_LOGOUT);
}

static bool is_soap(const struct dialect_call *call)
{
    struct str path;

    if (!dialect_claims(&dialect_spectrum, call->settings, &call->exchange->request, &path))
        return false;
    if (str_ends_with(path, STR("/")))
        path.len--;
    for (size_t i = 0; i < SPECTRUM_SERVICE_COUNT; i++)
        if (str_equal(path, spectrum_service_paths[i]))
            return true;
    return false;
}

bool spectrum_soap_refusal(struct dialect_call *call)
{
    const struct refusal *refusal = &call->oauth->refusal;
    int status = oauth_error_status(refusal->error);

    if (!is_soap(call) || (status < 500 && status != 400) ||
        refusal->error == OAUTH_INVALID_GRANT || refusal->error == OAUTH_UNAUTHORIZED_CLIENT)
        return false;
    if (status < 500) {
        answer_fault(call, 500, "Client", refusal->description);
        return true;
    }
    answer_fault(call, status, "Server",
                 status == 503 ? STR("the service cannot answer now: try again")
                               : STR("the service failed"));
    return true;
}
