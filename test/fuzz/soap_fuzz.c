/*
 * Any bytes as a SOAP request: what parses is sound and can be written and read again; and any
 * text, escaped, comes back through a field.
 */
#include "codec/soap.h"
#include "fuzz.h"

static struct buffer arena_buffer(struct arena *arena, size_t max_bytes)
{
    return buffer_over(arena_alloc(arena, max_bytes), max_bytes);
}

static void write_request(const struct soap_request *request, struct buffer *to)
{
    BUFFER_APPEND_LITERAL(to, "<e:Envelope xmlns:e='" SOAP_ENVELOPE_NAMESPACE "'><e:Body><");
    buffer_append_str(to, request->operation);
    BUFFER_APPEND_LITERAL(to, " xmlns='");
    xml_escape(request->operation_namespace, to);
    BUFFER_APPEND_LITERAL(to, "'>");
    for (size_t i = 0; i < request->field_count; i++) {
        buffer_append_byte(to, '<');
        buffer_append_str(to, request->fields[i].name);
        buffer_append_byte(to, '>');
        xml_escape(request->fields[i].text, to);
        BUFFER_APPEND_LITERAL(to, "</");
        buffer_append_str(to, request->fields[i].name);
        buffer_append_byte(to, '>');
    }
    BUFFER_APPEND_LITERAL(to, "</");
    buffer_append_str(to, request->operation);
    BUFFER_APPEND_LITERAL(to, "></e:Body></e:Envelope>");
    ASSERT(!to->overflow);
}

static bool is_same(const struct soap_request *a, const struct soap_request *b)
{
    bool is_same = str_equal(a->operation, b->operation) && a->field_count == b->field_count;

    for (size_t i = 0; is_same && i < a->field_count; i++)
        is_same = str_equal(a->fields[i].name, b->fields[i].name) &&
                  str_equal(a->fields[i].text, b->fields[i].text);
    return is_same;
}

static void check_request(struct str input, struct arena *arena)
{
    struct soap_request request, again;
    struct soap_fault fault = { NULL, NULL };
    struct buffer text;

    if (soap_parse(input, arena, &request, &fault) != RC_OK) {
        ASSERT(fault.code != NULL && fault.words != NULL && fault.words[0] != '\0');
        return;
    }
    ASSERT(fault.words == NULL && request.operation.len > 0);
    ASSERT(request.field_count <= SOAP_FIELD_COUNT_MAX);
    for (size_t i = 0; i < request.field_count; i++) {
        ASSERT(str_is_utf8(request.fields[i].text));
        ASSERT(soap_find(&request, request.fields[i].name) == &request.fields[i].text);
    }
    /* It belongs to the prefix xml, and cannot be given to another. */
    if (str_equal(request.operation_namespace, STR("http://www.w3.org/XML/1998/namespace")))
        return;
    text = arena_buffer(arena, 24 * input.len + 256);
    write_request(&request, &text);
    ASSERT(soap_parse(buffer_str(&text), arena, &again, &fault) == RC_OK);
    ASSERT(is_same(&request, &again));
}

static void check_text(struct str input, struct arena *arena)
{
    struct soap_request request = { .operation = STR("o"), .field_count = 1 }, again;
    struct buffer text = arena_buffer(arena, 6 * input.len + 256), escaped;
    struct soap_fault fault;

    request.fields[0] = (struct soap_field){ STR("f"), input };
    write_request(&request, &text);
    ASSERT(soap_parse(buffer_str(&text), arena, &again, &fault) == RC_OK);
    /* What came back is what went in, but for what XML cannot hold; so it comes back again. */
    escaped = arena_buffer(arena, 6 * text.len + 256);
    write_request(&again, &escaped);
    ASSERT(soap_parse(buffer_str(&escaped), arena, &request, &fault) == RC_OK);
    ASSERT(is_same(&request, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);

    if (size > 4096)
        return 0;
    check_request(input, fuzz_arena());
    /* Each byte that XML cannot hold becomes three. */
    if (3 * size <= SOAP_TEXT_BYTES_MAX)
        check_text(input, fuzz_arena());
    return 0;
}
