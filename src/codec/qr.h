/*
 * codec/qr.h: QR codes (ISO/IEC 18004) of short texts, such as an otpauth URI.
 */
#ifndef JETON_CODEC_QR_H
#define JETON_CODEC_QR_H

#include "base/arena.h"
#include "base/rc.h"

struct qr {
    size_t width;         /* modules on each side, without the quiet zone */
    const bool *is_black; /* width * width of them, row by row; in the arena */
};

/* The quiet zone on each side, in modules. */
enum { QR_QUIET_WIDTH = 4 };

/*
 * Makes the smallest code that holds the bytes, with the least error correction: it is read from a
 * screen.
 *
 * Answers: RC_OK · RC_TOO_LARGE over 2953 bytes, or a NUL byte.  Faults: RC_SYSTEM no memory
 */
enum rc qr_encode(struct str text, struct arena *arena, struct qr *out_qr) MUST_CHECK;

#endif
