#include "codec/soap.h"
#include "dialect/spectrum.h"

/*
 * The description of the service (WADL, W3C submission of 31 August 2009), in the form of the
 * framework that Spectrum stands on: no XML declaration, one resource for each path, and what a
 * template in a path stands for.
 */

#define WADL_TYPE "application/vnd.sun.wadl+xml"
#define TTL_PARAM "<param name=\"ttlInMinutes\" style=\"template\" type=\"xs:int\"/>"
#define GIVES_TOKEN                                                                                \
    "<method name=\"GET\"><response>"                                                              \
    "<representation mediaType=\"application/json\"/>"                                             \
    "<representation mediaType=\"application/xml\"/>"                                              \
    "</response></method>"

/* Both spellings stand in Spectrum's documents, each on a page of its own. */
static bool asks_for_wadl(struct str query)
{
    while (query.len > 0) {
        size_t end = str_index_of(query, '&');
        struct str pair = { query.at, end };
        struct str name = { pair.at, str_index_of(pair, '=') };

        if (str_equal(name, STR("_wadl")) || str_equal(name, STR("wadl")))
            return true;
        query = str_from(query, end == query.len ? end : end + 1);
    }
    return false;
}

static void format_wadl(struct str base_url, struct str prefix, struct buffer *xml)
{
    BUFFER_APPEND_LITERAL(xml, "<application xmlns=\"http://wadl.dev.java.net/2009/02\" "
                               "xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><grammars/>"
                               "<resources base=\"");
    xml_escape(base_url, xml);
    xml_escape(prefix, xml);
    BUFFER_APPEND_LITERAL(
        xml,
        "/security/rest\"><resource path=\"/token\">"
        "<resource path=\"/access/session/{ttlInMinutes}\">" TTL_PARAM GIVES_TOKEN "</resource>"
        "<resource path=\"/access/{ttlInMinutes}\">" TTL_PARAM GIVES_TOKEN "</resource>"
        "<resource path=\"/logout\"><method name=\"GET\"><response/></method></resource>"
        "</resource></resources></application>");
}

enum rc spectrum_wadl(struct dialect_call *call)
{
    const struct http_request *request = &call->exchange->request;

    if (!asks_for_wadl(request->query))
        return spectrum_not_found(call);
    if (spectrum_begin(call, SPECTRUM_GET))
        return RC_OK;
    spectrum_answer(call, 200,
                    spectrum_accepts(request, STR(WADL_TYPE)) ? STR(WADL_TYPE)
                                                              : STR("application/xml"));
    format_wadl(dialect_base_url(call), call->settings->spectrum_prefix,
                &call->exchange->response.body);
    return RC_OK;
}
