/*
 * crypto/cbor_view.h: reading the CBOR of authenticators, and no other (RFC 8949).
 *
 * The strict form that authenticators must write (CTAP2 canonical CBOR; WebAuthn 2): lengths are
 * stated, heads are as short as can be, keys are integers or text and none is there twice, nothing
 * is nested deeper than four levels, and there are neither tags nor floats. The one thing that is
 * not asked for is the order of keys, in which authenticators err and which harms nobody.
 *
 * libcbor's decoder takes one head at a time off the input and allocates nothing; here is what
 * keeps its heads together. Views point into the input. Any thread.
 */
#ifndef JETON_CRYPTO_CBOR_VIEW_H
#define JETON_CRYPTO_CBOR_VIEW_H

#include "base/rc.h"
#include "base/str.h"

enum {
    CBOR_VIEW_DEPTH_MAX = 4,      /* CTAP 2.1 section 8: of maps and arrays */
    CBOR_VIEW_PAIR_COUNT_MAX = 32 /* of one map; an honest one has below ten */
};

enum cbor_view_kind {
    CBOR_VIEW_NUMBER,
    CBOR_VIEW_BYTES,
    CBOR_VIEW_TEXT, /* not checked to be UTF-8 */
    CBOR_VIEW_ARRAY,
    CBOR_VIEW_MAP,
    CBOR_VIEW_BOOL,
    CBOR_VIEW_NULL
};

/* One item with everything that is in it. */
struct cbor_view {
    enum cbor_view_kind kind;
    int64_t number;     /* the value; 0 or 1; or how many items an array and pairs a map has */
    struct str inside;  /* of bytes, text, array and map: what follows the head */
    struct str encoded; /* head and inside */
};

/*
 * Takes the item at the front of *rest off it. *rest is untouched unless RC_OK.
 *
 * Answers: RC_OK, and all that is in the item is well-formed too · RC_INVALID
 * Source:  RFC 8949 section 3; CTAP 2.1 section 8; WebAuthn 2
 */
enum rc cbor_view_read(struct str *rest, struct cbor_view *out_view) MUST_CHECK;

/* The same for an item that is the whole of bytes. */
enum rc cbor_view_parse(struct str bytes, struct cbor_view *out_view) MUST_CHECK;

/* The value of that key in a map that was read by the above, when it is of that kind. */
bool cbor_view_find_text(const struct cbor_view *map, struct str key, enum cbor_view_kind kind,
                         struct cbor_view *out_value);
bool cbor_view_find_number(const struct cbor_view *map, int64_t key, enum cbor_view_kind kind,
                           struct cbor_view *out_value);

#endif
