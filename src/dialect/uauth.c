#include "codec/json.h"
#include "dialect/dialect.h"
#include "oauth/token_request.h"

/* u-Auth's documents show a number on some pages and a string on others: the service says which. */
static void format_expiry(const struct token_answer *answer, struct json_out *json)
{
    json_name(json, STR("expires_in"));
    if (answer->expires_in_as_string) {
        char digits[24];
        struct buffer text = buffer_over(digits, sizeof(digits));

        buffer_append_u64(&text, (uint64_t)answer->expires_in_s);
        json_text(json, buffer_str(&text));
    } else {
        json_number(json, answer->expires_in_s);
    }
}

/* The documented members in the documented order, and no others. */
static void format(const struct token_answer *answer, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);

    json_begin_object(&json);
    json_member_string(&json, STR("token_type"), token_type_of(answer->binding));
    json_member_string(&json, STR("scope"), answer->scope);
    json_member_string(&json, STR("access_token"), answer->access_token);
    format_expiry(answer, &json);
    json_end_object(&json);
}

const struct token_profile uauth_profile = { .format = format };

static bool is_on(const struct dialect_settings *settings)
{
    return settings->uauth;
}

static struct str prefix(const struct dialect_settings *settings)
{
    return settings->uauth_prefix;
}

static struct str host(const struct dialect_settings *settings)
{
    return settings->uauth_host;
}

const struct dialect dialect_uauth = {
    .name = "u-Auth", .is_on = is_on, .prefix = prefix, .host = host
};
