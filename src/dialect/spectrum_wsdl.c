#include "dialect/spectrum_wsdl.h"

#include "codec/soap.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

const struct str spectrum_service_paths[SPECTRUM_SERVICE_COUNT] = {
    [SPECTRUM_TOKEN_MANAGER] = TEXT("/security/TokenManagerService"),
    [SPECTRUM_TOKEN_LOGOUT] = TEXT("/security/TokenLogoutService"),
};

const struct str spectrum_namespaces[NAMESPACE_COUNT] = {
    [NAMESPACE_PRECISELY] =
        TEXT("http://token.security.common.server.platform.spectrum.precisely.com/"),
    [NAMESPACE_PB] = TEXT("http://token.security.common.server.platform.spectrum.pb.com/"),
};

/* The port type; a JAX-WS server derives its implementation's names from it. */
static const struct str port_types[SPECTRUM_SERVICE_COUNT] = {
    [SPECTRUM_TOKEN_MANAGER] = TEXT("TokenManagerService"),
    [SPECTRUM_TOKEN_LOGOUT] = TEXT("TokenLogoutService"),
};

static const struct str namespace_words[NAMESPACE_COUNT] = {
    [NAMESPACE_PRECISELY] = TEXT("precisely"),
    [NAMESPACE_PB] = TEXT("pb"),
};

/* What an operation is sent and answers. */
struct operation {
    struct str name;
    const char *life; /* occurrence of tokenLifeInMinutes; NULL: none */
    bool gives_token;
};

struct operations {
    struct operation at[DIALECT_LIST_COUNT_MAX + 2];
    size_t count;
};

bool spectrum_query_has(struct str query, struct str key, struct str *out_value)
{
    while (query.len > 0) {
        size_t end = str_index_of(query, '&');
        struct str pair = { query.at, end };
        size_t equals = str_index_of(pair, '=');

        if (str_equal_nocase((struct str){ pair.at, equals }, key)) {
            if (out_value != NULL)
                *out_value = str_from(pair, equals < pair.len ? equals + 1 : pair.len);
            return true;
        }
        query = str_from(query, end < query.len ? end + 1 : query.len);
    }
    return false;
}

static void list_operations(const struct dialect_settings *settings, enum spectrum_service service,
                            struct operations *out_operations)
{
    struct operations list = { .count = 0 };

    if (service == SPECTRUM_TOKEN_LOGOUT) {
        list.at[list.count++] = (struct operation){ .name = STR(SPECTRUM_LOGOUT_OPERATION) };
    } else {
        list.at[list.count++] = (struct operation){ STR(SPECTRUM_EXPIRING_OPERATION), "1", true };
        list.at[list.count++] = (struct operation){ STR(SPECTRUM_ENDLESS_OPERATION), NULL, true };
        for (size_t i = 0; i < settings->spectrum_soap_open.count; i++)
            list.at[list.count++] =
                (struct operation){ str_of(settings->spectrum_soap_open.at[i]), "0", true };
    }
    *out_operations = list;
}

/* Appends the text with every $1 replaced by the name. */
static void append_filled(struct buffer *xml, const char *text, struct str name)
{
    for (const char *mark = strstr(text, "$1"); mark != NULL; mark = strstr(text, "$1")) {
        buffer_append(xml, text, (size_t)(mark - text));
        xml_escape(name, xml);
        text = mark + 2;
    }
    buffer_append_str(xml, str_of(text));
}

static void append_operation_types(const struct operation *operation, struct buffer *xml)
{
    append_filled(xml,
                  "<xs:element name=\"$1\" type=\"tns:$1\"/>"
                  "<xs:element name=\"$1Response\" type=\"tns:$1Response\"/>"
                  "<xs:complexType name=\"$1\"><xs:sequence>",
                  operation->name);
    if (operation->life != NULL)
        append_filled(
            xml, "<xs:element minOccurs=\"$1\" name=\"" SPECTRUM_LIFE_FIELD "\" type=\"xs:int\"/>",
            str_of(operation->life));
    append_filled(xml,
                  "</xs:sequence></xs:complexType><xs:complexType name=\"$1Response\">"
                  "<xs:sequence>",
                  operation->name);
    if (operation->gives_token)
        BUFFER_APPEND_LITERAL(
            xml, "<xs:element minOccurs=\"0\" name=\"return\" type=\"tns:tokenInfo\"/>");
    BUFFER_APPEND_LITERAL(xml, "</xs:sequence></xs:complexType>");
}

/* Children of an answer are unqualified: clients look for <token> without a namespace. */
static void append_types(const struct operations *operations, struct str namespace,
                         struct buffer *xml)
{
    append_filled(xml,
                  "<wsdl:types><xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" "
                  "elementFormDefault=\"unqualified\" targetNamespace=\"$1\" version=\"1.0\">",
                  namespace);
    for (size_t i = 0; i < operations->count; i++)
        append_operation_types(&operations->at[i], xml);
    if (operations->at[0].gives_token)
        BUFFER_APPEND_LITERAL(xml, "<xs:complexType name=\"tokenInfo\"><xs:sequence>"
                                   "<xs:element minOccurs=\"0\" name=\"session\" "
                                   "type=\"xs:string\"/>"
                                   "<xs:element minOccurs=\"0\" name=\"token\" type=\"xs:string\"/>"
                                   "<xs:element minOccurs=\"0\" name=\"username\" "
                                   "type=\"xs:string\"/></xs:sequence></xs:complexType>");
    BUFFER_APPEND_LITERAL(xml, "</xs:schema></wsdl:types>");
}

static void append_interface(const struct operations *operations, struct str port_type,
                             struct buffer *xml)
{
    for (size_t i = 0; i < operations->count; i++)
        append_filled(
            xml,
            "<wsdl:message name=\"$1\"><wsdl:part element=\"tns:$1\" name=\"parameters\"/>"
            "</wsdl:message><wsdl:message name=\"$1Response\">"
            "<wsdl:part element=\"tns:$1Response\" name=\"parameters\"/></wsdl:message>",
            operations->at[i].name);
    append_filled(xml, "<wsdl:portType name=\"$1\">", port_type);
    for (size_t i = 0; i < operations->count; i++)
        append_filled(xml,
                      "<wsdl:operation name=\"$1\"><wsdl:input message=\"tns:$1\" name=\"$1\"/>"
                      "<wsdl:output message=\"tns:$1Response\" name=\"$1Response\"/>"
                      "</wsdl:operation>",
                      operations->at[i].name);
    BUFFER_APPEND_LITERAL(xml, "</wsdl:portType>");
}

static void append_binding(const struct operations *operations, struct str port_type,
                           struct buffer *xml)
{
    append_filled(xml,
                  "<wsdl:binding name=\"$1ImplServiceSoapBinding\" type=\"tns:$1\">"
                  "<soap:binding style=\"document\" "
                  "transport=\"http://schemas.xmlsoap.org/soap/http\"/>",
                  port_type);
    for (size_t i = 0; i < operations->count; i++)
        append_filled(xml,
                      "<wsdl:operation name=\"$1\">"
                      "<soap:operation soapAction=\"\" style=\"document\"/>"
                      "<wsdl:input name=\"$1\"><soap:body use=\"literal\"/></wsdl:input>"
                      "<wsdl:output name=\"$1Response\"><soap:body use=\"literal\"/></wsdl:output>"
                      "</wsdl:operation>",
                      operations->at[i].name);
    BUFFER_APPEND_LITERAL(xml, "</wsdl:binding>");
}

/* The address by which the client sees the service. */
static struct str service_address(const struct dialect_call *call, enum spectrum_service service)
{
    return arena_format(call->oauth->arena, "%.*s%.*s%.*s", STR_ARGS(dialect_base_url(call)),
                        STR_ARGS(call->settings->spectrum_prefix),
                        STR_ARGS(spectrum_service_paths[service]));
}

static void append_import(unsigned namespace, struct str address, struct buffer *xml)
{
    append_filled(xml, "<wsdl:import namespace=\"$1\" ", spectrum_namespaces[namespace]);
    append_filled(xml, "location=\"$1?wsdl&amp;ns=", address);
    append_filled(xml, "$1\"/>", namespace_words[namespace]);
}

void spectrum_wsdl_format(const struct dialect_call *call, enum spectrum_service service,
                          struct str query, struct buffer *out_xml)
{
    struct str address = service_address(call, service);
    struct str port_type = port_types[service];
    unsigned namespace = call->settings->spectrum_namespace;
    bool is_part = false;
    struct operations operations;
    struct str word;

    if (spectrum_query_has(query, STR("ns"), &word))
        for (unsigned i = 0; i < NAMESPACE_COUNT; i++)
            if (str_equal(word, namespace_words[i])) {
                namespace = i;
                is_part = true;
            }
    list_operations(call->settings, service, &operations);
    append_filled(out_xml,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<wsdl:definitions name=\"$1ImplService\" "
                  "xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" "
                  "xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" ",
                  port_type);
    append_filled(out_xml, "xmlns:tns=\"$1\" targetNamespace=\"$1\">",
                  spectrum_namespaces[namespace]);
    if (!is_part)
        append_import(namespace == NAMESPACE_PB ? NAMESPACE_PRECISELY : NAMESPACE_PB, address,
                      out_xml);
    append_types(&operations, spectrum_namespaces[namespace], out_xml);
    append_interface(&operations, port_type, out_xml);
    append_binding(&operations, port_type, out_xml);
    append_filled(out_xml,
                  "<wsdl:service name=\"$1ImplService\">"
                  "<wsdl:port binding=\"tns:$1ImplServiceSoapBinding\" name=\"$1ImplPort\">",
                  port_type);
    append_filled(out_xml, "<soap:address location=\"$1\"/></wsdl:port></wsdl:service>", address);
    BUFFER_APPEND_LITERAL(out_xml, "</wsdl:definitions>\n");
}
