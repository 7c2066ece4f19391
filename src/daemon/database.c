#include "daemon/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/secret_file.h"
#include "codec/uri.h"
#include "store/folder.h"

#define MARK_NAME     "database"
#define PASSWORD_FILE "database-password-file"

enum { PASSWORD_FILE_BYTES_MAX = SECRET_BYTES_MAX + 2 };

static enum rc refuse(struct buffer *out_error, const char *words)
{
    buffer_append_format(out_error, "database %s", words);
    return RC_INVALID;
}

/* ---- the URI ---- */

/* Views of its parts; libpq divides it at the same places. */
struct parts {
    struct str user_info;
    struct str hosts;
    struct str name;
    struct str query;
};

static struct str take_until(struct str *rest, const char *ends)
{
    struct str part = { rest->at, 0 };

    while (part.len < rest->len && strchr(ends, rest->at[part.len]) == NULL)
        part.len++;
    *rest = str_from(*rest, part.len);
    return part;
}

static bool take_byte(struct str *rest, char byte)
{
    bool is_there = rest->len > 0 && rest->at[0] == byte;

    if (is_there)
        *rest = str_from(*rest, 1);
    return is_there;
}

static bool skip_scheme(struct str *rest)
{
    static const char *const schemes[] = { "postgresql://", "postgres://" };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (str_starts_with(*rest, str_of(schemes[i]))) {
            *rest = str_from(*rest, strlen(schemes[i]));
            return true;
        }
    }
    return false;
}

static bool has_byte(struct str text, char byte)
{
    return str_index_of(text, byte) < text.len;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool has_sound_escapes(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '%' &&
            (i + 2 >= text.len || !is_hex(text.at[i + 1]) || !is_hex(text.at[i + 2])))
            return false;
    }
    return true;
}

/* The next "key=value" of a query; false when it has another shape. */
static bool take_option(struct str *query, struct str *out_key, struct str *out_value)
{
    struct str option = take_until(query, "&");

    (void)take_byte(query, '&');
    *out_key = take_until(&option, "=");
    if (out_key->len == 0 || !take_byte(&option, '=') || has_byte(option, '='))
        return false;
    *out_value = option;
    return true;
}

static bool find_option(struct str query, struct str wanted, struct str *out_value)
{
    struct str key;

    while (query.len > 0 && take_option(&query, &key, out_value)) {
        if (str_equal(key, wanted))
            return true;
    }
    return false;
}

/* What libpq would complain about in words that repeat it. */
static enum rc check_options(struct str query, struct buffer *out_error)
{
    struct str key;
    struct str value;

    while (query.len > 0) {
        if (!take_option(&query, &key, &value))
            return refuse(out_error, "must have name=value behind '?', with '&' between them; "
                                     "such characters are percent-encoded in values");
    }
    return RC_OK;
}

static enum rc divide(struct str uri, struct parts *out_parts, struct buffer *out_error)
{
    struct str rest = uri;
    struct str user_info;
    struct parts parts = { 0 };

    if (!skip_scheme(&rest))
        return refuse(out_error, "must be postgresql://USER@HOST:PORT/NAME");
    if (uri.len > DATABASE_URI_BYTES_MAX / 2 || str_has_control(uri) || has_byte(uri, ' '))
        return refuse(out_error, "is too long, or has spaces or control characters in it");
    if (!has_sound_escapes(rest))
        return refuse(out_error, "has a '%' that is not followed by two hexadecimal digits; the "
                                 "character itself is %25");
    user_info = take_until(&rest, "@/");
    if (take_byte(&rest, '@'))
        parts.user_info = user_info;
    else
        rest = (struct str){ user_info.at, user_info.len + rest.len };
    parts.hosts = take_until(&rest, "/?");
    if (take_byte(&rest, '/'))
        parts.name = take_until(&rest, "?");
    (void)take_byte(&rest, '?');
    parts.query = rest;
    if (has_byte(parts.user_info, '?') || has_byte(parts.hosts, '@') || has_byte(parts.name, '@'))
        return refuse(out_error, "has an '@', '/' or '?' in a name or password: percent-encode it, "
                                 "as %40, %2F or %3F");
    *out_parts = parts;
    return check_options(parts.query, out_error);
}

/* The URI is checked, so every '%' is followed by two digits. */
static void append_decoded(struct str text, struct buffer *to)
{
    char digits[3] = { 0 };

    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i];

        if (byte == '%') {
            memcpy(digits, text.at + i + 1, 2);
            byte = (char)strtoul(digits, NULL, 16);
            i += 2;
        }
        buffer_append_byte(to, (unsigned char)byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
}

/* Hosts and database; what is named elsewhere than in the URI is not known here. */
static void format_place(const struct parts *parts, char out_place[DATABASE_PLACE_BYTES_MAX])
{
    struct buffer place = buffer_over(out_place, DATABASE_PLACE_BYTES_MAX - 1);
    struct str hosts = parts->hosts;
    struct str name = parts->name;

    if (hosts.len == 0 && !find_option(parts->query, STR("host"), &hosts))
        hosts = STR("local");
    if (name.len == 0)
        (void)find_option(parts->query, STR("dbname"), &name);
    append_decoded(hosts, &place);
    if (name.len > 0)
        buffer_append_byte(&place, '/');
    append_decoded(name, &place);
    out_place[place.len] = '\0';
}

/* ---- the password ---- */

static enum rc append_password(const char *path, bool has_query, struct buffer *to,
                               struct buffer *out_error)
{
    char bytes[PASSWORD_FILE_BYTES_MAX];
    struct buffer content = buffer_over(bytes, sizeof(bytes));
    struct str line;
    enum rc rc = secret_file_read(PASSWORD_FILE, path, &content, out_error);

    if (rc != RC_OK)
        return rc;
    line = buffer_str(&content);
    if (str_ends_with(line, STR("\n")))
        line.len--;
    if (str_ends_with(line, STR("\r")))
        line.len--;
    if (line.len == 0 || str_has_control(line)) {
        rc = secret_file_refuse(PASSWORD_FILE, path, "must have one line, the password", out_error);
    } else {
        buffer_append_str(to, has_query ? STR("&password=") : STR("?password="));
        uri_encode(line, to);
    }
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}

enum rc database_open(const char *uri, const char *password_file, struct database *out_database,
                      struct buffer *out_error)
{
    AUTO(database) database = { .has_password = false };
    struct buffer whole = buffer_over(database.uri, sizeof(database.uri) - 1);
    struct str text = str_of(uri);
    struct parts parts;
    struct str ignored;
    bool has_login;
    enum rc rc;

    rc = divide(text, &parts, out_error);
    if (rc != RC_OK)
        return rc;
    has_login =
        has_byte(parts.user_info, ':') || find_option(parts.query, STR("password"), &ignored);
    database.has_password = has_login || find_option(parts.query, STR("sslpassword"), &ignored);
    if (has_login && password_file != NULL)
        return refuse(out_error, "has a password, and database-password-file names another");
    while (text.len > 0 && (text.at[text.len - 1] == '&' || text.at[text.len - 1] == '?'))
        text.len--;
    buffer_append_str(&whole, text);
    if (password_file != NULL)
        rc = append_password(password_file, has_byte(text, '?'), &whole, out_error);
    if (rc == RC_OK && whole.overflow)
        rc = refuse(out_error, "is too long together with its password");
    if (rc != RC_OK)
        return rc;
    format_place(&parts, database.place);
    *out_database = database;
    return RC_OK;
}

enum rc database_settings_open(const struct database_settings *settings,
                               struct database *out_database, struct buffer *out_error)
{
    const char *password_file = settings->password_file.len > 0 ? settings->password_file.at : NULL;

    if (settings->uri.at == NULL)
        return RC_OK;
    return database_open(settings->uri.at, password_file, out_database, out_error);
}

void database_close(struct database *database)
{
    explicit_bzero(database, sizeof(*database));
}

/* ---- the data folder beside it ---- */

static enum rc find_file(const char *data, const char *name, bool *out_is_there,
                         struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    enum rc rc = folder_path(str_of(data), name, path, out_error);

    if (rc == RC_OK)
        *out_is_there = access(path, F_OK) == 0;
    return rc;
}

static enum rc refuse_folder(const char *data, const char *words, struct buffer *out_error)
{
    buffer_append_format(out_error, "%s %s", data, words);
    return RC_INVALID;
}

/* Whoever left --database away means the server of this folder, or has forgotten it. */
static enum rc refuse_marked(const char *data, struct buffer *out_error)
{
    int lock_fd;
    enum rc rc = folder_lock(str_of(data), &lock_fd, out_error);

    if (rc != RC_OK)
        return rc;
    close(lock_fd);
    return refuse_folder(data,
                         "goes with a PostgreSQL database, which its file 'database' names, and "
                         "no server answers there; name it with --database",
                         out_error);
}

enum rc database_check_folder(const struct database *database_or_null, const char *data,
                              struct buffer *out_error)
{
    bool has_mark;
    bool has_store;
    enum rc rc = find_file(data, MARK_NAME, &has_mark, out_error);

    if (rc == RC_OK)
        rc = find_file(data, "jeton.db", &has_store, out_error);
    if (rc != RC_OK)
        return rc;
    /* Where both are, the store was moved from there, and says so itself when it is opened. */
    if (database_or_null == NULL && has_mark && !has_store)
        return refuse_marked(data, out_error);
    if (database_or_null != NULL && has_store && !has_mark)
        return refuse_folder(data,
                             "holds an SQLite store, which --database would leave unused; "
                             "move it with 'jeton move', or name another folder",
                             out_error);
    return RC_OK;
}

/* It may stand in a folder that is written to no more. */
static bool has_mark_of(const struct database *database, const char *path)
{
    char text[DATABASE_PLACE_BYTES_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));

    if (fd >= 0)
        close(fd);
    return len > 0 && str_equal(str_trim((struct str){ text, (size_t)len }),
                                str_trim(str_of(database->place)));
}

enum rc database_mark_folder(const struct database *database, const char *data,
                             struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    enum rc rc = folder_path(str_of(data), MARK_NAME, path, out_error);
    int fd;

    if (rc == RC_OK)
        rc = folder_check(str_of(data), true, out_error);
    if (rc == RC_OK && has_mark_of(database, path))
        return RC_OK;
    if (rc == RC_OK)
        rc = folder_file_check(str_of(data), MARK_NAME, true, out_error);
    if (rc != RC_OK)
        return rc;
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || dprintf(fd, "%s\n", database->place) < 0 || fsync(fd) != 0) {
        buffer_append_format(out_error, "%s: %s", path, strerror(errno));
        rc = RC_UNAVAILABLE;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

enum rc database_unmark_folder(const char *data, struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    enum rc rc = folder_path(str_of(data), MARK_NAME, path, out_error);

    if (rc != RC_OK)
        return rc;
    if (unlink(path) == 0 || errno == ENOENT)
        return RC_OK;
    buffer_append_format(out_error, "%s: %s", path, strerror(errno));
    return RC_SYSTEM;
}
