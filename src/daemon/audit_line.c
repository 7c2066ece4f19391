#include "daemon/audit_line.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "account/audit.h"
#include "daemon/sink.h"

enum { ADDRESS_BYTES = 16, MAPPED_BYTES = 12 };

static const char hex_digits[] = "0123456789abcdef";
static const unsigned char mapped[MAPPED_BYTES] = { [10] = 0xff, [11] = 0xff };

/* ---- out ---- */

struct str audit_address_text(struct str address, char out_text[static AUDIT_ADDRESS_BYTES])
{
    static const char zeros[ADDRESS_BYTES];
    bool is_ipv4;

    if (address.len != ADDRESS_BYTES || memcmp(address.at, zeros, ADDRESS_BYTES) == 0)
        return STR("");
    is_ipv4 = memcmp(address.at, mapped, MAPPED_BYTES) == 0;
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? address.at + MAPPED_BYTES : address.at,
              out_text, AUDIT_ADDRESS_BYTES);
    return str_of(out_text);
}

static void member_number(struct json_out *json, const char *name, int64_t number)
{
    if (number != 0)
        json_member_number(json, str_of(name), number);
}

void audit_line_members(const struct trail_event *event, struct json_out *json)
{
    char at[SINK_TIME_BYTES];
    char text[AUDIT_ADDRESS_BYTES];
    struct str address = audit_address_text(event->address, text);

    sink_time_format(event->at, at);
    json_member_number(json, STR("id"), event->id);
    json_member_string(json, STR("at"), str_of(at));
    json_member_string(json, STR("event"), event_kind_format((enum event_kind)event->kind));
    json_member_number(json, STR("kind"), event->kind);
    member_number(json, "account_id", event->account_id);
    member_number(json, "client_id", event->client_id);
    member_number(json, "token_id", event->token_id);
    if (address.len > 0)
        json_member_string(json, STR("address"), address);
    if (event->detail.len > 0)
        json_member_string(json, STR("detail"), event->detail);
}

void audit_hex_append(const unsigned char *bytes, size_t len, struct buffer *to)
{
    for (size_t i = 0; i < len; i++) {
        buffer_append_byte(to, hex_digits[bytes[i] >> 4]);
        buffer_append_byte(to, hex_digits[bytes[i] & 15]);
    }
}

static void member_hex(struct json_out *json, const char *name, const unsigned char *bytes,
                       size_t len)
{
    char text[2 * TRAIL_SIGNATURE_BYTES + 1];
    struct buffer hex = buffer_over(text, sizeof(text));

    audit_hex_append(bytes, len, &hex);
    json_member_string(json, str_of(name), buffer_str(&hex));
}

void audit_line_checkpoint(const struct checkpoint *checkpoint, struct buffer *to)
{
    struct json_out json = json_out_over(to);

    json_begin_object(&json);
    json_name(&json, STR("checkpoint"));
    json_begin_object(&json);
    json_member_number(&json, STR("number"), checkpoint->number);
    json_member_number(&json, STR("last_event_id"), checkpoint->last_event_id);
    json_member_number(&json, STR("event_count"), checkpoint->event_count);
    json_member_number(&json, STR("at"), checkpoint->at);
    member_hex(&json, "digest", checkpoint->digest, DIGEST_BYTES);
    member_hex(&json, "public_key", checkpoint->public_key, TRAIL_KEY_BYTES);
    member_hex(&json, "signature", checkpoint->signature, TRAIL_SIGNATURE_BYTES);
    if (checkpoint->trimmed_at > 0)
        json_member_number(&json, STR("trimmed_at"), checkpoint->trimmed_at);
    json_end_object(&json);
    json_end_object(&json);
}

/* ---- back ---- */

bool audit_hex_read(struct str text, unsigned char *out_bytes, size_t len)
{
    if (text.len != 2 * len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.at[i] == '\0' ? NULL : strchr(hex_digits, text.at[i] | 0x20);

        if (digit == NULL)
            return false;
        out_bytes[i / 2] = (unsigned char)(out_bytes[i / 2] << 4 | (digit - hex_digits));
    }
    return true;
}

static bool read_number(const struct json_value *object, const char *name, int64_t *out_number)
{
    enum rc rc = json_get_number(json_find(object, str_of(name)), out_number);

    if (rc == RC_NOT_FOUND)
        *out_number = 0;
    return rc != RC_INVALID;
}

static bool read_text(const struct json_value *object, const char *name, struct str *out_text)
{
    enum rc rc = json_get_string(json_find(object, str_of(name)), out_text);

    if (rc == RC_NOT_FOUND)
        *out_text = STR("");
    return rc != RC_INVALID;
}

static bool read_address(struct str text, unsigned char address[static ADDRESS_BYTES])
{
    char bytes[AUDIT_ADDRESS_BYTES];

    memset(address, 0, ADDRESS_BYTES);
    if (text.len == 0)
        return true;
    if (text.len >= sizeof(bytes))
        return false;
    memcpy(bytes, text.at, text.len);
    bytes[text.len] = '\0';
    if (str_index_of(text, ':') < text.len)
        return inet_pton(AF_INET6, bytes, address) == 1;
    memcpy(address, mapped, MAPPED_BYTES);
    return inet_pton(AF_INET, bytes, address + MAPPED_BYTES) == 1;
}

/* The word beside the number is what people read: it has to say the same. */
static bool is_kind(struct str word, int64_t kind)
{
    struct str known = event_kind_format((enum event_kind)kind);

    return str_equal(known, STR("unknown")) || str_equal(known, word);
}

enum rc audit_line_read_event(const struct json_value *line, unsigned char address[static 16],
                              struct trail_event *out_event)
{
    struct trail_event event;
    struct str at;
    struct str word;
    struct str from;

    if (!read_number(line, "id", &event.id) || !read_number(line, "kind", &event.kind) ||
        !read_number(line, "account_id", &event.account_id) ||
        !read_number(line, "client_id", &event.client_id) ||
        !read_number(line, "token_id", &event.token_id) || !read_text(line, "at", &at) ||
        !read_text(line, "event", &word) || !read_text(line, "address", &from) ||
        !read_text(line, "detail", &event.detail))
        return RC_INVALID;
    if (event.id == 0 || event.kind != (int)event.kind || !is_kind(word, event.kind) ||
        !read_address(from, address) || str_index_of(at, '.') < at.len ||
        audit_time_read(at, &event.at) != RC_OK)
        return RC_INVALID;
    event.address = (struct str){ (const char *)address, ADDRESS_BYTES };
    *out_event = event;
    return RC_OK;
}

static bool read_hex(const struct json_value *object, const char *name, unsigned char *out_bytes,
                     size_t len)
{
    struct str text;

    return json_get_string(json_find(object, str_of(name)), &text) == RC_OK &&
           audit_hex_read(text, out_bytes, len);
}

enum rc audit_line_read_checkpoint(const struct json_value *object,
                                   struct checkpoint *out_checkpoint)
{
    struct checkpoint checkpoint = { .is_open = false };

    if (!read_number(object, "number", &checkpoint.number) ||
        !read_number(object, "last_event_id", &checkpoint.last_event_id) ||
        !read_number(object, "event_count", &checkpoint.event_count) ||
        !read_number(object, "at", &checkpoint.at) ||
        !read_number(object, "trimmed_at", &checkpoint.trimmed_at) ||
        !read_hex(object, "digest", checkpoint.digest, DIGEST_BYTES) ||
        !read_hex(object, "public_key", checkpoint.public_key, TRAIL_KEY_BYTES) ||
        !read_hex(object, "signature", checkpoint.signature, TRAIL_SIGNATURE_BYTES))
        return RC_INVALID;
    *out_checkpoint = checkpoint;
    return RC_OK;
}
