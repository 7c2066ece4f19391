#include "codec/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>

enum { QR_BYTES_MAX = 2953 }; /* ISO/IEC 18004 table 7: version 40, level L, bytes */

enum rc qr_encode(struct str text, struct arena *arena, struct qr *out_qr)
{
    QRcode *code;
    bool *is_black;
    size_t width;
    size_t count;

    if (text.len == 0 || text.len > QR_BYTES_MAX || str_index_of(text, '\0') < text.len)
        return RC_TOO_LARGE;
    code = QRcode_encodeData((int)text.len, (const unsigned char *)text.at, 0, QR_ECLEVEL_L);
    if (code == NULL)
        return errno == ERANGE ? RC_TOO_LARGE : RC_SYSTEM;
    width = (size_t)code->width;
    count = width * width;
    is_black = arena_alloc(arena, count * sizeof(*is_black));
    for (size_t i = 0; i < count; i++)
        is_black[i] = (code->data[i] & 1) != 0;
    explicit_bzero(code->data, count);
    QRcode_free(code);
    *out_qr = (struct qr){ .width = width, .is_black = is_black };
    return RC_OK;
}
