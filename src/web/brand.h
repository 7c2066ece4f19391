/*
 * web/brand.h: what makes the pages an organisation's own: a name, a logo, a colour.
 *
 * All of it comes from the configuration, is read and checked once, and stays as it is: a logo file
 * that is changed later shows after a restart. Nothing that could make a page unreadable is taken:
 * a colour needs the contrast of WCAG 2.2 AA against all that it stands on in style.css. The logo
 * is served as a file of ours, in such a way that an SVG can neither run a script nor load
 * anything.
 *
 * Memory: startup. Threads: constant after brand_open.
 */
#ifndef JETON_WEB_BRAND_H
#define JETON_WEB_BRAND_H

#include "base/buffer.h"
#include "base/rc.h"

enum {
    BRAND_NAME_BYTES_MAX = 64,
    BRAND_LOGO_BYTES_MAX = 32 * 1024, /* it is asked for with the first page */
    BRAND_VERSION_BYTES = 16,
    BRAND_THEME_BYTES_MAX = 256
};

/* The settings of these names, each with a NUL behind it; empty and at NULL: not said. */
struct brand_settings {
    struct str name;
    struct str logo;       /* a file */
    struct str color;      /* "#rrggbb" */
    struct str color_dark; /* for the dark scheme; not said: made from `color` */
};

/* A file of the brand, with the version by which pages ask for it; bytes empty: there is none. */
struct brand_file {
    struct str type; /* for Content-Type */
    struct str bytes;
    char version[BRAND_VERSION_BYTES]; /* of its content */
};

struct brand {
    struct str name; /* "Jeton", or the settings' text */
    struct brand_file logo;
    struct brand_file theme; /* a style sheet */
    char theme_bytes[BRAND_THEME_BYTES_MAX];
    char logo_bytes[BRAND_LOGO_BYTES_MAX + 1];
};

/*
 * Reads and checks what the settings say; what they do not say is Jeton's own.
 *
 * settings    its texts outlive the brand
 * out_error   on RC_INVALID: begins with the name of the setting
 *
 * Source: WCAG 2.2 1.4.3
 */
enum rc brand_open(const struct brand_settings *settings, struct brand **out_brand,
                   struct buffer *out_error) MUST_CHECK;
void brand_close(struct brand *brand);

/* The version as text; empty when there is no such file. */
struct str brand_file_version(const struct brand_file *file);

#endif
