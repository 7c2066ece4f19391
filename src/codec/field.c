#include "codec/field.h"

void field_put_number(struct buffer *to, uint32_t number)
{
    const unsigned char bytes[FIELD_NUMBER_BYTES] = { (unsigned char)number,
                                                      (unsigned char)(number >> 8),
                                                      (unsigned char)(number >> 16),
                                                      (unsigned char)(number >> 24) };

    buffer_append(to, bytes, sizeof(bytes));
}

void field_put(struct buffer *to, struct str bytes)
{
    if (bytes.len > UINT32_MAX) {
        to->overflow = true;
        return;
    }
    field_put_number(to, (uint32_t)bytes.len);
    buffer_append_str(to, bytes);
}

bool field_take_number(struct str *rest, uint32_t *out_number)
{
    const unsigned char *bytes = (const unsigned char *)rest->at;

    if (rest->len < FIELD_NUMBER_BYTES)
        return false;
    *out_number = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                  (uint32_t)bytes[3] << 24;
    *rest = str_from(*rest, FIELD_NUMBER_BYTES);
    return true;
}

bool field_take(struct str *rest, struct str *out_bytes)
{
    struct str after = *rest;
    uint32_t len;

    if (!field_take_number(&after, &len) || len > after.len)
        return false;
    *out_bytes = (struct str){ after.at, len };
    *rest = str_from(after, len);
    return true;
}
