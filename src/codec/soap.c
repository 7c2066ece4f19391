#include "codec/soap.h"

#include <expat.h>

#include "base/reserve.h"

/*
 * Between a name's namespace and its local part, as expat hands both over. No namespace can hold a
 * line feed: expat refuses it.
 */
#define SEPARATOR '\n'

enum { ENVELOPE_DEPTH = 1, SECTION_DEPTH = 2, OPERATION_DEPTH = 3, FIELD_DEPTH = 4 };

enum section { SECTION_NONE, SECTION_HEADER, SECTION_BODY, SECTION_OTHER };

struct reader {
    XML_Parser parser;
    struct arena *arena;
    struct soap_request request;
    size_t depth; /* elements that are open */
    enum section section;
    bool has_body, has_operation;
    struct buffer text;      /* of all fields, one behind the other */
    size_t text_start;       /* of the field that is open */
    struct soap_fault fault; /* once it has words, nothing more is read */
};

struct name {
    struct str space, local;
};

static struct name split_name(const char *text)
{
    struct str whole = str_of(text);
    size_t at = str_index_of(whole, SEPARATOR);

    if (at == whole.len)
        return (struct name){ { text, 0 }, whole };
    return (struct name){ { text, at }, str_from(whole, at + 1) };
}

static void refuse_as(struct reader *reader, const char *code, const char *words)
{
    if (reader->fault.words != NULL)
        return;
    reader->fault = (struct soap_fault){ code, words };
    XML_StopParser(reader->parser, XML_FALSE);
}

static void refuse(struct reader *reader, const char *words)
{
    refuse_as(reader, "Client", words);
}

/* SOAP 1.1 4.2.3 */
static bool must_be_understood(const char **attributes)
{
    for (; *attributes != NULL; attributes += 2) {
        struct name name = split_name(attributes[0]);
        struct str value = str_trim(str_of(attributes[1]));

        if (str_equal(name.space, STR(SOAP_ENVELOPE_NAMESPACE)) &&
            str_equal(name.local, STR("mustUnderstand")))
            return !str_equal(value, STR("0")) && !str_equal(value, STR("false"));
    }
    return false;
}

static void begin_envelope(struct reader *reader, struct name name)
{
    static const char words[] = "not a SOAP 1.1 envelope";

    if (!str_equal(name.local, STR("Envelope")))
        refuse(reader, words);
    else if (!str_equal(name.space, STR(SOAP_ENVELOPE_NAMESPACE)))
        refuse_as(reader, "VersionMismatch", words); /* SOAP 1.1 4.1.2 */
}

static void begin_section(struct reader *reader, struct name name)
{
    bool is_ours = str_equal(name.space, STR(SOAP_ENVELOPE_NAMESPACE));

    if (is_ours && str_equal(name.local, STR("Body")) && !reader->has_body) {
        reader->section = SECTION_BODY;
        reader->has_body = true;
    } else if (is_ours && str_equal(name.local, STR("Header")) && reader->section == SECTION_NONE) {
        reader->section = SECTION_HEADER; /* SOAP 1.1 4: the first of all, if it is there */
    } else if (!is_ours && name.space.len > 0 && reader->has_body) {
        reader->section = SECTION_OTHER; /* SOAP 1.1 4: what follows the body has a namespace */
    } else {
        refuse(reader, "unexpected element in the envelope");
    }
}

/* A name that will be kept. */
static bool is_short(struct reader *reader, struct name name)
{
    if (name.space.len <= SOAP_NAME_BYTES_MAX && name.local.len <= SOAP_NAME_BYTES_MAX)
        return true;
    refuse(reader, "a name is too long");
    return false;
}

static void begin_operation(struct reader *reader, struct name name)
{
    if (!is_short(reader, name))
        return;
    if (reader->has_operation) {
        refuse(reader, "more than one operation");
        return;
    }
    reader->has_operation = true;
    reader->request.operation_namespace = arena_copy(reader->arena, name.space);
    reader->request.operation = arena_copy(reader->arena, name.local);
}

static void begin_field(struct reader *reader, struct name name)
{
    if (!is_short(reader, name))
        return;
    if (soap_find(&reader->request, name.local) != NULL) {
        refuse(reader, "a field stands twice");
        return;
    }
    if (reader->request.field_count == SOAP_FIELD_COUNT_MAX) {
        refuse(reader, "too many fields");
        return;
    }
    reader->text_start = reader->text.len;
    reader->request.fields[reader->request.field_count++] =
        (struct soap_field){ .name = arena_copy(reader->arena, name.local) };
}

static void XMLCALL on_start(void *context, const char *tag, const char **attributes)
{
    struct reader *reader = context;
    struct name name = split_name(tag);

    if (reader->fault.words != NULL)
        return;
    reader->depth++;
    if (reader->depth > SOAP_DEPTH_MAX)
        refuse(reader, "too deep");
    else if (reader->depth == ENVELOPE_DEPTH)
        begin_envelope(reader, name);
    else if (reader->depth == SECTION_DEPTH)
        begin_section(reader, name);
    else if (reader->section == SECTION_HEADER && reader->depth == OPERATION_DEPTH &&
             must_be_understood(attributes))
        refuse_as(reader, "MustUnderstand", "a header that must be understood is not");
    else if (reader->section == SECTION_BODY && reader->depth == OPERATION_DEPTH)
        begin_operation(reader, name);
    else if (reader->section == SECTION_BODY && reader->depth == FIELD_DEPTH)
        begin_field(reader, name);
    else if (reader->section == SECTION_BODY)
        refuse(reader, "a field holds elements");
}

static void XMLCALL on_end(void *context, const char *tag)
{
    struct reader *reader = context;

    (void)tag;
    if (reader->fault.words != NULL)
        return;
    if (reader->section == SECTION_BODY && reader->depth == FIELD_DEPTH) {
        struct str text = buffer_str(&reader->text);

        reader->request.fields[reader->request.field_count - 1].text =
            str_trim(str_from(text, reader->text_start));
    }
    reader->depth--;
}

static void XMLCALL on_text(void *context, const char *text, int len)
{
    struct reader *reader = context;

    if (reader->fault.words != NULL || reader->section != SECTION_BODY ||
        reader->depth != FIELD_DEPTH)
        return;
    buffer_append(&reader->text, text, (size_t)len);
    if (reader->text.overflow)
        refuse(reader, "a field is too long");
}

/* SOAP 1.1 3: no document type. Without one there are no entities but XML's own five, so nothing
 * can grow or be fetched: the parser stops before it has read a single declaration. */
static void XMLCALL on_document_type(void *context, const char *name, const char *system_id,
                                     const char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    refuse(context, "a document type is not allowed");
}

/* SOAP 1.1 3 */
static void XMLCALL on_instruction(void *context, const char *target, const char *data)
{
    (void)target;
    (void)data;
    refuse(context, "a processing instruction is not allowed");
}

static void parse(struct reader *reader, struct str body)
{
    XML_SetUserData(reader->parser, reader);
    XML_SetElementHandler(reader->parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader->parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader->parser, on_document_type);
    XML_SetProcessingInstructionHandler(reader->parser, on_instruction);
    ASSERT(XML_SetParamEntityParsing(reader->parser, XML_PARAM_ENTITY_PARSING_NEVER) == 1);
    if (XML_Parse(reader->parser, body.at, (int)body.len, XML_TRUE) == XML_STATUS_OK)
        return;
    ASSERT(XML_GetErrorCode(reader->parser) != XML_ERROR_NO_MEMORY);
    if (reader->fault.words == NULL)
        reader->fault = (struct soap_fault){ "Client", "not well-formed XML" };
}

enum rc soap_parse(struct str body, struct arena *arena, struct soap_request *out_request,
                   struct soap_fault *out_fault)
{
    static const XML_Memory_Handling_Suite memory = { reserve_alloc, reserve_realloc,
                                                      reserve_free };
    struct reader reader = { .arena = arena };

    reader.text = buffer_over(arena_alloc(arena, SOAP_TEXT_BYTES_MAX), SOAP_TEXT_BYTES_MAX);
    reader.parser = XML_ParserCreate_MM(NULL, &memory, (const char[]){ SEPARATOR, 0 });
    ASSERT(reader.parser != NULL && body.len <= INT32_MAX / 2);
    parse(&reader, body);
    XML_ParserFree(reader.parser);
    if (reader.fault.words == NULL && !reader.has_operation)
        reader.fault = (struct soap_fault){ "Client", "no operation" };
    if (reader.fault.words != NULL) {
        *out_fault = reader.fault;
        return RC_REFUSED;
    }
    *out_request = reader.request;
    return RC_OK;
}

const struct str *soap_find(const struct soap_request *request, struct str name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (str_equal(request->fields[i].name, name))
            return &request->fields[i].text;
    }
    return NULL;
}

/* ---- escaping ---- */

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What stands for the character at the front of the text, whose bytes are a sound sequence; an
 * empty text for one that stands for itself. */
static struct str escaped(struct str character)
{
    unsigned char byte = (unsigned char)character.at[0];

    switch (byte) {
    case '&':
        return STR("&amp;");
    case '<':
        return STR("&lt;");
    case '>':
        return STR("&gt;");
    case '"':
        return STR("&quot;");
    case '\'':
        return STR("&apos;");
    case '\r':
        return STR("&#13;"); /* XML 2.11: as it is, it would be read as a line feed */
    case '\t':
    case '\n':
        return STR("");
    default:
        break;
    }
    /* XML 2.2: no other control bytes, and neither U+FFFE nor U+FFFF. */
    if (byte < 0x20 || str_equal(character, STR("\xef\xbf\xbe")) ||
        str_equal(character, STR("\xef\xbf\xbf")))
        return STR(REPLACEMENT);
    return STR("");
}

void xml_escape(struct str text, struct buffer *out_xml)
{
    while (text.len > 0) {
        size_t len = str_utf8_sequence(text);
        struct str character = { text.at, len == 0 ? 1 : len };
        struct str instead = len == 0 ? STR(REPLACEMENT) : escaped(character);

        buffer_append_str(out_xml, instead.len > 0 ? instead : character);
        text = str_from(text, character.len);
    }
}
