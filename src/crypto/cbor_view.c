#include "crypto/cbor_view.h"

#include <cbor.h>

/* What libcbor says of one head. What no callback of ours is told of stays without a kind. */
struct head {
    bool is_known;
    enum cbor_view_kind kind;
    uint64_t argument; /* of the head: RFC 8949 3 */
    bool is_negative;
    struct str string;
};

static void take_head(void *context, enum cbor_view_kind kind, uint64_t argument)
{
    struct head *head = context;

    head->is_known = true;
    head->kind = kind;
    head->argument = argument;
}

static void take_unsigned_8(void *context, uint8_t number)
{
    take_head(context, CBOR_VIEW_NUMBER, number);
}

static void take_unsigned_16(void *context, uint16_t number)
{
    take_head(context, CBOR_VIEW_NUMBER, number);
}

static void take_unsigned_32(void *context, uint32_t number)
{
    take_head(context, CBOR_VIEW_NUMBER, number);
}

static void take_unsigned_64(void *context, uint64_t number)
{
    take_head(context, CBOR_VIEW_NUMBER, number);
}

static void take_negative_64(void *context, uint64_t number)
{
    struct head *head = context;

    head->is_negative = true;
    take_head(context, CBOR_VIEW_NUMBER, number);
}

static void take_negative_8(void *context, uint8_t number)
{
    take_negative_64(context, number);
}

static void take_negative_16(void *context, uint16_t number)
{
    take_negative_64(context, number);
}

static void take_negative_32(void *context, uint32_t number)
{
    take_negative_64(context, number);
}

static void take_string(void *context, enum cbor_view_kind kind, cbor_data at, size_t len)
{
    struct head *head = context;

    head->string = (struct str){ (const char *)at, len };
    take_head(context, kind, len);
}

static void take_bytes(void *context, cbor_data at, size_t len)
{
    take_string(context, CBOR_VIEW_BYTES, at, len);
}

static void take_text(void *context, cbor_data at, size_t len)
{
    take_string(context, CBOR_VIEW_TEXT, at, len);
}

static void take_array(void *context, size_t count)
{
    take_head(context, CBOR_VIEW_ARRAY, count);
}

static void take_map(void *context, size_t count)
{
    take_head(context, CBOR_VIEW_MAP, count);
}

static void take_bool(void *context, bool value)
{
    take_head(context, CBOR_VIEW_BOOL, value);
}

static void take_null(void *context)
{
    take_head(context, CBOR_VIEW_NULL, 0);
}

/* The bytes of the shortest head with that argument. */
static size_t shortest_head_bytes(uint64_t argument)
{
    if (argument < 24)
        return 1;
    if (argument <= UINT8_MAX)
        return 2;
    if (argument <= UINT16_MAX)
        return 3;
    return argument <= UINT32_MAX ? 5 : 9;
}

/* Reads a head, and the contents of a string with it. */
static enum rc read_head(struct str from, struct head *out_head, size_t *out_bytes)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    struct cbor_decoder_result result;
    struct head head = { 0 };

    callbacks.uint8 = take_unsigned_8;
    callbacks.uint16 = take_unsigned_16;
    callbacks.uint32 = take_unsigned_32;
    callbacks.uint64 = take_unsigned_64;
    callbacks.negint8 = take_negative_8;
    callbacks.negint16 = take_negative_16;
    callbacks.negint32 = take_negative_32;
    callbacks.negint64 = take_negative_64;
    callbacks.byte_string = take_bytes;
    callbacks.string = take_text;
    callbacks.array_start = take_array;
    callbacks.map_start = take_map;
    callbacks.boolean = take_bool;
    callbacks.null = take_null;
    if (from.len == 0)
        return RC_INVALID;
    result = cbor_stream_decode((cbor_data)from.at, from.len, &callbacks, &head);
    if (result.status != CBOR_DECODER_FINISHED || !head.is_known || head.argument > INT64_MAX)
        return RC_INVALID;
    /* CTAP 2.1 8: as short as possible. Else one key could be written in several ways. */
    if (result.read != shortest_head_bytes(head.argument) + head.string.len)
        return RC_INVALID;
    *out_head = head;
    *out_bytes = result.read;
    return RC_OK;
}

static enum rc read_item(struct str *rest, unsigned depth, struct cbor_view *out_view);

static enum rc read_array(struct str *rest, uint64_t count, unsigned depth)
{
    struct cbor_view item;
    enum rc rc = RC_OK;

    /* Each item takes a byte at least, so a count that lies ends soon. */
    for (uint64_t i = 0; rc == RC_OK && i < count; i++)
        rc = read_item(rest, depth, &item);
    return rc;
}

static enum rc read_map(struct str *rest, uint64_t count, unsigned depth)
{
    struct str keys[CBOR_VIEW_PAIR_COUNT_MAX];
    struct cbor_view key, value;

    if (count > CBOR_VIEW_PAIR_COUNT_MAX)
        return RC_INVALID;
    for (size_t i = 0; i < count; i++) {
        if (read_item(rest, depth, &key) != RC_OK || read_item(rest, depth, &value) != RC_OK)
            return RC_INVALID;
        if (key.kind != CBOR_VIEW_NUMBER && key.kind != CBOR_VIEW_TEXT)
            return RC_INVALID;
        keys[i] = key.encoded;
        for (size_t j = 0; j < i; j++) {
            if (str_equal(keys[j], keys[i])) /* WebAuthn 2 */
                return RC_INVALID;
        }
    }
    return RC_OK;
}

/* depth: how many maps and arrays the item stands in. */
static enum rc read_item(struct str *rest, unsigned depth, struct cbor_view *out_view)
{
    struct str left = *rest;
    struct head head;
    size_t head_bytes;
    enum rc rc;

    rc = read_head(left, &head, &head_bytes);
    if (rc != RC_OK)
        return rc;
    left = str_from(left, head_bytes);
    *out_view = (struct cbor_view){ .kind = head.kind, .number = (int64_t)head.argument };
    if (head.is_negative)
        out_view->number = -1 - out_view->number;
    out_view->inside = head.string;
    if (head.kind == CBOR_VIEW_ARRAY || head.kind == CBOR_VIEW_MAP) {
        if (depth == CBOR_VIEW_DEPTH_MAX)
            return RC_INVALID;
        out_view->inside.at = left.at;
        rc = head.kind == CBOR_VIEW_MAP ? read_map(&left, head.argument, depth + 1)
                                        : read_array(&left, head.argument, depth + 1);
        out_view->inside.len = rest->len - head_bytes - left.len;
    }
    out_view->encoded = (struct str){ rest->at, rest->len - left.len };
    if (rc == RC_OK)
        *rest = left;
    return rc;
}

enum rc cbor_view_read(struct str *rest, struct cbor_view *out_view)
{
    struct cbor_view view;
    enum rc rc = read_item(rest, 0, &view);

    if (rc == RC_OK)
        *out_view = view;
    return rc;
}

enum rc cbor_view_parse(struct str bytes, struct cbor_view *out_view)
{
    struct cbor_view view;

    if (cbor_view_read(&bytes, &view) != RC_OK || bytes.len > 0)
        return RC_INVALID;
    *out_view = view;
    return RC_OK;
}

/* What was read once is well-formed, so that reading it again cannot fail. */
static struct cbor_view next_item(struct str *rest)
{
    struct cbor_view view;

    ASSERT(read_item(rest, 0, &view) == RC_OK);
    return view;
}

static bool find(const struct cbor_view *map, const struct cbor_view *wanted,
                 enum cbor_view_kind kind, struct cbor_view *out_value)
{
    struct str rest = map->inside;

    ASSERT(map->kind == CBOR_VIEW_MAP);
    while (rest.len > 0) {
        struct cbor_view key = next_item(&rest), value = next_item(&rest);
        bool is_it = key.kind == wanted->kind &&
                     (key.kind == CBOR_VIEW_TEXT ? str_equal(key.inside, wanted->inside)
                                                 : key.number == wanted->number);

        if (is_it && value.kind == kind)
            *out_value = value;
        if (is_it)
            return value.kind == kind;
    }
    return false;
}

bool cbor_view_find_text(const struct cbor_view *map, struct str key, enum cbor_view_kind kind,
                         struct cbor_view *out_value)
{
    return find(map, &(struct cbor_view){ .kind = CBOR_VIEW_TEXT, .inside = key }, kind, out_value);
}

bool cbor_view_find_number(const struct cbor_view *map, int64_t key, enum cbor_view_kind kind,
                           struct cbor_view *out_value)
{
    return find(map, &(struct cbor_view){ .kind = CBOR_VIEW_NUMBER, .number = key }, kind,
                out_value);
}
