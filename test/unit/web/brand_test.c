/* What the settings of the brand may be, and what is made of them. */
#include "crypto/digest.h"
#include "web/brand.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* clang-format on */

enum { STYLE_BYTES_MAX = 64 * 1024 };

static char error_bytes[512];
static char style_bytes[STYLE_BYTES_MAX];

static int read_style(void **state)
{
    char path[4096];
    FILE *file;

    (void)state;
    crypto_init();
    snprintf(path, sizeof(path), "%s/pages/style.css", getenv("JETON_SOURCE_ROOT"));
    file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(style_bytes, 1, sizeof(style_bytes) - 1, file) > 0);
    fclose(file);
    return 0;
}

/* Opens, and keeps what was said in error_bytes. */
static enum rc open_brand(struct brand_settings settings, struct brand **out_brand)
{
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes) - 1);
    enum rc rc = brand_open(&settings, out_brand, &error);

    error_bytes[error.len] = '\0';
    return rc;
}

static void expect_refused(struct brand_settings settings, const char *begin)
{
    struct brand *brand = NULL;

    assert_int_equal(open_brand(settings, &brand), RC_INVALID);
    assert_null(brand);
    if (strncmp(error_bytes, begin, strlen(begin)) != 0)
        fail_msg("said: %s", error_bytes);
}

static void expect_theme(struct brand_settings settings, const char *part)
{
    struct brand *brand;

    assert_int_equal(open_brand(settings, &brand), RC_OK);
    assert_non_null(memmem(brand->theme.bytes.at, brand->theme.bytes.len, part, strlen(part)));
    brand_close(brand);
}

static void test_nothing_said_is_jeton(void **state)
{
    struct brand *brand;

    (void)state;
    assert_int_equal(open_brand((struct brand_settings){ 0 }, &brand), RC_OK);
    assert_true(str_equal(brand->name, STR("Jeton")));
    assert_int_equal(brand_file_version(&brand->logo).len, 0);
    assert_int_equal(brand_file_version(&brand->theme).len, 0);
    brand_close(brand);
}

static void test_names(void **state)
{
    static const char *const wrong[] = { "", " x", "x ", "a\nb", "a\x7f", "\xff\xfe" };
    char long_name[BRAND_NAME_BYTES_MAX + 2] = { 0 };
    struct brand *brand;

    (void)state;
    memset(long_name, 'x', BRAND_NAME_BYTES_MAX + 1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect_refused((struct brand_settings){ .name = str_of(wrong[i]) }, "brand-name must be");
    expect_refused((struct brand_settings){ .name = str_of(long_name) }, "brand-name must be");
    assert_int_equal(
        open_brand((struct brand_settings){ .name = str_from(str_of(long_name), 1) }, &brand),
        RC_OK);
    assert_int_equal(brand->name.len, BRAND_NAME_BYTES_MAX);
    brand_close(brand);
}

/* ---- colours --------------------------------------------------------------------------------- */

static void test_what_is_no_colour(void **state)
{
    static const char *const wrong[] = { "",         "#",        "1d5bb8",  "#1d5bb",
                                         "#1d5bb80", "#1d5bbg",  "#1d5bb:", "blue",
                                         "#fff",     " #1d5bb8", "#1d5bb8;" };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect_refused((struct brand_settings){ .color = str_of(wrong[i]) },
                       "brand-color must be such as");
    expect_refused((struct brand_settings){ .color_dark = STR("#8db7f5") },
                   "brand-color-dark needs brand-color");
}

/* The colour that a scheme of style.css gives a name: of the first block, or of the second. */
static struct str ground(const char *name, bool is_dark)
{
    const char *at = strstr(style_bytes, name);

    if (at != NULL && is_dark)
        at = strstr(at + 1, name);
    assert_non_null(at);
    return (struct str){ at + strlen(name), 7 };
}

/* What is measured against is what people see. */
static void test_grounds_are_those_of_the_style(void **state)
{
    struct brand_settings settings = { .color = STR("#767676") };
    char expected[128];

    (void)state;
    assert_true(str_equal(ground("--card: ", false), STR("#fff;\n ")));
    snprintf(expected, sizeof(expected),
             "brand-color #767676 has a contrast of 4.23 against the page's %.*s",
             STR_ARGS(ground("--paper: ", false)));
    expect_refused(settings, expected);
    settings = (struct brand_settings){ .color = STR("#1d5bb8"), .color_dark = STR("#777777") };
    snprintf(expected, sizeof(expected),
             "brand-color-dark #777777 has a contrast of 3.65 against the page's %.*s",
             STR_ARGS(ground("--card: ", true)));
    expect_refused(settings, expected);
    /* What stands on the dark colour is the other ground. */
    settings.color_dark = STR("#8db7f5");
    snprintf(expected, sizeof(expected), "--mark-ink:%.*s", STR_ARGS(ground("--paper: ", true)));
    expect_theme(settings, expected);
}

/* WCAG 2.2 1.4.3: 4.5 to 1. On #f6f7f9 and #ffffff grey passes up to #717171; on #12161c and
 * #1a2029 from #858585 on. */
static void test_contrast_decides_at_its_bound(void **state)
{
    (void)state;
    expect_theme((struct brand_settings){ .color = STR("#717171") }, "--mark:#717171");
    expect_refused((struct brand_settings){ .color = STR("#727272") }, "brand-color #727272 has");
    expect_theme((struct brand_settings){ .color = STR("#1D5BB8"), .color_dark = STR("#888888") },
                 "--mark:#1d5bb8;--mark-ink:#fff}");
    expect_refused((struct brand_settings){ .color = STR("#1d5bb8"), .color_dark = STR("#868686") },
                   "brand-color-dark #868686 has");
}

static void test_dark_colour_is_made_when_none_is_given(void **state)
{
    static const char *const colors[] = { "#000000", "#1d5bb8", "#b3261e", "#14683a", "#00007f" };

    (void)state;
    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {
        struct brand_settings settings = { .color = str_of(colors[i]) };
        struct brand *brand;
        const char *at;
        char made[8] = { 0 };

        assert_int_equal(open_brand(settings, &brand), RC_OK);
        at = memmem(brand->theme.bytes.at, brand->theme.bytes.len, "dark){:root{--mark:", 19);
        assert_non_null(at);
        memcpy(made, at + 19, 7);
        brand_close(brand);
        /* It would have been taken. */
        settings.color_dark = str_of(made);
        expect_theme(settings, made);
    }
}

/* ---- the logo -------------------------------------------------------------------------------- */

struct logo_file {
    char path[64];
};

static struct brand_settings logo_of(const void *bytes, size_t len, struct logo_file *file)
{
    int fd;

    snprintf(file->path, sizeof(file->path), "/tmp/jeton-brand-XXXXXX");
    fd = mkstemp(file->path);
    assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
    return (struct brand_settings){ .logo = str_of(file->path) };
}

static void expect_logo(struct str bytes, const char *type)
{
    struct logo_file file;
    struct brand_settings settings = logo_of(bytes.at, bytes.len, &file);
    struct brand *brand;

    if (type == NULL) {
        expect_refused(settings, "brand-logo is no picture");
    } else {
        assert_int_equal(open_brand(settings, &brand), RC_OK);
        assert_true(str_equal(brand->logo.type, str_of(type)));
        assert_true(str_equal(brand->logo.bytes, bytes));
        assert_int_equal(brand_file_version(&brand->logo).len, BRAND_VERSION_BYTES);
        brand_close(brand);
    }
    unlink(file.path);
}

static void test_type_is_told_by_the_bytes(void **state)
{
    (void)state;
    expect_logo(STR("\x89PNG\r\n\x1a\n...."), "image/png");
    expect_logo(STR("\xff\xd8\xff\xe0...."), "image/jpeg");
    expect_logo(STR("GIF89a...."), "image/gif");
    expect_logo(STR("RIFF\x10\x00\x00\x00WEBPVP8 ...."), "image/webp");
    expect_logo(STR("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "image/svg+xml");
    expect_logo(STR("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- <html> -->\n"
                    "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"svg11.dtd\">\n<svg>"),
                "image/svg+xml");
}

static void test_what_is_no_picture(void **state)
{
    (void)state;
    expect_logo(STR(""), NULL);
    expect_logo(STR("\x89PNG"), NULL);
    expect_logo(STR("RIFF\x10\x00\x00\x00WAVEfmt ...."), NULL);
    expect_logo(STR("<html><svg/></html>"), NULL);
    expect_logo(STR("<svgx/>"), NULL);
    expect_logo(STR("<svg"), NULL);
    expect_logo(STR("<!-- <svg>"), NULL);
    expect_logo(STR("<!DOCTYPE html><svg>"), NULL);
    expect_logo(STR("<svg>\xff</svg>"), NULL);
    expect_logo(STR("%PDF-1.7"), NULL);
}

static void test_logo_is_bounded(void **state)
{
    static char bytes[BRAND_LOGO_BYTES_MAX + 1] = "<svg >";
    struct logo_file file;
    struct brand *brand;

    (void)state;
    memset(bytes + 6, ' ', sizeof(bytes) - 6);
    expect_refused(logo_of(bytes, sizeof(bytes), &file), "brand-logo is larger than 32 KiB");
    unlink(file.path);
    assert_int_equal(open_brand(logo_of(bytes, sizeof(bytes) - 1, &file), &brand), RC_OK);
    brand_close(brand);
    unlink(file.path);
    expect_refused((struct brand_settings){ .logo = STR("/nowhere/logo.svg") },
                   "brand-logo cannot be read: No such file");
    expect_refused((struct brand_settings){ .logo = STR("/tmp") }, "brand-logo cannot be read");
}

static void test_version_follows_the_bytes(void **state)
{
    struct str logos[] = { STR("<svg a/>"), STR("<svg b/>"), STR("<svg a/>") };
    char versions[3][BRAND_VERSION_BYTES];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct logo_file file;
        struct brand *brand;

        assert_int_equal(open_brand(logo_of(logos[i].at, logos[i].len, &file), &brand), RC_OK);
        memcpy(versions[i], brand->logo.version, BRAND_VERSION_BYTES);
        brand_close(brand);
        unlink(file.path);
    }
    assert_memory_not_equal(versions[0], versions[1], BRAND_VERSION_BYTES);
    assert_memory_equal(versions[0], versions[2], BRAND_VERSION_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_said_is_jeton),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_is_no_colour),
        cmocka_unit_test(test_grounds_are_those_of_the_style),
        cmocka_unit_test(test_contrast_decides_at_its_bound),
        cmocka_unit_test(test_dark_colour_is_made_when_none_is_given),
        cmocka_unit_test(test_type_is_told_by_the_bytes),
        cmocka_unit_test(test_what_is_no_picture),
        cmocka_unit_test(test_logo_is_bounded),
        cmocka_unit_test(test_version_follows_the_bytes),
    };

    return cmocka_run_group_tests(tests, read_style, NULL);
}
