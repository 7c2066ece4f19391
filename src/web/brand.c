#include "web/brand.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/digest.h"

enum { COLOR_TEXT_BYTES = 7, MIX_STEP_COUNT = 16 };

/* WCAG 2.2 1.4.3: of text; and what a dark colour of our own making has at least. */
static const double contrast_min = 4.5;
static const double contrast_made = 6;

struct color {
    unsigned char part[3]; /* red, green, blue */
};

/* One scheme of style.css: what the colour stands on, and what stands on the colour. */
struct scheme {
    struct color grounds[2]; /* --paper, --card */
    const char *advice;
};

static const struct scheme light = { { { { 0xf6, 0xf7, 0xf9 } }, { { 0xff, 0xff, 0xff } } },
                                     "a darker one" };
static const struct scheme dark = { { { { 0x12, 0x16, 0x1c } }, { { 0x1a, 0x20, 0x29 } } },
                                    "a lighter one" };

/* ---- colours --------------------------------------------------------------------------------- */

static bool parse_color(struct str text, struct color *out_color)
{
    struct color color = { { 0 } };

    if (text.len != COLOR_TEXT_BYTES || text.at[0] != '#')
        return false;
    for (size_t i = 1; i < COLOR_TEXT_BYTES; i++) {
        char byte = text.at[i];
        unsigned digit = byte >= '0' && byte <= '9'   ? (unsigned)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (unsigned)(byte - 'a') + 10
                         : byte >= 'A' && byte <= 'F' ? (unsigned)(byte - 'A') + 10
                                                      : 16;

        if (digit == 16)
            return false;
        color.part[(i - 1) / 2] = (unsigned char)(color.part[(i - 1) / 2] * 16u + digit);
    }
    *out_color = color;
    return true;
}

/* WCAG 2.2, relative luminance */
static double luminance(struct color color)
{
    static const double weights[3] = { 0.2126, 0.7152, 0.0722 };
    double sum = 0;

    for (int i = 0; i < 3; i++) {
        double part = color.part[i] / 255.0;

        sum += weights[i] * (part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4));
    }
    return sum;
}

/* WCAG 2.2, contrast ratio */
static double contrast(struct color a, struct color b)
{
    double one = luminance(a) + 0.05;
    double other = luminance(b) + 0.05;

    return one > other ? one / other : other / one;
}

/* The lesser of the two contrasts, and the ground that has it. */
static double least_contrast(struct color color, const struct scheme *scheme,
                             struct color *out_ground)
{
    double first = contrast(color, scheme->grounds[0]);
    double second = contrast(color, scheme->grounds[1]);

    *out_ground = scheme->grounds[first < second ? 0 : 1];
    return first < second ? first : second;
}

static enum rc read_color(const char *name, struct str text, const struct scheme *scheme,
                          struct color *out_color, struct buffer *out_error)
{
    struct color color;
    struct color ground;
    double found;

    if (!parse_color(text, &color)) {
        buffer_append_format(out_error, "%s must be such as #1d5bb8", name);
        return RC_INVALID;
    }
    found = least_contrast(color, scheme, &ground);
    if (found < contrast_min) {
        buffer_append_format(out_error,
                             "%s %.*s has a contrast of %.2f against the page's #%02x%02x%02x, and "
                             "text needs %.1f: choose %s",
                             name, STR_ARGS(text), floor(found * 100) / 100, ground.part[0],
                             ground.part[1], ground.part[2], contrast_min, scheme->advice);
        return RC_INVALID;
    }
    *out_color = color;
    return RC_OK;
}

/* The same hue for the dark scheme: mixed with white until it can be read there. */
static struct color lighten(struct color color)
{
    struct color mixed = color;
    struct color ground;

    for (unsigned step = 0;
         step <= MIX_STEP_COUNT && least_contrast(mixed, &dark, &ground) < contrast_made; step++) {
        for (int i = 0; i < 3; i++)
            mixed.part[i] =
                (unsigned char)(color.part[i] + (255u - color.part[i]) * step / MIX_STEP_COUNT);
    }
    return mixed;
}

static void file_set(struct brand_file *file, struct str type, struct str bytes)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_BYTES];

    digest_sha256(bytes, digest);
    for (size_t i = 0; i < BRAND_VERSION_BYTES; i++)
        file->version[i] = digits[i % 2 == 0 ? digest[i / 2] >> 4 : digest[i / 2] & 0xf];
    file->type = type;
    file->bytes = bytes;
}

static enum rc open_theme(const struct brand_settings *settings, struct brand *brand,
                          struct buffer *out_error)
{
    struct buffer text = buffer_over(brand->theme_bytes, sizeof(brand->theme_bytes));
    struct color day;
    struct color night;
    enum rc rc;

    if (settings->color.at == NULL && settings->color_dark.at == NULL)
        return RC_OK;
    if (settings->color.at == NULL) {
        buffer_append_str(out_error, STR("brand-color-dark needs brand-color"));
        return RC_INVALID;
    }
    rc = read_color("brand-color", settings->color, &light, &day, out_error);
    if (rc != RC_OK)
        return rc;
    night = lighten(day);
    if (settings->color_dark.at != NULL)
        rc = read_color("brand-color-dark", settings->color_dark, &dark, &night, out_error);
    if (rc != RC_OK)
        return rc;
    /* What stands on the colour has the contrast of a ground, or more. */
    buffer_append_format(&text,
                         ":root{--mark:#%02x%02x%02x;--mark-ink:#fff}\n"
                         "@media (prefers-color-scheme:dark){"
                         ":root{--mark:#%02x%02x%02x;--mark-ink:#%02x%02x%02x}}\n",
                         day.part[0], day.part[1], day.part[2], night.part[0], night.part[1],
                         night.part[2], dark.grounds[0].part[0], dark.grounds[0].part[1],
                         dark.grounds[0].part[2]);
    ASSERT(!text.overflow);
    file_set(&brand->theme, STR("text/css; charset=utf-8"), buffer_str(&text));
    return RC_OK;
}

/* ---- the logo -------------------------------------------------------------------------------- */

/* The text behind the first `end` in it; empty when there is none. */
static struct str behind(struct str text, struct str end)
{
    const char *at = text.len == 0 ? NULL : memmem(text.at, text.len, end.at, end.len);

    return at == NULL ? STR("") : str_from(text, (size_t)(at - text.at) + end.len);
}

/* XML whose first element is <svg>, whatever stands before it. */
static bool is_svg(struct str bytes)
{
    struct str rest = str_starts_with(bytes, STR("\xef\xbb\xbf")) ? str_from(bytes, 3) : bytes;

    while (rest.len > 0 && str_is_utf8(bytes)) {
        char byte = rest.at[0];

        if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n')
            rest = str_from(rest, 1);
        else if (str_starts_with(rest, STR("<?")))
            rest = behind(rest, STR("?>"));
        else if (str_starts_with(rest, STR("<!--")))
            rest = behind(rest, STR("-->"));
        else if (str_starts_with(rest, STR("<!DOCTYPE svg")))
            rest = behind(rest, STR(">"));
        else
            return str_starts_with(rest, STR("<svg")) && rest.len > 4 &&
                   strchr(" \t\r\n/>", rest.at[4]) != NULL && rest.at[4] != '\0';
    }
    return false;
}

/* By its first bytes, as browsers tell (MIME Sniffing 6.1); empty: none that is shown. */
static struct str type_of(struct str bytes)
{
    if (str_starts_with(bytes, STR("\x89PNG\r\n\x1a\n")))
        return STR("image/png");
    if (str_starts_with(bytes, STR("\xff\xd8\xff")))
        return STR("image/jpeg");
    if (str_starts_with(bytes, STR("GIF87a")) || str_starts_with(bytes, STR("GIF89a")))
        return STR("image/gif");
    if (str_starts_with(bytes, STR("RIFF")) && bytes.len >= 14 &&
        str_starts_with(str_from(bytes, 8), STR("WEBPVP")))
        return STR("image/webp");
    return is_svg(bytes) ? STR("image/svg+xml") : STR("");
}

static enum rc read_logo(const char *path, char out_bytes[static BRAND_LOGO_BYTES_MAX + 1],
                         size_t *out_len, struct buffer *out_error)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;
    bool is_read = false;

    if (file != NULL) {
        len = fread(out_bytes, 1, BRAND_LOGO_BYTES_MAX + 1, file);
        is_read = ferror(file) == 0;
    }
    if (!is_read)
        buffer_append_format(out_error, "brand-logo cannot be read: %s", strerror(errno));
    if (file != NULL)
        fclose(file);
    *out_len = len;
    return is_read ? RC_OK : RC_INVALID;
}

static enum rc open_logo(const struct brand_settings *settings, struct brand *brand,
                         struct buffer *out_error)
{
    struct str type;
    size_t len;
    enum rc rc;

    if (settings->logo.at == NULL)
        return RC_OK;
    rc = read_logo(settings->logo.at, brand->logo_bytes, &len, out_error);
    if (rc != RC_OK)
        return rc;
    if (len > BRAND_LOGO_BYTES_MAX) {
        buffer_append_format(out_error, "brand-logo is larger than %d KiB",
                             BRAND_LOGO_BYTES_MAX / 1024);
        return RC_INVALID;
    }
    type = type_of((struct str){ brand->logo_bytes, len });
    if (type.len == 0) {
        buffer_append_str(out_error,
                          STR("brand-logo is no picture: SVG, PNG, JPEG, WebP or GIF is needed"));
        return RC_INVALID;
    }
    file_set(&brand->logo, type, (struct str){ brand->logo_bytes, len });
    return RC_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

static enum rc read_name(const struct brand_settings *settings, struct brand *brand,
                         struct buffer *out_error)
{
    struct str name = settings->name;

    brand->name = STR("Jeton");
    if (name.at == NULL)
        return RC_OK;
    if (name.len == 0 || name.len > BRAND_NAME_BYTES_MAX || !str_is_utf8(name) ||
        str_has_control(name) || str_trim(name).len != name.len) {
        buffer_append_format(out_error,
                             "brand-name must be 1 to %d bytes of UTF-8 without control "
                             "characters and without spaces at its ends",
                             BRAND_NAME_BYTES_MAX);
        return RC_INVALID;
    }
    brand->name = name;
    return RC_OK;
}

enum rc brand_open(const struct brand_settings *settings, struct brand **out_brand,
                   struct buffer *out_error)
{
    struct brand *brand = calloc(1, sizeof(*brand));
    enum rc rc;

    ASSERT(brand != NULL);
    rc = read_name(settings, brand, out_error);
    if (rc == RC_OK)
        rc = open_theme(settings, brand, out_error);
    if (rc == RC_OK)
        rc = open_logo(settings, brand, out_error);
    if (rc != RC_OK) {
        brand_close(brand);
        return rc;
    }
    *out_brand = brand;
    return RC_OK;
}

void brand_close(struct brand *brand)
{
    free(brand);
}

struct str brand_file_version(const struct brand_file *file)
{
    return file->bytes.len == 0 ? STR("") : (struct str){ file->version, sizeof(file->version) };
}
