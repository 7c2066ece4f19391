#include "daemon/import_read.h"

#include "base/limits.h"
#include "codec/base32.h"
#include "codec/base64url.h"
#include "codec/json.h"
#include "crypto/password.h"

enum {
    LDIF_LINE_BYTES_MAX = 64 * 1024,
    KEYCLOAK_USER_BYTES_MAX = 128 * 1024,
    KEYCLOAK_MEMBER_COUNT_MAX = 1000
};

enum rc import_format_parse(struct str text, enum import_format *out_format)
{
    static const struct str names[IMPORT_FORMAT_COUNT] = { { "htpasswd", 8 },
                                                           { "ldif", 4 },
                                                           { "keycloak", 8 } };

    for (unsigned i = 0; i < IMPORT_FORMAT_COUNT; i++) {
        if (!str_equal(names[i], text))
            continue;
        *out_format = (enum import_format)i;
        return RC_OK;
    }
    return RC_INVALID;
}

/* A line without its end. */
static struct str take_line(struct str *rest)
{
    size_t len = str_index_of(*rest, '\n');
    struct str line = { rest->at, len };

    *rest = str_from(*rest, len < rest->len ? len + 1 : len);
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* ---- hashes ---------------------------------------------------------------------------------- */

/* Why a hash is not taken; NULL: it is. */
static const char *hash_problem(struct str hash)
{
    if (str_starts_with(hash, STR("$apr1$")) || str_starts_with(hash, STR("$1$")))
        return "its hash is of MD5, which is not taken; make it anew, with htpasswd -B";
    if (str_starts_with(hash, STR("{SHA}")) || str_starts_with(hash, STR("{MD5}")))
        return "its hash has no salt, and is not taken; it needs a new password";
    return password_is_known(hash) ? NULL : "its hash is of no known kind, or too dear to check";
}

/* A value of userPassword (RFC 4519 2.41) as it is stored; a hash of crypt(3) behind {CRYPT}, and
 * so on. */
static struct str ldap_hash(struct str value, struct arena *arena)
{
    static const struct str wraps[] = { { "{CRYPT}", 7 }, { "{ARGON2}", 8 }, { "{BCRYPT}", 8 } };
    static const struct {
        struct str scheme;
        const char *phc;
    } renames[] = { { { "{PBKDF2-SHA256}", 15 }, "$pbkdf2-sha256$" },
                    { { "{PBKDF2-SHA512}", 15 }, "$pbkdf2-sha512$" },
                    { { "{SSHA}", 6 }, "{SSHA}" },
                    { { "{SSHA256}", 9 }, "{SSHA256}" },
                    { { "{SSHA512}", 9 }, "{SSHA512}" } };

    for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++)
        if (value.len > wraps[i].len &&
            str_equal_nocase((struct str){ value.at, wraps[i].len }, wraps[i]))
            return str_from(value, wraps[i].len);
    for (size_t i = 0; i < sizeof(renames) / sizeof(renames[0]); i++)
        if (value.len > renames[i].scheme.len &&
            str_equal_nocase((struct str){ value.at, renames[i].scheme.len }, renames[i].scheme))
            return arena_format(arena, "%s%.*s", renames[i].phc,
                                STR_ARGS(str_from(value, renames[i].scheme.len)));
    return value;
}

/* ---- htpasswd -------------------------------------------------------------------------------- */

static void read_htpasswd(struct str text, const struct import_sink *sink)
{
    for (size_t number = 1; text.len > 0; number++) {
        struct str line = str_trim(take_line(&text));
        size_t colon = str_index_of(line, ':');
        struct import_row row = { .number = number, .name = { line.at, colon } };
        const char *problem;

        if (line.len == 0 || line.at[0] == '#')
            continue;
        if (colon == line.len) {
            sink->complain(sink->context, number, STR(""), "there is no colon in it");
            continue;
        }
        row.hash = str_from(line, colon + 1);
        problem = hash_problem(row.hash);
        if (problem != NULL)
            sink->complain(sink->context, number, row.name, problem);
        else
            sink->take(sink->context, &row);
    }
}

/* ---- LDIF ------------------------------------------------------------------------------------ */

/* A record while it is read. */
struct record {
    struct import_row row;
    struct str given_name, surname;
    struct str password;
    const char *problem;
    bool has_lines;
};

/* RFC 2849: a line goes on in those that begin with one space; then it is put together in the
 * arena. False: it is too long. */
static bool unfold(struct str *rest, size_t *number, struct arena *arena, struct str *out_line)
{
    struct buffer line;

    *out_line = take_line(rest);
    (*number)++;
    if (rest->len == 0 || rest->at[0] != ' ')
        return out_line->len < LDIF_LINE_BYTES_MAX;
    line = buffer_over(arena_alloc(arena, LDIF_LINE_BYTES_MAX), LDIF_LINE_BYTES_MAX);
    buffer_append_str(&line, *out_line);
    while (rest->len > 0 && rest->at[0] == ' ') {
        buffer_append_str(&line, str_from(take_line(rest), 1));
        (*number)++;
    }
    *out_line = buffer_str(&line);
    return !line.overflow;
}

/* "name: text", "name:: base64"; options behind the name (";lang-de") are left aside. */
static const char *split(struct str line, struct arena *arena, struct str *out_name,
                         struct str *out_value)
{
    size_t colon = str_index_of(line, ':');
    struct str value = str_from(line, colon < line.len ? colon + 1 : colon);
    struct buffer bytes;

    *out_name = (struct str){ line.at, colon };
    out_name->len = str_index_of(*out_name, ';');
    if (colon == line.len || colon == 0)
        return "a line of it has no colon";
    if (value.len > 0 && value.at[0] == '<')
        return "it names a file, which is not read";
    if (value.len == 0 || value.at[0] != ':') {
        *out_value = str_trim(value);
        return NULL;
    }
    value = str_trim(str_from(value, 1));
    bytes = buffer_over(arena_alloc(arena, value.len + 1), value.len + 1);
    if (base64_decode(value, &bytes) != RC_OK)
        return "a value of it is not base64";
    *out_value = buffer_str(&bytes);
    return NULL;
}

static void take_attribute(struct record *record, struct str name, struct str value)
{
    struct import_row *row = &record->row;
    const struct {
        struct str name;
        struct str *to;
    } texts[] = { { { "uid", 3 }, &row->name },
                  { { "cn", 2 }, &row->full_name },
                  { { "displayName", 11 }, &row->full_name },
                  { { "mail", 4 }, &row->email },
                  { { "givenName", 9 }, &record->given_name },
                  { { "sn", 2 }, &record->surname } };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (str_equal_nocase(name, texts[i].name) && texts[i].to->len == 0)
            *texts[i].to = value; /* the first of several */
    if (str_equal_nocase(name, STR("userPassword"))) {
        if (record->password.len > 0)
            record->problem = "it has more than one password";
        record->password = value;
    }
    if (str_equal_nocase(name, STR("changetype")))
        record->problem = "it is a change and no entry; export the content";
}

static void end_record(struct record *record, struct arena *arena, const struct import_sink *sink)
{
    struct import_row *row = &record->row;
    const char *problem = record->problem;

    /* An entry without uid and password is a group, or a branch of the tree. */
    if (problem == NULL && row->name.len == 0 && record->password.len > 0)
        problem = "it has a password and no uid";
    if (problem == NULL && record->password.len > 0) {
        row->hash = ldap_hash(record->password, arena);
        problem = record->password.at[0] == '{' || record->password.at[0] == '$'
                      ? hash_problem(row->hash)
                      : "its password stands there in clear text, and is not taken";
    }
    if (row->full_name.len == 0 && record->given_name.len > 0)
        row->full_name = arena_format(arena, "%.*s %.*s", STR_ARGS(record->given_name),
                                      STR_ARGS(record->surname));
    row->full_name = str_trim(row->full_name);
    row->email_is_known = row->email.len > 0; /* a directory's own */
    if (problem != NULL)
        sink->complain(sink->context, row->number, row->name, problem);
    else if (row->name.len > 0)
        sink->take(sink->context, row);
}

static void read_record_line(struct record *record, struct str line, struct arena *arena)
{
    struct str name, value;
    const char *problem;

    if (str_equal(line, STR("-")))
        return;
    problem = split(line, arena, &name, &value);
    if (problem != NULL)
        record->problem = problem;
    else
        take_attribute(record, name, value);
}

static void read_ldif(struct str text, struct arena *arena, const struct import_sink *sink)
{
    size_t mark = arena->used_bytes;
    struct record record = { .has_lines = false };
    size_t number = 0;

    while (text.len > 0) {
        size_t at = number + 1;
        size_t line_mark = arena->used_bytes;
        struct str line;
        bool fits = unfold(&text, &number, arena, &line);

        if (line.len == 0 && record.has_lines) {
            end_record(&record, arena, sink);
            arena_rewind(arena, mark);
            record = (struct record){ .has_lines = false };
        }
        if (line.len == 0 || line.at[0] == '#' || str_starts_with(line, STR("version:")))
            continue;
        if (!record.has_lines)
            record.row.number = at;
        record.has_lines = true;
        if (fits && arena->slab_bytes - arena->used_bytes > 4u * LDIF_LINE_BYTES_MAX) {
            read_record_line(&record, line, arena);
            continue;
        }
        record.problem = "it is too long";
        arena_rewind(arena, line_mark);
    }
    if (record.has_lines)
        end_record(&record, arena, sink);
    arena_rewind(arena, mark);
}

/* ---- Keycloak -------------------------------------------------------------------------------- */

static struct str text_of(const struct json_value *object, struct str name)
{
    struct str text;

    return json_get_string(json_find(object, name), &text) == RC_OK ? text : STR("");
}

/* Base64 without its padding, which a PHC string has not. */
static struct str unpadded(struct str text)
{
    while (text.len > 0 && text.at[text.len - 1] == '=')
        text.len--;
    return text;
}

/* A parameter of a credential: ["7168"], or the text alone. */
static struct str parameter(const struct json_value *parameters, struct str name)
{
    const struct json_value *value = json_find(parameters, name);
    struct str text;

    return json_get_string(json_is_array(value) ? json_item(value, 0) : value, &text) == RC_OK
               ? text
               : STR("");
}

static struct str keycloak_hash(const struct json_value *secret, const struct json_value *data,
                                struct arena *arena)
{
    const struct json_value *parameters = json_find(data, STR("additionalParameters"));
    struct str algorithm = text_of(data, STR("algorithm"));
    struct str salt = unpadded(text_of(secret, STR("salt")));
    struct str value = unpadded(text_of(secret, STR("value")));
    int64_t count = 0;

    if (json_get_number(json_find(data, STR("hashIterations")), &count) != RC_OK)
        count = 0;
    if (str_equal(algorithm, STR("pbkdf2-sha256")) || str_equal(algorithm, STR("pbkdf2-sha512")))
        return arena_format(arena, "$%.*s$i=%lld$%.*s$%.*s", STR_ARGS(algorithm), (long long)count,
                            STR_ARGS(salt), STR_ARGS(value));
    if (str_equal(algorithm, STR("argon2")) &&
        str_equal(parameter(parameters, STR("version")), STR("1.3")))
        return arena_format(arena, "$argon2%.*s$v=19$m=%.*s,t=%lld,p=%.*s$%.*s$%.*s",
                            STR_ARGS(parameter(parameters, STR("type"))),
                            STR_ARGS(parameter(parameters, STR("memory"))), (long long)count,
                            STR_ARGS(parameter(parameters, STR("parallelism"))), STR_ARGS(salt),
                            STR_ARGS(value));
    return algorithm;
}

static void leave(struct import_row *row, struct arena *arena, const char *what, struct str word)
{
    if (row->note_count < IMPORT_NOTE_COUNT_MAX && str_is_utf8(word) && !str_has_control(word))
        row->notes[row->note_count++] =
            arena_format(arena, "%s stays behind: %.*s", what, STR_ARGS(word)).at;
}

/* The key of an authenticator: the bytes of its text, or what they are base 32 of. */
static bool read_totp_key(const struct json_value *data, struct str value, struct arena *arena,
                          struct str *out_secret)
{
    struct buffer bytes = buffer_over(arena_alloc(arena, value.len + 1), value.len + 1);
    struct str encoding = text_of(data, STR("secretEncoding"));

    while (str_equal(encoding, STR("BASE32")) && value.len > 0 && value.at[value.len - 1] == '=')
        value.len--;
    if (str_equal(encoding, STR("BASE32"))) {
        if (base32_decode(value, &bytes) != RC_OK)
            return false;
    } else if (encoding.len > 0) {
        return false;
    } else {
        buffer_append_str(&bytes, value);
    }
    *out_secret = buffer_str(&bytes);
    return out_secret->len >= FACTOR_SECRET_BYTES_MIN && out_secret->len <= FACTOR_SECRET_BYTES_MAX;
}

/* What crypto/totp.h checks: SHA-1, 6 digits, 30 seconds. */
static bool take_totp(const struct json_value *credential, const struct json_value *secret,
                      const struct json_value *data, struct arena *arena, struct import_row *row)
{
    struct factor_secret *factor = &row->factors[row->factor_count];
    struct str label = text_of(credential, STR("userLabel"));
    int64_t digits, period;

    if (row->factor_count == FACTOR_COUNT_MAX ||
        !str_equal(text_of(data, STR("subType")), STR("totp")) ||
        !str_equal(text_of(data, STR("algorithm")), STR("HmacSHA1")) ||
        json_get_number(json_find(data, STR("digits")), &digits) != RC_OK || digits != 6 ||
        json_get_number(json_find(data, STR("period")), &period) != RC_OK || period != 30 ||
        !read_totp_key(data, text_of(secret, STR("value")), arena, &factor->secret))
        return false;
    factor->name = label.len > 0 && label.len <= FACTOR_NAME_BYTES_MAX && !str_has_control(label)
                       ? label
                       : STR("authenticator");
    factor->name = arena_copy(arena, factor->name);
    row->factor_count++;
    return true;
}

static struct str describe_otp(const struct json_value *data, struct arena *arena)
{
    int64_t digits, period;

    if (json_get_number(json_find(data, STR("digits")), &digits) != RC_OK)
        digits = 0;
    if (json_get_number(json_find(data, STR("period")), &period) != RC_OK)
        period = 0;
    return arena_format(
        arena, "%.*s of %.*s, %lld digits, %lld seconds", STR_ARGS(text_of(data, STR("subType"))),
        STR_ARGS(text_of(data, STR("algorithm"))), (long long)digits, (long long)period);
}

/* secretData and credentialData are texts of JSON. */
static const char *take_credential(const struct json_value *credential, struct arena *arena,
                                   struct import_row *row)
{
    struct json_document *secret = NULL;
    struct json_document *data = NULL;
    struct str type = text_of(credential, STR("type"));
    bool is_password = str_equal(type, STR("password"));
    const char *problem = "its password is not written as Keycloak 9 and later do";
    bool is_read = json_parse(text_of(credential, STR("secretData")), &secret) == RC_OK &&
                   json_parse(text_of(credential, STR("credentialData")), &data) == RC_OK;

    if (is_password && is_read) {
        row->hash = keycloak_hash(json_root(secret), json_root(data), arena);
        problem = hash_problem(row->hash);
    }
    if (!is_password && !(str_equal(type, STR("otp")) && is_read &&
                          take_totp(credential, json_root(secret), json_root(data), arena, row))) {
        row->has_other_factor = true;
        leave(row, arena, "a second factor",
              str_equal(type, STR("otp")) && is_read ? describe_otp(json_root(data), arena) : type);
    }
    json_document_free(secret);
    json_document_free(data);
    return is_password ? problem : NULL;
}

/* What Keycloak knows of a person and nothing here does. */
static void leave_others(const struct json_value *user, struct arena *arena, struct import_row *row)
{
    const struct json_value *actions = json_find(user, STR("requiredActions"));
    const struct json_value *identities = json_find(user, STR("federatedIdentities"));
    struct str text;

    row->has_attributes = json_count(json_find(user, STR("attributes"))) > 0;
    for (size_t i = 0; i < json_count(actions); i++)
        if (json_get_string(json_item(actions, i), &text) == RC_OK)
            leave(row, arena, "a required action", text);
    for (size_t i = 0; i < json_count(identities); i++)
        leave(row, arena, "a sign-in by another server",
              text_of(json_item(identities, i), STR("identityProvider")));
}

/* The texts of a value; what it holds is no deeper than codec/json.h reads. */
static size_t text_bytes(const struct json_value *value)
{
    struct str text;
    size_t bytes = 0;

    if (json_get_string(value, &text) == RC_OK)
        return text.len;
    if (json_count(value) > KEYCLOAK_MEMBER_COUNT_MAX)
        return KEYCLOAK_USER_BYTES_MAX + 1;
    for (size_t i = 0; i < json_count(value); i++)
        bytes +=
            text_bytes(json_is_array(value) ? json_item(value, i) : json_member(value, i, &text));
    return bytes;
}

/* Whether all that is looked at fits the arena, whatever is made of it. */
static bool fits(const struct json_value *user)
{
    static const struct str names[] = { { "username", 8 },
                                        { "email", 5 },
                                        { "firstName", 9 },
                                        { "lastName", 8 },
                                        { "credentials", 11 },
                                        { "requiredActions", 15 },
                                        { "federatedIdentities", 19 } };
    size_t bytes = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        bytes += text_bytes(json_find(user, names[i]));
    return bytes <= KEYCLOAK_USER_BYTES_MAX;
}

static void read_keycloak_user(const struct json_value *user, size_t number, struct arena *arena,
                               const struct import_sink *sink)
{
    const struct json_value *credentials = json_find(user, STR("credentials"));
    struct import_row row = { .number = number,
                              .name = text_of(user, STR("username")),
                              .email = text_of(user, STR("email")) };
    const char *problem = NULL;
    bool is_enabled = true;

    if (!fits(user)) {
        row.name.len = row.name.len <= ACCOUNT_NAME_BYTES_MAX ? row.name.len : 0;
        sink->complain(sink->context, number, row.name, "it is too long");
        return;
    }
    row.full_name =
        str_trim(arena_format(arena, "%.*s %.*s", STR_ARGS(text_of(user, STR("firstName"))),
                              STR_ARGS(text_of(user, STR("lastName")))));
    if (json_get_bool(json_find(user, STR("enabled")), &is_enabled) == RC_OK)
        row.is_disabled = !is_enabled;
    if (json_get_bool(json_find(user, STR("emailVerified")), &row.email_is_known) != RC_OK)
        row.email_is_known = false;
    for (size_t i = 0; problem == NULL && i < json_count(credentials); i++)
        problem = take_credential(json_item(credentials, i), arena, &row);
    leave_others(user, arena, &row);
    if (problem == NULL && row.name.len == 0)
        problem = "it has no username";
    if (problem != NULL)
        sink->complain(sink->context, number, row.name, problem);
    else if (text_of(user, STR("serviceAccountClientId")).len == 0) /* those are clients */
        sink->take(sink->context, &row);
}

static void read_keycloak(struct str text, struct arena *arena, const struct import_sink *sink)
{
    struct json_document *document = NULL;
    const struct json_value *users;
    size_t mark = arena->used_bytes;

    if (json_parse(text, &document) != RC_OK) {
        sink->complain(sink->context, 0, STR(""), "the file is not JSON");
        return;
    }
    users = json_root(document);
    if (json_is_object(users)) /* of a realm, or of a part of one; else its users alone */
        users = json_find(users, STR("users"));
    if (!json_is_array(users))
        sink->complain(sink->context, 0, STR(""), "there are no users in it");
    for (size_t i = 0; i < json_count(users); i++) {
        const struct json_value *user = json_item(users, i);

        read_keycloak_user(user, i + 1, arena, sink);
        arena_rewind(arena, mark);
    }
    json_document_free(document);
}

void import_read(enum import_format format, struct str text, struct arena *arena,
                 const struct import_sink *sink)
{
    switch (format) {
    case IMPORT_HTPASSWD:
        read_htpasswd(text, sink);
        break;
    case IMPORT_LDIF:
        read_ldif(text, arena, sink);
        break;
    case IMPORT_KEYCLOAK:
    case IMPORT_FORMAT_COUNT:
        read_keycloak(text, arena, sink);
        break;
    }
}
