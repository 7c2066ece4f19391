#include "daemon/apply_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"
#include "daemon/command.h"
#include "daemon/control.h"
#include "daemon/yaml_json.h"
#include "store/managed.h"

enum { ARENA_BYTES = 64 * 1024 * 1024, SECRET_FILE_BYTES_MAX = SECRET_BYTES_MAX + 2 };

struct file {
    const char *path;
    struct arena *arena;
    struct json_out json;
    struct sink *err;
    const struct json_value *lines; /* of the mapping that is read */
    bool is_bad;                    /* a secret was refused, and told: the others are looked at */
};

/* ---- messages ---- */

static int say(struct sink *err, const char *path, struct str words)
{
    sink_format(err, "jeton: %s: %.*s\n", path, STR_ARGS(words));
    return STATUS_REFUSED;
}

static int refuse(const struct file *file, size_t key_index, struct str key, const char *words)
{
    int64_t line = 0;

    if (json_get_number(json_item(file->lines, key_index), &line) != RC_OK)
        line = 0;
    sink_format(file->err, "jeton: %s: line %lld: %.*s: %s\n", file->path, (long long)line,
                STR_ARGS(key), words);
    return STATUS_REFUSED;
}

/* ---- reading ---- */

int apply_file_read_whole(const char *command, const char *path, size_t bytes_max, struct sink *err,
                          struct buffer *out_text)
{
    FILE *stream = fopen(path, "re");
    struct buffer text = { .max_bytes = bytes_max };
    const char *why = NULL;

    if (stream == NULL) {
        sink_format(err, "jeton: %s: %s cannot be read: %s\n", command, path, strerror(errno));
        return STATUS_REFUSED;
    }
    text.at = malloc(bytes_max + 1);
    ASSERT(text.at != NULL);
    text.len = fread(text.at, 1, bytes_max + 1, stream);
    if (ferror(stream) != 0)
        why = "cannot be read";
    else if (text.len > bytes_max)
        why = "is too large";
    else if (text.len == 0)
        why = "is empty";
    fclose(stream);
    if (why == NULL) {
        *out_text = text;
        return STATUS_DONE;
    }
    sink_format(err, "jeton: %s: %s %s\n", command, path, why);
    free(text.at);
    return STATUS_REFUSED;
}

/* A path as the file means it: beside itself. */
static struct str path_beside(const struct file *file, struct str path)
{
    const char *slash = strrchr(file->path, '/');

    if (slash == NULL || (path.len > 0 && path.at[0] == '/'))
        return arena_copy(file->arena, path);
    return arena_format(file->arena, "%.*s/%.*s", (int)(slash - file->path), file->path,
                        STR_ARGS(path));
}

/* ---- secrets ---- */

static int write_secret(struct file *file, size_t key_index, struct str key, struct str secret)
{
    if (secret.len > 0 && secret.at[secret.len - 1] == '\n')
        secret.len--;
    if (secret.len > 0 && secret.at[secret.len - 1] == '\r')
        secret.len--;
    if (secret.len == 0 || secret.len > SECRET_BYTES_MAX || !str_is_utf8(secret) ||
        str_has_control(secret))
        return refuse(file, key_index, key,
                      "what it names must be one line of UTF-8, not empty, of at most 1024 bytes");
    json_text(&file->json, secret);
    return STATUS_DONE;
}

static int read_secret_file(struct file *file, size_t key_index, struct str key, struct str path)
{
    char bytes[SECRET_FILE_BYTES_MAX + 1];
    struct str full = path_beside(file, path);
    FILE *stream = fopen(full.at, "re");
    size_t len;
    int status;

    if (stream == NULL) {
        struct str words =
            arena_format(file->arena, "%.*s cannot be read: %s", STR_ARGS(full), strerror(errno));

        return refuse(file, key_index, key, words.at);
    }
    setvbuf(stream, NULL, _IONBF, 0);
    len = fread(bytes, 1, sizeof(bytes), stream);
    fclose(stream);
    status = write_secret(file, key_index, key, (struct str){ bytes, len });
    explicit_bzero(bytes, sizeof(bytes));
    return status;
}

/* { file: PATH }, { env: NAME }, and for passwords { hash: TEXT }. */
static int take_secret(struct file *file, size_t key_index, struct str key,
                       const struct json_value *value)
{
    struct str way, text;
    const struct json_value *named = json_member(value, 0, &way);

    if (!json_is_object(value))
        return refuse(file, key_index, key,
                      "a secret may not stand in the file; name where it is, { file: PATH } or "
                      "{ env: NAME }, and replace this one, which has been seen");
    if (json_count(value) != 1)
        return refuse(file, key_index, key, "one of file and env is needed");
    if (str_equal(way, STR("generate")))
        return refuse(file, key_index, key,
                      "one that is made here would have to be shown, at every first run; make it "
                      "where it is kept, and name it by file or env");
    if (json_get_string(named, &text) != RC_OK || text.len == 0)
        return refuse(file, key_index, key, "file and env each need one text");
    if (str_equal(way, STR("file")))
        return read_secret_file(file, key_index, key, text);
    if (str_equal(way, STR("env"))) {
        const char *set = getenv(arena_copy(file->arena, text).at);

        return set == NULL ? refuse(file, key_index, key, "that variable is not set")
                           : write_secret(file, key_index, key, str_of(set));
    }
    if (!str_equal(way, STR("hash")) || !str_equal(key, STR("password")))
        return refuse(file, key_index, key, "only file and env are known");
    json_raw(&file->json, json_format(value, file->arena));
    return STATUS_DONE;
}

/* ---- the whole ---- */

static void take_noun(struct file *file, const struct json_value *noun)
{
    size_t count = json_count(noun);

    file->lines = json_find(noun, STR(YAML_LINES));
    json_begin_object(&file->json);
    for (size_t i = 0; i < count; i++) {
        struct str name;
        const struct json_value *value = json_member(noun, i, &name);

        json_name(&file->json, name);
        if (str_equal(name, STR("secret")) || str_equal(name, STR("password")))
            file->is_bad |= take_secret(file, i + 1, name, value) != STATUS_DONE;
        else
            json_raw(&file->json, json_format(value, file->arena));
    }
    json_end_object(&file->json);
}

static int take_section(struct file *file, const struct json_value *root_lines, size_t key_index,
                        struct str key, const struct json_value *section)
{
    size_t count = json_count(section);

    json_name(&file->json, key);
    json_begin_array(&file->json);
    file->lines = root_lines;
    if (!json_is_array(section) && !json_is_null(section))
        return refuse(file, key_index, key, "must be a list: lines that begin with '-'");
    for (size_t i = 0; json_is_array(section) && i < count; i++) {
        const struct json_value *noun = json_item(section, i);

        file->lines = root_lines;
        if (!json_is_object(noun))
            return refuse(file, key_index, key, "each of the list must be lines of NAME: VALUE");
        take_noun(file, noun);
    }
    json_end_array(&file->json);
    return STATUS_DONE;
}

static int take_source(struct file *file, size_t key_index, const struct json_value *value,
                       struct str *out_source)
{
    if (json_get_string(value, out_source) != RC_OK || out_source->len == 0 ||
        out_source->len > MANAGED_SOURCE_BYTES_MAX || str_has_control(*out_source))
        return refuse(file, key_index, STR("name"), "must be one text, at most 255 bytes");
    return STATUS_DONE;
}

static int take_root(struct file *file, const struct json_value *root)
{
    static const struct str sections[] = { { "services", 8 }, { "clients", 7 }, { "accounts", 8 } };
    const char *slash = strrchr(file->path, '/');
    struct str source = str_of(slash != NULL ? slash + 1 : file->path);
    const struct json_value *lines = json_find(root, STR(YAML_LINES));
    size_t count = json_count(root);
    int status = STATUS_DONE;

    json_begin_object(&file->json);
    for (size_t i = 0; status == STATUS_DONE && i < count; i++) {
        struct str name;
        const struct json_value *value = json_member(root, i, &name);
        bool is_section = false;

        file->lines = lines;
        for (size_t j = 0; j < sizeof(sections) / sizeof(sections[0]); j++)
            is_section = is_section || str_equal(name, sections[j]);
        if (is_section)
            status = take_section(file, lines, i + 1, name, value);
        else if (str_equal(name, STR("name")))
            status = take_source(file, i + 1, value, &source);
        else if (!str_equal(name, STR(YAML_LINES)))
            status = refuse(file, i + 1, name,
                            "unknown key; name, services, clients and accounts "
                            "are known");
    }
    json_member_string(&file->json, STR("source"), source);
    json_member_string(&file->json, STR("file"), str_of(file->path));
    json_end_object(&file->json);
    return file->is_bad ? STATUS_REFUSED : status;
}

/* YAML, JSON with lines, JSON with secrets. */
static int convert(struct file *file, struct str text, struct buffer *out_document)
{
    char bytes[512];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    size_t json_bytes = CONTROL_DOCUMENT_BYTES_MAX / 2;
    struct buffer json = buffer_over(arena_alloc(file->arena, json_bytes), json_bytes);
    struct json_document *document = NULL;
    int status;

    if (yaml_to_json(text, file->arena, &json, &error) != RC_OK)
        return say(file->err, file->path, buffer_str(&error));
    if (json.overflow || json_parse(buffer_str(&json), &document) != RC_OK)
        return say(file->err, file->path, STR("must be UTF-8, and have less in it"));
    if (json_is_object(json_root(document)))
        status = take_root(file, json_root(document));
    else
        status = say(file->err, file->path, STR("line 1: every line must be NAME: VALUE"));
    json_document_free(document);
    if (status == STATUS_DONE && out_document->overflow)
        status = say(file->err, file->path, STR("is too large"));
    return status;
}

int apply_file_read(const struct options *options, struct sink *err, struct buffer *out_document)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    const char *path = options->arguments[0];
    struct buffer document = { .max_bytes = CONTROL_DOCUMENT_BYTES_MAX };
    struct buffer text = { 0 };
    struct file file = { .path = path, .arena = &arena, .err = err };
    int status = apply_file_read_whole("plan or apply", path, APPLY_FILE_BYTES_MAX, err, &text);

    if (status != STATUS_DONE)
        return status;
    arena_init(&arena, ARENA_BYTES);
    document.at = malloc(document.max_bytes);
    ASSERT(document.at != NULL);
    file.json = json_out_over(&document);
    status = convert(&file, buffer_str(&text), &document);
    free(text.at);
    if (status == STATUS_DONE) {
        *out_document = document;
        return status;
    }
    explicit_bzero(document.at, document.len);
    free(document.at);
    return status;
}

int import_file_read(const struct options *options, struct sink *err, struct buffer *out_document)
{
    return apply_file_read_whole("user import", options->arguments[0], CONTROL_DOCUMENT_BYTES_MAX,
                                 err, out_document);
}
