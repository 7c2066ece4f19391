#include "codec/network.h"
#include "oauth/admission.h"
#include "oauth/permanent.h"

/* What somebody who may ask for something is told who asked for something else. */

enum { LIFETIME_DAY_COUNT_MAX = 100 * 365, CHOICES_BYTES_MAX = 32 * 1024 };

static const struct str service_prefix = { SCOPE_SERVICE_PREFIX, sizeof(SCOPE_SERVICE_PREFIX) - 1 };

enum rc permanent_refuse(enum permanent_problem problem, struct str value,
                         struct permanent_fault *out_fault)
{
    *out_fault = (struct permanent_fault){ .problem = problem, .value = value };
    return RC_REFUSED;
}

/* What is wrong is the field as a whole. */
static enum rc refuse(enum permanent_problem problem, struct permanent_fault *out_fault)
{
    return permanent_refuse(problem, STR(""), out_fault);
}

/* ---- the name -------------------------------------------------------------------------------- */

/* C0 and DEL, C1 (Unicode 4.4), and what turns the direction of the text around it. */
static bool has_control(struct str text)
{
    if (str_has_control(text))
        return true;
    for (size_t i = 0; i + 1 < text.len; i++) {
        unsigned char first = (unsigned char)text.at[i];
        unsigned char second = (unsigned char)text.at[i + 1];
        unsigned char third = i + 2 < text.len ? (unsigned char)text.at[i + 2] : 0;

        if (first == 0xc2 && second >= 0x80 && second <= 0x9f)
            return true;
        /* U+2028 to U+202E, U+2066 to U+2069 */
        if (first == 0xe2 && ((second == 0x80 && third >= 0xa8 && third <= 0xae) ||
                              (second == 0x81 && third >= 0xa6 && third <= 0xa9)))
            return true;
    }
    return false;
}

enum rc permanent_read_name(struct oauth_call *call, struct str name, struct str *out_name,
                            struct permanent_fault *out_fault)
{
    name = str_trim(name);
    if (name.len == 0)
        return refuse(PERMANENT_NAME_MISSING, out_fault);
    if (name.len > PERMANENT_NAME_BYTES_MAX)
        return refuse(PERMANENT_NAME_TOO_LONG, out_fault);
    if (!str_is_utf8(name) || has_control(name))
        return refuse(PERMANENT_NAME_MALFORMED, out_fault);
    *out_name = arena_copy(call->arena, name);
    return RC_OK;
}

/* ---- the scope ------------------------------------------------------------------------------- */

bool permanent_is_own_word(struct str word)
{
    return str_equal(word, STR(PERMANENT_TOKENS_WORD)) || str_equal(word, STR(ADMISSION_WORD)) ||
           scope_is_admin_word(word);
}

/* Appends a word; "X" of a service X as "service_id=X" (contracts 2.5). */
static enum rc append_word(struct oauth_call *call, struct str word, struct buffer *words)
{
    struct catalog_service *service;
    enum rc rc = RC_NOT_FOUND;

    if (!str_starts_with(word, service_prefix) && !permanent_is_own_word(word))
        rc = catalog_find_service(call->oauth->catalog, word, call->may_block, &service);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    if (words->len > 0)
        buffer_append_byte(words, ' ');
    if (rc == RC_OK) {
        catalog_service_put(service);
        buffer_append_str(words, service_prefix);
    }
    buffer_append_str(words, word);
    return RC_OK;
}

/* The words as scope_permit_owner reads them. */
static enum rc read_words(struct oauth_call *call, struct str text, struct str *out_words,
                          struct permanent_fault *out_fault)
{
    struct buffer words = buffer_over(arena_alloc(call->arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX);
    struct str word;
    size_t count = 0;

    if (text.len > SCOPE_BYTES_MAX)
        return refuse(PERMANENT_SCOPE_TOO_LONG, out_fault);
    while (str_next_word(&text, &word)) {
        enum rc rc;

        if (!scope_is_sound(word)) /* RFC 6749 3.3 */
            return permanent_refuse(PERMANENT_SCOPE_MALFORMED, arena_copy(call->arena, word),
                                    out_fault);
        if (++count > SCOPE_WORD_COUNT_MAX)
            return refuse(PERMANENT_SCOPE_TOO_LONG, out_fault);
        rc = append_word(call, word, &words);
        if (rc != RC_OK)
            return rc;
    }
    if (count == 0)
        return refuse(PERMANENT_SCOPE_MISSING, out_fault);
    if (words.overflow)
        return refuse(PERMANENT_SCOPE_TOO_LONG, out_fault);
    *out_words = buffer_str(&words);
    return RC_OK;
}

/* Whether anybody has a word that was not permitted. */
static bool is_known(struct oauth_call *call, struct str word)
{
    struct catalog *catalog = call->oauth->catalog;
    struct catalog_service *service;
    bool is_whole = str_starts_with(word, service_prefix);

    if ((is_whole ? catalog_find_service(catalog, str_from(word, service_prefix.len),
                                         call->may_block, &service)
                  : catalog_find_owner(catalog, word, call->may_block, &service)) != RC_OK)
        return false;
    catalog_service_put(service);
    return true;
}

/* What scope_permit_owner did not permit, as the form has it. */
static enum rc refuse_word(struct oauth_call *call, struct permanent_fault *out_fault)
{
    struct str word = call->refusal.word;
    enum permanent_problem problem;

    if (call->refusal.reason != REASON_SCOPE_UNKNOWN)
        return refuse(PERMANENT_SCOPE_TOO_LONG, out_fault);
    problem = is_known(call, word) ? PERMANENT_SCOPE_NOT_PERMITTED : PERMANENT_SCOPE_UNKNOWN;
    if (str_starts_with(word, service_prefix))
        word = str_from(word, service_prefix.len);
    return permanent_refuse(problem, arena_copy(call->arena, word), out_fault);
}

static enum rc read_scope(struct oauth_call *call, struct str text,
                          struct permission *out_permission, struct permanent_fault *out_fault)
{
    struct str words;
    struct str rest;
    struct str word;
    enum rc rc = read_words(call, text, &words, out_fault);

    if (rc != RC_OK)
        return rc;
    for (rest = words; str_next_word(&rest, &word);) {
        if (!permanent_is_own_word(word))
            continue;
        if (!scope_contains(word, words))
            return permanent_refuse(PERMANENT_SCOPE_NOT_ALONE, word, out_fault);
        /* No service's: the issuer is the audience. */
        *out_permission = (struct permission){ .scope = word, .shape = { .format = TOKEN_OPAQUE } };
        return RC_OK;
    }
    rc = scope_permit_owner(call, words, out_permission);
    return rc == RC_REFUSED ? refuse_word(call, out_fault) : rc;
}

enum rc permanent_check_word(struct oauth_call *call, struct str word,
                             struct permanent_fault *out_fault)
{
    struct permission permission;
    struct str text = str_trim(word);
    size_t used_bytes = call->arena->used_bytes;
    enum rc rc;

    if (str_index_of(text, ' ') < text.len)
        return permanent_refuse(PERMANENT_SCOPE_MALFORMED, arena_copy(call->arena, text),
                                out_fault);
    rc = read_scope(call, text, &permission, out_fault);
    if (rc == RC_OK) /* a form may ask about every word of a long list */
        arena_rewind(call->arena, used_bytes);
    return rc;
}

/* A service and its words, as long as there is room for all of them. */
static void append_choices(const struct service *service, struct buffer *words)
{
    struct str rest = service->scope;
    struct str word;

    if (words->len + 2 + service_prefix.len + service->service_id.len + rest.len > words->max_bytes)
        return;
    if (words->len > 0)
        buffer_append_byte(words, ' ');
    buffer_append_str(words, service_prefix);
    buffer_append_str(words, service->service_id);
    while (str_next_word(&rest, &word)) {
        buffer_append_byte(words, ' ');
        buffer_append_str(words, word);
    }
}

enum rc permanent_choices(struct oauth_call *call, struct str *out_words)
{
    struct buffer services =
        buffer_over(arena_alloc(call->arena, CHOICES_BYTES_MAX), CHOICES_BYTES_MAX);
    struct buffer words =
        buffer_over(arena_alloc(call->arena, CHOICES_BYTES_MAX), CHOICES_BYTES_MAX);
    struct str rest;
    struct str word;
    enum rc rc = catalog_list_password_services(call->oauth->catalog, call->may_block, &services);

    if (rc != RC_OK)
        return rc;
    rest = buffer_str(&services); /* where there are too many, the last may be cut: it is skipped */
    while (str_next_word(&rest, &word)) {
        struct catalog_service *entry;

        rc = catalog_find_service(call->oauth->catalog, str_from(word, service_prefix.len),
                                  call->may_block, &entry);
        if (rc == RC_NOT_FOUND)
            continue;
        if (rc != RC_OK)
            return rc;
        append_choices(&entry->service, &words);
        catalog_service_put(entry);
    }
    if (words.len + 1 + sizeof(PERMANENT_TOKENS_WORD) <= words.max_bytes) {
        buffer_append_str(&words, words.len > 0 ? STR(" ") : STR(""));
        BUFFER_APPEND_LITERAL(&words, PERMANENT_TOKENS_WORD);
    }
    *out_words = buffer_str(&words);
    return RC_OK;
}

/* ---- the addresses --------------------------------------------------------------------------- */

static bool parts_addresses(char c)
{
    return c == ' ' || c == ',' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes the next part off the front. */
static bool next_part(struct str *rest, struct str *out_part)
{
    size_t start = 0;
    size_t end;

    while (start < rest->len && parts_addresses(rest->at[start]))
        start++;
    for (end = start; end < rest->len && !parts_addresses(rest->at[end]); end++)
        continue;
    if (start == end)
        return false;
    *out_part = (struct str){ rest->at + start, end - start };
    *rest = str_from(*rest, end);
    return true;
}

/* Appends a network in its one form, unless it is there already. */
static enum rc append_network(struct oauth_call *call, struct str part, struct buffer *networks,
                              struct permanent_fault *out_fault)
{
    char bytes[NETWORK_TEXT_BYTES_MAX];
    struct buffer text = buffer_over(bytes, sizeof(bytes));
    struct network network;
    enum rc rc = network_parse(part, &network);

    if (rc == RC_INVALID)
        return permanent_refuse(PERMANENT_ADDRESSES_MALFORMED, arena_copy(call->arena, part),
                                out_fault);
    network_format(&network, &text);
    ASSERT(!text.overflow);
    if (rc == RC_REFUSED) /* what it should be is its best explanation */
        return permanent_refuse(PERMANENT_ADDRESSES_HOST_BITS,
                                arena_copy(call->arena, buffer_str(&text)), out_fault);
    if (str_has_word(buffer_str(networks), buffer_str(&text)))
        return RC_OK;
    if (networks->len > 0)
        buffer_append_byte(networks, ' ');
    buffer_append_str(networks, buffer_str(&text));
    return RC_OK;
}

static enum rc read_addresses(struct oauth_call *call, struct str text, struct str *out_addresses,
                              struct permanent_fault *out_fault)
{
    struct buffer networks = buffer_over(arena_alloc(call->arena, PERMANENT_ADDRESSES_BYTES_MAX),
                                         PERMANENT_ADDRESSES_BYTES_MAX);
    struct str part;
    size_t count = 0;

    if (text.len > PERMANENT_ADDRESSES_BYTES_MAX)
        return refuse(PERMANENT_ADDRESSES_TOO_LONG, out_fault);
    while (next_part(&text, &part)) {
        enum rc rc;

        if (++count > PERMANENT_NETWORK_COUNT_MAX)
            return refuse(PERMANENT_ADDRESSES_TOO_LONG, out_fault);
        rc = append_network(call, part, &networks, out_fault);
        if (rc != RC_OK)
            return rc;
    }
    if (networks.overflow)
        return refuse(PERMANENT_ADDRESSES_TOO_LONG, out_fault);
    *out_addresses = buffer_str(&networks);
    return RC_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum rc check_lifetime(int64_t lifetime_s, int64_t lifetime_s_max,
                              struct permanent_fault *out_fault)
{
    if (lifetime_s < 0 || lifetime_s > (int64_t)LIFETIME_DAY_COUNT_MAX * 86400)
        return refuse(PERMANENT_LIFETIME_MALFORMED, out_fault);
    if (lifetime_s_max != 0 && lifetime_s == 0)
        return refuse(PERMANENT_LIFETIME_NEEDED, out_fault);
    if (lifetime_s_max != 0 && lifetime_s > lifetime_s_max)
        return refuse(PERMANENT_LIFETIME_TOO_LONG, out_fault);
    return RC_OK;
}

enum rc permanent_read(struct oauth_call *call, const struct permanent_demand *demand,
                       int64_t lifetime_s_max, struct permanent_plan *out_plan,
                       struct permanent_fault *out_fault)
{
    struct permanent_plan plan;
    enum rc rc = permanent_read_name(call, demand->name, &plan.name, out_fault);

    if (rc == RC_OK)
        rc = read_scope(call, demand->scope, &plan.permission, out_fault);
    if (rc == RC_OK)
        rc = read_addresses(call, demand->addresses, &plan.addresses, out_fault);
    if (rc == RC_OK)
        rc = check_lifetime(demand->lifetime_s, lifetime_s_max, out_fault);
    if (rc != RC_OK)
        return rc;
    plan.id = demand->id;
    plan.binding = demand->binding;
    plan.permission.shape.lifetime_s = demand->lifetime_s;
    *out_plan = plan;
    return RC_OK;
}
