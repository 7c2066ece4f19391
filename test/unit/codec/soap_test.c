#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/soap.h"

#define TOKEN_NAMESPACE "http://token.security.common.server.platform.spectrum.pb.com/"
#define ENVELOPE(inside)                                                                           \
    "<E:Envelope xmlns:E=\"" SOAP_ENVELOPE_NAMESPACE "\">" inside "</E:Envelope>"
#define BODY(inside) ENVELOPE("<E:Body>" inside "</E:Body>")

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static struct soap_request parse(struct str body)
{
    struct soap_request request;
    struct soap_fault fault = { "untouched", "untouched" };

    arena_reset(&arena);
    assert_int_equal(soap_parse(body, &arena, &request, &fault), RC_OK);
    assert_string_equal(fault.code, "untouched");
    assert_string_equal(fault.words, "untouched");
    return request;
}

static void assert_fault_as(struct str body, const char *wanted_code, const char *wanted)
{
    struct soap_request request = { .field_count = 77 };
    struct soap_fault fault = { NULL, NULL };

    arena_reset(&arena);
    if (soap_parse(body, &arena, &request, &fault) != RC_REFUSED)
        fail_msg("accepted: %.*s", STR_ARGS(body));
    assert_string_equal(fault.code, wanted_code);
    assert_string_equal(fault.words, wanted);
    assert_int_equal(request.field_count, 77);
}

static void assert_fault(struct str body, const char *wanted)
{
    assert_fault_as(body, "Client", wanted);
}

static void assert_field(const struct soap_request *request, const char *name, const char *wanted)
{
    const struct str *text = soap_find(request, str_of(name));

    assert_non_null(text);
    assert_true(str_equal(*text, str_of(wanted)));
}

static void operations(void **state)
{
    struct soap_request request;

    (void)state;
    request = parse(STR(BODY("<t:getAccessExpiringToken xmlns:t=\"" TOKEN_NAMESPACE "\">"
                             "<tokenLifeInMinutes> 60\n</tokenLifeInMinutes>"
                             "</t:getAccessExpiringToken>")));
    assert_true(str_equal(request.operation_namespace, STR(TOKEN_NAMESPACE)));
    assert_true(str_equal(request.operation, STR("getAccessExpiringToken")));
    assert_int_equal(request.field_count, 1);
    assert_field(&request, "tokenLifeInMinutes", "60");
    assert_null(soap_find(&request, STR("tokenlifeinminutes")));

    /* Default namespaces, a declaration, a header to be passed over, comments. */
    request =
        parse(STR("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n"
                  "<Envelope xmlns=\"" SOAP_ENVELOPE_NAMESPACE "\"><!-- a --><Header>"
                  "<wsa:To xmlns:wsa=\"urn:wsa\" mustUnderstand=\"1\"><x><y/></x></wsa:To>"
                  "</Header><Body><logout xmlns=\"" TOKEN_NAMESPACE "\"/></Body></Envelope>"));
    assert_true(str_equal(request.operation, STR("logout")));
    assert_int_equal(request.field_count, 0);

    /* Qualified fields, no namespace at all, an element behind the body (SOAP 1.1 4). */
    request = parse(STR(BODY("<o><q:a xmlns:q=\"urn:q\">1</q:a><b/></o>") ""));
    assert_int_equal(request.operation_namespace.len, 0);
    assert_field(&request, "a", "1");
    assert_field(&request, "b", "");
    request = parse(STR(ENVELOPE("<E:Body><o/></E:Body><m:x xmlns:m=\"urn:m\"><o/></m:x>")));
    assert_true(str_equal(request.operation, STR("o")));
}

static void texts(void **state)
{
    struct soap_request request;

    (void)state;
    request =
        parse(STR(BODY("<o><a><![CDATA[<&>]]>&lt;&amp;&#x41;&#66;<!-- - -->\xc3\xa4</a></o>")));
    assert_field(&request, "a", "<&><&AB\xc3\xa4");
    request = parse(STR("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" BODY(
        "<o><a>\xe4\xff</a><b>\xfc</b></o>")));
    assert_field(&request, "a", "\xc3\xa4\xc3\xbf");
    assert_field(&request, "b", "\xc3\xbc");
}

/* SOAP 1.1 3 and 4 */
static void faults(void **state)
{
    (void)state;
    assert_fault(STR(""), "not well-formed XML");
    assert_fault(STR("{}"), "not well-formed XML");
    assert_fault(STR(BODY("<o>")), "not well-formed XML");
    assert_fault(STR(BODY("<p:o/>")), "not well-formed XML");
    assert_fault(STR(BODY("<o/>") BODY("<o/>")), "not well-formed XML");
    assert_fault(STR(BODY("<o><a>\xff</a></o>")), "not well-formed XML");
    assert_fault(STR(BODY("<o><a>&other;</a></o>")), "not well-formed XML");
    assert_fault((struct str){ BODY("<o><a>\0</a></o>"), sizeof(BODY("<o><a>\0</a></o>")) - 1 },
                 "not well-formed XML");
    assert_fault(STR("<E:Body xmlns:E=\"" SOAP_ENVELOPE_NAMESPACE "\"><o/></E:Body>"),
                 "not a SOAP 1.1 envelope");
    assert_fault(STR(ENVELOPE("")), "no operation");
    assert_fault(STR(BODY("")), "no operation");
    assert_fault(STR(ENVELOPE("<E:Header/>")), "no operation");
    assert_fault(STR(BODY("<o/><o/>")), "more than one operation");
    assert_fault(STR(ENVELOPE("<E:Body><o/></E:Body><E:Body/>")),
                 "unexpected element in the envelope");
    assert_fault(STR(ENVELOPE("<E:Body><o/></E:Body><E:Header/>")),
                 "unexpected element in the envelope");
    assert_fault(STR(ENVELOPE("<Body><o/></Body>")), "unexpected element in the envelope");
    assert_fault(STR(BODY("<o><a/><a/></o>")), "a field stands twice");
    assert_fault(STR(BODY("<o><a/><q:a xmlns:q=\"urn:q\"/></o>")), "a field stands twice");
    assert_fault(STR(BODY("<o><a><b/></a></o>")), "a field holds elements");
    assert_fault(STR(BODY("<o><a/><b/><c/><d/><e/><f/><g/><h/><i/></o>")), "too many fields");
    assert_fault(STR(BODY("<?do this?><o/>")), "a processing instruction is not allowed");
    assert_fault(STR(ENVELOPE("<E:Header><a><b><c><d><e><f><g/></f></e></d></c></b></a></E:Header>"
                              "<E:Body><o/></E:Body>")),
                 "too deep");
    (void)parse(
        STR(ENVELOPE("<E:Header><x E:mustUnderstand=\"0\"/></E:Header><E:Body><o/></E:Body>")));
    (void)parse(
        STR(ENVELOPE("<E:Header><x E:mustUnderstand=\"false\"/></E:Header><E:Body><o/></E:Body>")));
    (void)parse(STR(ENVELOPE("<E:Header><x E:actor=\"a\"/></E:Header><E:Body><o/></E:Body>")));
    (void)parse(STR(BODY("<o><a/><b/><c/><d/><e/><f/><g/><h/></o>")));
    /* SOAP 1.1 4: what has another namespace comes behind the body. */
    assert_fault(STR(ENVELOPE("<m:x xmlns:m=\"urn:m\"/><E:Body><o/></E:Body>")),
                 "unexpected element in the envelope");
}

/* SOAP 1.1 4.4.1 */
static void fault_codes(void **state)
{
    (void)state;
    assert_fault_as(STR("<Envelope/>"), "VersionMismatch", "not a SOAP 1.1 envelope");
    assert_fault_as(STR("<E:Envelope xmlns:E=\"http://www.w3.org/2003/05/soap-envelope\"><E:Body>"
                        "<o/></E:Body></E:Envelope>"),
                    "VersionMismatch", "not a SOAP 1.1 envelope");
    assert_fault_as(
        STR(ENVELOPE("<E:Header><x E:mustUnderstand=\"1\"/></E:Header><E:Body><o/></E:Body>")),
        "MustUnderstand", "a header that must be understood is not");
}

/* No declaration of a document type is read, whatever it would do. */
static void document_types(void **state)
{
    (void)state;
    assert_fault(STR("<!DOCTYPE E>" BODY("<o/>")), "a document type is not allowed");
    assert_fault(STR("<!DOCTYPE E [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>" BODY(
                     "<o><a>&b;</a></o>")),
                 "a document type is not allowed");
    assert_fault(
        STR("<!DOCTYPE E [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" BODY("<o><a>&x;</a></o>")),
        "a document type is not allowed");
    assert_fault(
        STR("<!DOCTYPE E SYSTEM \"http://127.0.0.1:1/\" [<!ENTITY % p SYSTEM \"x\">%p;]>" BODY(
            "<o/>")),
        "a document type is not allowed");
    assert_fault(STR("<!DOCTYPE E [<!ATTLIST o a CDATA \"1\">]>" BODY("<o/>")),
                 "a document type is not allowed");
}

/* The memory that the header promises is enough for all that is accepted. */
static void memory_is_bounded(void **state)
{
    static const char start[] = "<E:Envelope xmlns:E=\"" SOAP_ENVELOPE_NAMESPACE "\"><E:Body>";
    static const char end[] = "</E:Body></E:Envelope>";
    static char body[65536];
    struct soap_request request;
    struct arena exact;
    struct soap_fault fault = { "", "" };

    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        struct buffer to = buffer_over(body, sizeof(body));

        buffer_append_format(&to, "%s<o%0254d xmlns='n%0254d'>", start, 0, 0);
        for (int i = 0; i < SOAP_FIELD_COUNT_MAX; i++) {
            int text_bytes = SOAP_TEXT_BYTES_MAX / SOAP_FIELD_COUNT_MAX + (i == 0 ? extra : 0);

            buffer_append_format(&to, "<f%d%0253d>%0*d</f%d%0253d>", i, 0, text_bytes, 0, i, 0);
        }
        buffer_append_format(&to, "</o%0254d>%s", 0, end);
        assert_false(to.overflow);
        arena_init(&exact, SOAP_ARENA_BYTES_MAX);
        assert_int_equal(soap_parse(buffer_str(&to), &exact, &request, &fault),
                         extra == 0 ? RC_OK : RC_REFUSED);
        arena_deinit(&exact);
    }
    assert_int_equal(request.field_count, SOAP_FIELD_COUNT_MAX);
    assert_string_equal(fault.words, "a field is too long");
}

static void names_are_bounded(void **state)
{
    char body[1024];
    struct buffer to = buffer_over(body, sizeof(body));

    (void)state;
    buffer_append_format(&to, BODY("<o%0255d/>"), 0);
    assert_fault(buffer_str(&to), "a name is too long");
    to = buffer_over(body, sizeof(body));
    buffer_append_format(&to, BODY("<o xmlns='n%0255d'/>"), 0);
    assert_fault(buffer_str(&to), "a name is too long");
    to = buffer_over(body, sizeof(body));
    buffer_append_format(&to, BODY("<o><f%0255d/></o>"), 0);
    assert_fault(buffer_str(&to), "a name is too long");
}

static void escapes(void **state)
{
    char memory[256];
    struct buffer to = buffer_over(memory, sizeof(memory));

    (void)state;
    xml_escape(STR("a<b>&\"'\t\r\n\x01\x7f\xc3\xa4\xff\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\x98\x80"),
               &to);
    assert_true(str_equal(buffer_str(&to),
                          STR("a&lt;b&gt;&amp;&quot;&apos;\t&#13;\n\xef\xbf\xbd\x7f\xc3\xa4"
                              "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80")));
    to = buffer_over(memory, 4);
    xml_escape(STR("a&"), &to);
    assert_true(to.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations),
        cmocka_unit_test(texts),
        cmocka_unit_test(faults),
        cmocka_unit_test(fault_codes),
        cmocka_unit_test(document_types),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(escapes),
    };

    return cmocka_run_group_tests_name("codec/soap", tests, set_up, tear_down);
}
