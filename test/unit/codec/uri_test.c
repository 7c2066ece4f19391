#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/uri.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

struct expected {
    const char *text;
    const char *scheme;
    const char *host;
    const char *port;
    const char *path;
    const char *query;
    bool has_userinfo;
    bool has_query;
    bool has_fragment;
};

/* RFC 3986 3.1 schemes, RFC 3986 3.2.2 hosts, RFC 3986 2.1 escapes */
static const struct expected good[] = {
    { "https://a.example/cb", "https", "a.example", "", "/cb", "", false, false, false },
    { "https://a.example", "https", "a.example", "", "", "", false, false, false },
    { "HTTPS://A.example:8443/x/?a=b&c", "HTTPS", "A.example", "8443", "/x/", "a=b&c", false, true,
      false },
    { "http://[::1]:8080/", "http", "[::1]", "8080", "/", "", false, false, false },
    { "http://[2001:db8::192.0.2.1]", "http", "[2001:db8::192.0.2.1]", "", "", "", false, false,
      false },
    { "https://u:p@h/", "https", "h", "", "/", "", true, false, false },
    { "https://@h/", "https", "h", "", "/", "", true, false, false },
    { "https://h:/", "https", "h", "", "/", "", false, false, false },
    { "https://h?", "https", "h", "", "", "", false, true, false },
    { "https://h/?q#f", "https", "h", "", "/", "q", false, true, true },
    { "https://h#", "https", "h", "", "", "", false, false, true },
    { "https://h/a?b?c/d", "https", "h", "", "/a", "b?c/d", false, true, false },
    { "https://h/%7e%C3%BC", "https", "h", "", "/%7e%C3%BC", "", false, false, false },
    { "https://%61.example/", "https", "%61.example", "", "/", "", false, false, false },
    { "urn:ietf:wg:oauth:2.0:oob", "urn", "", "", "ietf:wg:oauth:2.0:oob", "", false, false,
      false },
    { "com.example.app:/cb", "com.example.app", "", "", "/cb", "", false, false, false },
    { "custom+1://", "custom+1", "", "", "", "", false, false, false },
    { "a:", "a", "", "", "", "", false, false, false },
    { "mailto:a@b.example", "mailto", "", "", "a@b.example", "", false, false, false },
    { "file:///etc", "file", "", "", "/etc", "", false, false, false },
    { "https://h/a//b/../c;d=e,f!$&'()*+@:", "https", "h", "", "/a//b/../c;d=e,f!$&'()*+@:", "",
      false, false, false },
};

static void uris(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct uri uri;

        assert_int_equal(uri_parse(str_of(good[i].text), &uri), RC_OK);
        assert_true(str_equal(uri.scheme, str_of(good[i].scheme)));
        assert_true(str_equal(uri.host, str_of(good[i].host)));
        assert_true(str_equal(uri.port, str_of(good[i].port)));
        assert_true(str_equal(uri.path, str_of(good[i].path)));
        assert_true(str_equal(uri.query, str_of(good[i].query)));
        assert_int_equal(uri.has_userinfo, good[i].has_userinfo);
        assert_int_equal(uri.has_query, good[i].has_query);
        assert_int_equal(uri.has_fragment, good[i].has_fragment);
    }
}

/* RFC 3986 2 characters; RFC 9110 4.2.1 an empty host */
static const struct str bad_uris[] = {
    BYTES(""),
    BYTES("/cb"),
    BYTES("//h/cb"),
    BYTES("cb?x=y:z"),
    BYTES("#a:b"),
    BYTES(":a"),
    BYTES("1a:b"),
    BYTES("a_b:c"),
    BYTES("a~b:c"),
    BYTES("a@b:c"),
    BYTES("https://"),
    BYTES("https:///cb"),
    BYTES("https:cb"),
    BYTES("http://:80/"),
    BYTES("http://u@/"),
    BYTES("https://h:8a/"),
    BYTES("https://h:-1/"),
    BYTES("https://a:1:2/"),
    BYTES("https://a@b@c/"),
    BYTES("https://::1/"),
    BYTES("https://[::1/"),
    BYTES("https://[::1]x/"),
    BYTES("https://[::g]/"),
    BYTES("https://[]/"),
    BYTES("https://[127.0.0.1]/"),
    BYTES("https://[fe80::1%25eth0]/"),
    BYTES("https://[v1.a]/"),
    BYTES("https://[::1\0]/"),
    BYTES("https://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/"),
    BYTES("https://h/%"),
    BYTES("https://h/%4"),
    BYTES("https://h/%4g"),
    BYTES("https://h/?%zz"),
    BYTES("https://h/#%zz"),
    BYTES("https://h/#a#b"),
    BYTES("https://h/a b"),
    BYTES("https://h/a\\b"),
    BYTES("https://h\\@evil/"),
    BYTES("https://h/\n"),
    BYTES("https://h/\0"),
    BYTES("https://h/\x7f"),
    BYTES("https://h/\xc3\xbc"),
    BYTES("https://h/{}"),
    BYTES("https://h/[]"),
    BYTES("https://h/\""),
    BYTES("https://h/|"),
    BYTES("https://h/^`"),
    BYTES(" https://h/"),
    BYTES("https://h/<"),
};

static void uris_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_uris) / sizeof(bad_uris[0]); i++) {
        struct uri uri = { .path = STR("untouched") };

        assert_int_equal(uri_parse(bad_uris[i], &uri), RC_INVALID);
        assert_true(str_equal(uri.path, STR("untouched")));
    }
}

static void encoding(void **state)
{
    char memory[64];
    struct buffer to = buffer_over(memory, sizeof(memory));

    (void)state;
    uri_encode(STR("aZ09-._~ +&=/?#%\xc3\xbc\0"), &to);
    assert_true(str_equal(buffer_str(&to), STR("aZ09-._~%20%2B%26%3D%2F%3F%23%25%C3%BC%00")));
    uri_encode(STR("/////////////////////////"), &to);
    assert_true(to.overflow);
}

/* RFC 8414 2; RFC 8252 7.3 loopback hosts */
static void issuers(void **state)
{
    static const char *const allowed[] = {
        "https://id.example",    "https://id.example:8443", "https://id.example/tenant/a",
        "http://127.0.0.1:8080", "http://localhost:8080",   "http://[::1]:8080",
        "https://[2001:db8::1]", "http://127.1.2.3/x",      "https://id.example:65535",
    };
    static const char *const refused[] = {
        "",
        "id.example",
        "http://id.example",
        "http://127.0.0.1.example",
        "http://127.0.0",
        "http://localhost.example",
        "http://[::2]",
        "HTTPS://id.example",
        "https://id.example/",
        "https://id.example/a/",
        "https://id.example?a",
        "https://id.example?",
        "https://id.example#",
        "https://id.example/a#b",
        "https://u@id.example",
        "https://id.example:65536",
        "https:///a",
        "ftp://id.example",
        "urn:issuer",
        "https:",
        "https://id.example/a b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        assert_int_equal(issuer_check(str_of(allowed[i])), RC_OK);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(issuer_check(str_of(refused[i])), RC_INVALID);
}

static struct str normalised(const char *text, struct buffer *memory)
{
    memory->len = 0;
    memory->overflow = false;
    assert_int_equal(uri_normalise(str_of(text), memory), RC_OK);
    return buffer_str(memory);
}

/* RFC 3986 6.2.2, 6.2.3, 5.2.4 */
static void equal_uris(void **state)
{
    static const char *const pairs[][2] = {
        { "http://h", "http://h/" },
        { "HTTP://H.Example/A", "http://h.example/A" },
        { "https://h:443/", "https://h/" },
        { "http://h:80", "http://h/" },
        { "http://h:", "http://h/" },
        { "http://h:0080/", "http://h/" },
        { "https://h:80/", "https://h:80/" },
        { "http://h:0443/", "http://h:443/" },
        { "http://h/a?b#c", "http://h/a" },
        { "http://h/%7euser/%41", "http://h/~user/A" },
        { "http://h/a%2fb%3a", "http://h/a%2Fb%3A" },
        { "http://%48/", "http://h/" },
        { "http://[::AB]:8080/", "http://[::ab]:8080/" },
        { "http://h/a/./b/../c", "http://h/a/c" },
        { "http://h/../../a", "http://h/a" },
        { "http://h/a/..", "http://h/" },
        { "http://h/a/.", "http://h/a/" },
        { "http://h/a/b/%2e%2E", "http://h/a/" },
        { "http://h//a//../b", "http://h//a/b" },
        { "http://h/...", "http://h/..." },
        { "http://h/a/", "http://h/a/" },
        { "http://h/%2d%30", "http://h/-0" },
        { "http://h:080808/", "http://h:80808/" },
        { "https://h:00000/", "https://h:0/" },
    };
    char bytes[128];
    struct buffer memory = buffer_over(bytes, sizeof(bytes));

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct str text = normalised(pairs[i][0], &memory);

        if (!str_equal(text, str_of(pairs[i][1])))
            fail_msg("%s: %.*s", pairs[i][0], STR_ARGS(text));
    }
}

static void not_normalised(void **state)
{
    static const char *const texts[] = { "",           "/a",          "urn:a",
                                         "ftp://h/",   "http://u@h/", "http:///a",
                                         "http://h/%", "http://h/ ",  "http://h:x/" };
    char bytes[16];
    struct buffer memory = buffer_over(bytes, sizeof(bytes));

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(uri_normalise(str_of(texts[i]), &memory), RC_INVALID);
    assert_int_equal(uri_normalise(STR("http://host/longer"), &memory), RC_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris),    cmocka_unit_test(uris_refused), cmocka_unit_test(encoding),
        cmocka_unit_test(issuers), cmocka_unit_test(equal_uris),   cmocka_unit_test(not_normalised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
