#include "web/api_request.h"

#include "web/permanent_view.h"

enum { ADDRESS_COUNT_MAX = 64 };

/* ---- what is wrong --------------------------------------------------------------------------- */

void api_answer_problem(struct web_call *call, int status, struct str error, struct str detail)
{
    const struct problem problem = { .status = status, .error = error, .detail = detail };

    problem_answer(call->exchange, &problem);
}

void api_answer_field(struct web_call *call, const char *field, struct str value,
                      const char *detail)
{
    const struct problem problem = { .status = 422,
                                     .error = STR("invalid_field"),
                                     .detail = str_of(detail),
                                     .field = str_of(field),
                                     .value = value };

    problem_answer(call->exchange, &problem);
}

void api_answer_fault_of(struct web_call *call, const struct permanent_fault *fault)
{
    static const char *const fields[] = { [PERMANENT_NAME] = "name",
                                          [PERMANENT_SCOPE] = "scopes",
                                          [PERMANENT_ADDRESSES] = "addresses",
                                          [PERMANENT_LIFETIME] = "expires_in_days" };

    api_answer_field(call, fields[permanent_problem_field(fault->problem)], fault->value,
                     permanent_problem_words(fault->problem));
}

/* ---- what is asked --------------------------------------------------------------------------- */

enum rc api_read_object(struct web_call *call, struct json_document **out_document)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *type = http_find_header(request, STR("content-type"));
    struct str media = type == NULL ? STR("") : type->value;
    struct json_document *document;
    enum rc rc;

    media = str_trim((struct str){ media.at, str_index_of(media, ';') });
    if (!str_equal_nocase(media, STR("application/json")) &&
        !str_equal_nocase(media, STR("application/merge-patch+json"))) {
        api_answer_problem(call, 415, STR("unsupported_media_type"),
                           STR("send the body as application/json"));
        return RC_REFUSED;
    }
    rc = json_parse(request->body, &document);
    if (rc == RC_OK && json_is_object(json_root(document))) {
        *out_document = document;
        return RC_OK;
    }
    if (rc == RC_OK)
        json_document_free(document);
    else if (rc != RC_INVALID)
        return rc;
    api_answer_problem(call, 400, STR("invalid_request"), STR("the body is no JSON object"));
    return RC_REFUSED;
}

/* A member that is not known is a mistake: an allowed address with a slip in its name would be a
 * token without limits. */
bool api_has_only(struct web_call *call, const struct json_value *object, struct str names)
{
    struct str name;

    for (size_t i = 0; json_member(object, i, &name) != NULL; i++) {
        if (str_index_of(name, ' ') < name.len || !str_has_word(names, name)) {
            api_answer_field(call, "", name, "there is no such member here");
            return false;
        }
    }
    return true;
}

/* The texts of an array as words with spaces between them. */
static bool read_words(struct web_call *call, const struct json_value *object, const char *field,
                       size_t count_max, struct str *out_words)
{
    const struct json_value *array = json_find(object, str_of(field));
    struct buffer words =
        buffer_over(arena_alloc(call->oauth.arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX);

    *out_words = STR("");
    if (array == NULL)
        return true;
    if (!json_is_array(array) || json_count(array) > count_max) {
        api_answer_field(call, field, STR(""),
                         "this has to be an array of texts, and not too long");
        return false;
    }
    for (size_t i = 0; i < json_count(array); i++) {
        struct str word;

        if (json_get_string(json_item(array, i), &word) != RC_OK || word.len == 0 ||
            str_index_of(word, ' ') < word.len || str_index_of(word, ',') < word.len) {
            api_answer_field(call, field, STR(""), "each item is one word");
            return false;
        }
        if (i > 0)
            buffer_append_byte(&words, ' ');
        buffer_append_str(&words, word);
    }
    if (words.overflow) {
        api_answer_field(call, field, STR(""), "these are too many");
        return false;
    }
    *out_words = buffer_str(&words);
    return true;
}

/* expires_in_days, or expires_at; null for never; neither: the standard life. */
static bool read_lifetime(struct web_call *call, const struct json_value *object,
                          int64_t *out_lifetime_s)
{
    const struct json_value *days = json_find(object, STR("expires_in_days"));
    const struct json_value *at = json_find(object, STR("expires_at"));
    const char *field = days != NULL ? "expires_in_days" : "expires_at";
    int64_t number = permanent_days_default(call->web->permanent_days_max);

    if (days != NULL && at != NULL) {
        api_answer_field(call, "expires_at", STR(""),
                         "give expires_in_days or expires_at, not both");
        return false;
    }
    if ((days != NULL && json_is_null(days)) || (at != NULL && json_is_null(at))) {
        *out_lifetime_s = 0;
        return true;
    }
    if (at != NULL && json_get_number(at, &number) == RC_OK && number > call->oauth.now &&
        number - call->oauth.now <= (int64_t)PERMANENT_DAYS_MAX * 24 * 3600) {
        *out_lifetime_s = number - call->oauth.now;
        return true;
    }
    if (at == NULL && (days == NULL || json_get_number(days, &number) == RC_OK) && number > 0 &&
        number <= PERMANENT_DAYS_MAX) {
        *out_lifetime_s = number * 24 * 3600;
        return true;
    }
    api_answer_field(call, field, STR(""),
                     days != NULL ? "this has to be a number of days, or null"
                                  : "this has to be a time to come in Unix seconds, or null");
    return false;
}

bool api_read_name(struct web_call *call, const struct json_value *object, struct str *out_name)
{
    if (json_get_string(json_find(object, STR("name")), out_name) == RC_OK)
        return true;
    api_answer_field(call, "name", STR(""), "a name is needed, as a text");
    return false;
}

bool api_read_demand(struct web_call *call, const struct json_value *object,
                     struct permanent_demand *out_demand)
{
    struct permanent_demand demand = { .id = 0 };
    struct str rest;
    struct str word;

    if (!api_has_only(call, object, STR("name scopes addresses expires_in_days expires_at")) ||
        !api_read_name(call, object, &demand.name) ||
        !read_words(call, object, "scopes", SCOPE_WORD_COUNT_MAX, &demand.scope) ||
        !read_words(call, object, "addresses", ADDRESS_COUNT_MAX, &demand.addresses) ||
        !read_lifetime(call, object, &demand.lifetime_s))
        return false;
    for (rest = demand.scope; str_next_word(&rest, &word);) {
        if (!permanent_is_own_word(word))
            continue;
        api_answer_field(call, "scopes", word, "tokens with this scope are made in the pages only");
        return false;
    }
    *out_demand = demand;
    return true;
}
