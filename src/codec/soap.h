/*
 * codec/soap.h: a SOAP 1.1 request: an envelope whose body holds one operation with flat fields.
 * XML is read by expat; a document type, entities of its own, more than one root and anything
 * deeper than SOAP_DEPTH_MAX are refused.
 */
#ifndef JETON_CODEC_SOAP_H
#define JETON_CODEC_SOAP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rc.h"

#define SOAP_ENVELOPE_NAMESPACE "http://schemas.xmlsoap.org/soap/envelope/"

enum {
    SOAP_FIELD_COUNT_MAX = 8,
    SOAP_DEPTH_MAX = 8,
    SOAP_NAME_BYTES_MAX = 255,  /* of a namespace, an operation, a field's name */
    SOAP_TEXT_BYTES_MAX = 4096, /* of all fields together */
    SOAP_ARENA_BYTES_MAX =
        SOAP_TEXT_BYTES_MAX + (SOAP_FIELD_COUNT_MAX + 3) * (SOAP_NAME_BYTES_MAX + 33)
};

/* Why an envelope is none, in static words. */
struct soap_fault {
    const char *code;  /* SOAP 1.1 4.4.1, without a prefix */
    const char *words; /* NULL: no fault */
};

struct soap_field {
    struct str name; /* without its namespace: clients send it qualified or not */
    struct str text; /* trimmed */
};

/* Everything lives in the arena: SOAP_ARENA_BYTES_MAX. */
struct soap_request {
    struct str operation_namespace;
    struct str operation;
    struct soap_field fields[SOAP_FIELD_COUNT_MAX];
    size_t field_count;
};

/*
 * Reads an envelope; its header's entries are passed over, but for those that must be understood.
 *
 * out_fault   with RC_REFUSED: "VersionMismatch" for another SOAP's envelope, "MustUnderstand" for
 *             a header that is not known and has to be, "Client" for all else
 *
 * Answers: RC_OK · RC_REFUSED no XML, no SOAP 1.1 envelope, no operation or more than one, a field
 *          twice or with elements in it, mustUnderstand, too many fields, too long, too deep, a
 *          document type or a processing instruction
 *
 * Source:  SOAP 1.1 sections 3 and 4
 */
enum rc soap_parse(struct str body, struct arena *arena, struct soap_request *out_request,
                   struct soap_fault *out_fault) MUST_CHECK;

/* The field's text, or NULL when it was not sent. */
const struct str *soap_find(const struct soap_request *request, struct str name);

/* Appends text with the five characters of XML, and carriage returns, escaped; what XML 1.0 forbids
 * becomes U+FFFD. */
void xml_escape(struct str text, struct buffer *out_xml);

#endif
