#include "codec/json.h"
#include "oauth/token_request.h"

const struct token_profile token_profile_standard = { .format = token_answer_format };

void token_profile_shape(const struct token_profile *profile, struct permission *permission)
{
    if (!profile->has_shape)
        return;
    permission->shape.format = profile->shape.format;
    permission->shape.alg = profile->shape.alg;
    /* Where services are named, they say how long their tokens live. */
    if (permission->audience.len == 0)
        permission->shape.lifetime_s = profile->shape.lifetime_s;
}

int64_t token_expires_in(const struct token *row, int64_t now)
{
    return row->expires_at == 0 ? 0 : row->expires_at - now;
}

/* RFC 9449 5; a certificate's holder sends its token as Bearer (RFC 8705 3) */
struct str token_type_of(enum binding_kind binding)
{
    return binding == BINDING_DPOP ? STR("DPoP") : STR("Bearer");
}

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

void token_answer_format(const struct token_answer *answer, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);

    json_begin_object(&json);
    json_member_string(&json, STR("access_token"), answer->access_token);
    json_member_string(&json, STR("token_type"), token_type_of(answer->binding));
    if (answer->expires_in_s != 0)
        format_expiry(answer, &json);
    if (answer->refresh_token.len > 0)
        json_member_string(&json, STR("refresh_token"), answer->refresh_token);
    if (answer->scope.len > 0)
        json_member_string(&json, STR("scope"), answer->scope);
    if (answer->id_token.len > 0)
        json_member_string(&json, STR("id_token"), answer->id_token);
    if (answer->issued_token_type.len > 0)
        json_member_string(&json, STR("issued_token_type"), answer->issued_token_type);
    if (answer->details.len > 0) {
        json_name(&json, STR("authorization_details")); /* RFC 9396 7 */
        json_raw(&json, answer->details);
    }
    json_end_object(&json);
}
