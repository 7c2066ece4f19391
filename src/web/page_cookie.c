#include "web/page_cookie.h"

#include "codec/base64url.h"
#include "codec/cookie.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/seal.h"

enum {
    RANDOM_BYTES = 32,
    NUMBER_BYTES = 8,
    NAME_BYTES = 64,
    NOTICE_VALUE_BYTES_MAX = 255,
    NOTICE_BYTES_MAX = 3 * NUMBER_BYTES + NOTICE_VALUE_BYTES_MAX,
    NOTICE_TEXT_BYTES_MAX = BASE64URL_TEXT_BYTES(NOTICE_BYTES_MAX + (int)SEAL_OVERHEAD_BYTES)
};

_Static_assert(BASE64URL_TEXT_BYTES(RANDOM_BYTES) == (int)BROWSER_VALUE_BYTES, "of the same form");
_Static_assert(BASE64URL_TEXT_BYTES(SHA256_BYTES) == (int)PAGE_CSRF_BYTES, "a MAC's text");
_Static_assert(BASE64URL_TEXT_BYTES((int)SEAL_OVERHEAD_BYTES + (int)NUMBER_BYTES) <=
                   (int)PAGE_HANDLE_BYTES_MAX,
               "a sealed id's text");

/* What stands before the random part of a browser without a session: no session's value begins so
 * and has its length. */
static const char nobody = '.';

void page_keys_init(struct web *web)
{
    struct str master = { (const char *)web->oauth->door->factor_keys.master_key, SEAL_KEY_BYTES };
    unsigned char key[32];

    hkdf_sha256(master, STR("jeton forms"), key);
    web->form_key = hmac_key_new(key);
    explicit_bzero(key, sizeof(key));
    hkdf_sha256(master, STR("jeton handles"), web->handle_key);
}

void page_keys_deinit(struct web *web)
{
    hmac_key_free(web->form_key);
    explicit_bzero(web->handle_key, sizeof(web->handle_key));
}

/* ---- the cookie ------------------------------------------------------------------------------ */

/* RFC 6761 6.3, RFC 8252 7.3: names and addresses that never leave the computer. */
static bool is_loopback(struct str base_url)
{
    struct str authority = str_from(base_url, sizeof("http://") - 1);
    struct str host = { authority.at, str_index_of(authority, ':') };

    if (str_starts_with(authority, STR("[::1]")))
        return authority.len == 5 || authority.at[5] == ':';
    if (str_equal_nocase(host, STR("localhost")))
        return true;
    if (!str_starts_with(host, STR("127.")))
        return false;
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] != '.' && (host.at[i] < '0' || host.at[i] > '9'))
            return false;
    }
    return true;
}

bool page_cookie_is_possible(const struct page_call *page)
{
    return page->is_https || is_loopback(page->base_url);
}

static struct str cookie_name(const struct page_call *page)
{
    return page->is_https ? STR("__Host-jeton") : STR("jeton");
}

static bool is_sound(struct str value)
{
    if (value.len == PAGE_COOKIE_BYTES_MAX && value.at[0] == nobody)
        value = str_from(value, 1);
    if (value.len != BROWSER_VALUE_BYTES)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.at[i];

        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
              (byte >= '0' && byte <= '9') || byte == '-' || byte == '_'))
            return false;
    }
    return true;
}

struct str page_cookie_read(const struct page_call *page)
{
    const struct http_request *request = &page->call->exchange->request;
    struct str found = STR("");

    for (size_t i = 0; i < request->header_count; i++) {
        struct str value;

        if (!str_equal_nocase(request->headers[i].name, STR("cookie")) ||
            !cookie_find(request->headers[i].value, cookie_name(page), &value))
            continue;
        if (found.len > 0 || !is_sound(value))
            return STR("");
        found = value;
    }
    return found;
}

bool page_cookie_is_session(struct str cookie)
{
    return cookie.len == BROWSER_VALUE_BYTES;
}

struct str page_cookie_make(struct page_call *page)
{
    char *memory = arena_alloc(page->call->exchange->arena, PAGE_COOKIE_BYTES_MAX);
    struct buffer text = buffer_over(memory, PAGE_COOKIE_BYTES_MAX);
    char random[RANDOM_BYTES];

    random_bytes(random, sizeof(random));
    buffer_append_byte(&text, nobody);
    base64url_encode((struct str){ random, sizeof(random) }, &text);
    return buffer_str(&text);
}

void page_cookie_write(struct page_call *page)
{
    char memory[PAGE_COOKIE_BYTES_MAX + 128];
    struct buffer value = buffer_over(memory, sizeof(memory));

    buffer_append_str(&value, cookie_name(page));
    BUFFER_APPEND_LITERAL(&value, "=");
    buffer_append_str(&value, page->cookie);
    BUFFER_APPEND_LITERAL(&value, "; Path=/; HttpOnly; SameSite=Lax");
    if (page->is_https)
        BUFFER_APPEND_LITERAL(&value, "; Secure");
    http_add_header(page->call->exchange, STR("Set-Cookie"), buffer_str(&value));
    explicit_bzero(memory, sizeof(memory));
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void csrf_text(const struct page_call *page, struct str cookie,
                      char out_text[static PAGE_CSRF_BYTES])
{
    struct buffer text = buffer_over(out_text, PAGE_CSRF_BYTES);
    unsigned char mac[SHA256_BYTES];

    hmac_sha256(page->call->web->form_key, STR("form:"), cookie, mac);
    base64url_encode((struct str){ (const char *)mac, sizeof(mac) }, &text);
}

void page_csrf_make(struct page_call *page)
{
    csrf_text(page, page->cookie, page->csrf);
    page->frame.csrf = (struct str){ page->csrf, sizeof(page->csrf) };
}

/* With Referrer-Policy: no-referrer a browser says "null" of our own forms, too (Fetch 3.2), which
 * says nothing. */
bool page_is_from_elsewhere(const struct page_call *page)
{
    const struct http_request *request = &page->call->exchange->request;
    const struct http_header *site = http_find_header(request, STR("sec-fetch-site"));
    const struct http_header *origin = http_find_header(request, STR("origin"));

    if (site != NULL && !str_equal(site->value, STR("same-origin")) &&
        !str_equal(site->value, STR("none")))
        return true;
    return origin != NULL && !str_equal(origin->value, STR("null")) &&
           !str_equal(origin->value, page->base_url) &&
           !str_equal(origin->value, page->call->web->root);
}

bool page_csrf_is_right(const struct page_call *page)
{
    struct str cookie = page_cookie_read(page);
    struct str sent = page_field(page, STR("csrf"));
    char expected[PAGE_CSRF_BYTES];

    if (cookie.len == 0 || sent.len != PAGE_CSRF_BYTES || page_is_from_elsewhere(page))
        return false;
    csrf_text(page, cookie, expected);
    return secret_bytes_equal(expected, sent.at, PAGE_CSRF_BYTES);
}

/* ---- what is sealed for the way to the browser and back -------------------------------------- */

/* What it is bound to: one kind of thing, one account. */
static struct str seal_name(const struct page_call *page, const char *kind,
                            char memory[static NAME_BYTES])
{
    struct buffer name = buffer_over(memory, NAME_BYTES);

    buffer_append_format(&name, "%s:%lld", kind, (long long)page->account.id);
    ASSERT(!name.overflow);
    return buffer_str(&name);
}

static void put_number(struct buffer *to, int64_t number)
{
    for (size_t i = 0; i < NUMBER_BYTES; i++)
        buffer_append_byte(to, (char)(unsigned char)((uint64_t)number >> 8 * i));
}

static int64_t number_at(struct str bytes, size_t at)
{
    uint64_t number = 0;

    for (size_t i = 0; i < NUMBER_BYTES; i++)
        number |= (uint64_t)(unsigned char)bytes.at[at + i] << 8 * i;
    return (int64_t)number;
}

static struct str seal_text(struct page_call *page, const char *kind, struct str plain)
{
    size_t sealed_bytes = plain.len + SEAL_OVERHEAD_BYTES;
    size_t text_bytes = BASE64URL_TEXT_BYTES(sealed_bytes);
    struct arena *arena = page->call->exchange->arena;
    struct buffer sealed = buffer_over(arena_alloc(arena, sealed_bytes), sealed_bytes);
    struct buffer text = buffer_over(arena_alloc(arena, text_bytes), text_bytes);
    char name[NAME_BYTES];

    ASSERT(seal(page->call->web->handle_key, seal_name(page, kind, name), plain, &sealed) == RC_OK);
    base64url_encode(buffer_str(&sealed), &text);
    return buffer_str(&text);
}

static bool open_text(struct page_call *page, const char *kind, struct str text,
                      struct buffer *out_plain)
{
    struct buffer sealed =
        buffer_over(arena_alloc(page->call->exchange->arena, text.len), text.len);
    char name[NAME_BYTES];

    return base64url_decode(text, &sealed) == RC_OK &&
           unseal(page->call->web->handle_key, seal_name(page, kind, name), buffer_str(&sealed),
                  out_plain) == RC_OK;
}

struct str page_handle_seal(struct page_call *page, const char *kind, int64_t id)
{
    char memory[NUMBER_BYTES];
    struct buffer plain = buffer_over(memory, sizeof(memory));

    put_number(&plain, id);
    return seal_text(page, kind, buffer_str(&plain));
}

bool page_handle_open(struct page_call *page, const char *kind, struct str handle, int64_t *out_id)
{
    char memory[NUMBER_BYTES];
    struct buffer plain = buffer_over(memory, sizeof(memory));

    if (handle.len > PAGE_HANDLE_BYTES_MAX || !open_text(page, kind, handle, &plain) ||
        plain.len != sizeof(memory))
        return false;
    *out_id = number_at(buffer_str(&plain), 0);
    return true;
}

struct str page_notice_seal(struct page_call *page, struct page_words words)
{
    char memory[NOTICE_BYTES_MAX];
    struct buffer plain = buffer_over(memory, sizeof(memory));

    put_number(&plain, page->call->oauth.now);
    put_number(&plain, words.text);
    put_number(&plain, words.number);
    if (words.value.len <= NOTICE_VALUE_BYTES_MAX)
        buffer_append_str(&plain, words.value);
    return seal_text(page, "notice", buffer_str(&plain));
}

struct page_words page_notice_open(struct page_call *page)
{
    struct page_words none = page_say(PAGE_TEXT_NONE);
    struct str text = page_parameter(page, STR("notice"));
    struct buffer plain =
        buffer_over(arena_alloc(page->call->exchange->arena, NOTICE_BYTES_MAX), NOTICE_BYTES_MAX);
    int64_t made_at;
    int64_t number;

    if (text.len == 0 || text.len > NOTICE_TEXT_BYTES_MAX ||
        !open_text(page, "notice", text, &plain) || plain.len < 3 * NUMBER_BYTES)
        return none;
    made_at = number_at(buffer_str(&plain), 0);
    number = number_at(buffer_str(&plain), NUMBER_BYTES);
    if (page->call->oauth.now - made_at > PAGE_NOTICE_S || number < 0 || number >= PAGE_TEXT_COUNT)
        return none;
    return (struct page_words){ .text = (enum page_text)number,
                                .number = number_at(buffer_str(&plain), 2 * NUMBER_BYTES),
                                .value = str_from(buffer_str(&plain), 3 * NUMBER_BYTES) };
}
