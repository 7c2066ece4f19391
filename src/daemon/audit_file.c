#include "daemon/audit_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/trail.h"
#include "daemon/audit_line.h"
#include "daemon/command.h"

enum { ERROR_BYTES = 256 };

const struct option_spec audit_verify_options[] = {
    { "checkpoint", "NUMBER:DIGEST", "one that was noted elsewhere and has to be there", false },
    { "public-key", "HEX", "that has to be the key, as 'jeton audit key' printed it", false },
    { "file", "FILE", "check what 'jeton audit export --with-checkpoints' wrote", false },
    { 0 },
};

enum rc audit_verify_read(const struct options *options, struct audit_verify_wish *out_wish,
                          struct buffer *out_error)
{
    struct audit_verify_wish wish = { .has_key = false };
    const char *checkpoint = options_find(options, "checkpoint");
    const char *key = options_find(options, "public-key");

    if (checkpoint != NULL) {
        struct str text = str_of(checkpoint);
        size_t colon = str_index_of(text, ':');
        uint64_t number;

        if (colon == text.len ||
            !str_parse_u64((struct str){ text.at, colon }, INT64_MAX, &number) ||
            !audit_hex_read(str_from(text, colon + 1), wish.digest, DIGEST_BYTES)) {
            buffer_append_str(out_error, STR("--checkpoint is a number, ':' and 64 digits"));
            return RC_INVALID;
        }
        wish.has_checkpoint = true;
        wish.number = (int64_t)number;
    }
    if (key != NULL && !audit_hex_read(str_of(key), wish.public_key, TRAIL_KEY_BYTES)) {
        buffer_append_str(out_error, STR("--public-key is 64 hexadecimal digits"));
        return RC_INVALID;
    }
    wish.has_key = key != NULL;
    *out_wish = wish;
    return RC_OK;
}

bool audit_file_is_asked(int argc, char *const *argv)
{
    if (argc < 3 || strcmp(argv[0], "audit") != 0 || strcmp(argv[1], "verify") != 0)
        return false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--file") == 0 || strncmp(argv[i], "--file=", 7) == 0)
            return true;
    }
    return false;
}

/* ---- the check ---- */

struct file_check {
    struct audit_verify_wish wish;
    bool has_seen_checkpoint;
    struct checkpoint before;
    struct digest_stream *stream; /* of the next checkpoint; NULL: no event of it yet */
    int64_t count;                /* of its events */
    int64_t last_id;
    int64_t event_count; /* covered */
    int64_t checkpoint_count;
    int64_t trimmed_number, told_number;
    unsigned long line;
    struct sink *err;
    bool is_bad;
};

__attribute__((format(printf, 2, 3))) static void find(struct file_check *check, const char *format,
                                                       ...)
{
    char text[ERROR_BYTES];
    va_list args;

    check->is_bad = true;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sink_format(check->err, "jeton: audit verify: line %lu: %s\n", check->line, text);
}

static void begin(struct file_check *check)
{
    if (check->stream == NULL)
        check->stream = trail_digest_begin(check->before.number + 1, check->before.digest);
}

static void take_event(struct file_check *check, const struct json_value *line)
{
    unsigned char address[16];
    struct trail_event event;

    if (audit_line_read_event(line, address, &event) != RC_OK) {
        find(check, "this is no event");
        return;
    }
    if (event.id <= check->last_id)
        find(check, "event %lld stands behind event %lld", (long long)event.id,
             (long long)check->last_id);
    begin(check);
    trail_digest_add(check->stream, &event);
    check->last_id = event.id;
    check->count++;
    if (event.kind == EVENT_AUDIT_TRIMMED && event.token_id > check->told_number)
        check->told_number = event.token_id;
}

static void compare(struct file_check *check, const struct checkpoint *checkpoint,
                    const unsigned char *digest)
{
    long long number = (long long)checkpoint->number;

    if (checkpoint->number != check->before.number + 1 && checkpoint->trimmed_at == 0)
        find(check, "checkpoint %lld follows checkpoint %lld", number,
             (long long)check->before.number);
    if (trail_verify(check->wish.public_key, checkpoint) != RC_OK)
        find(check, "checkpoint %lld is not signed with that key, or was changed", number);
    if (check->wish.has_checkpoint && check->wish.number == checkpoint->number) {
        check->has_seen_checkpoint = true;
        if (memcmp(check->wish.digest, checkpoint->digest, DIGEST_BYTES) != 0) /* tidy: public */
            find(check, "checkpoint %lld is another one than was noted", number);
    }
    if (checkpoint->trimmed_at > 0) {
        check->trimmed_number = checkpoint->number;
    } else if (check->count != checkpoint->event_count ||
               check->last_id > checkpoint->last_event_id ||
               memcmp(digest, checkpoint->digest, DIGEST_BYTES) != 0) { /* tidy: public */
        find(check, "checkpoint %lld: it covers %lld events, and %lld other ones stand before it",
             number, (long long)checkpoint->event_count, (long long)check->count);
    } else {
        check->event_count += check->count;
    }
}

static void take_checkpoint(struct file_check *check, const struct json_value *object)
{
    unsigned char digest[DIGEST_BYTES];
    struct checkpoint checkpoint;

    if (audit_line_read_checkpoint(object, &checkpoint) != RC_OK) {
        find(check, "this is no checkpoint");
        return;
    }
    begin(check);
    digest_stream_end(check->stream, digest);
    check->stream = NULL;
    compare(check, &checkpoint, digest);
    check->checkpoint_count++;
    check->count = 0;
    check->before = checkpoint;
    if (check->last_id < checkpoint.last_event_id)
        check->last_id = checkpoint.last_event_id;
}

static void take_line(struct file_check *check, struct str text)
{
    struct json_document *document;
    const struct json_value *checkpoint;

    if (json_parse(text, &document) != RC_OK) {
        find(check, "this is no JSON");
        return;
    }
    checkpoint = json_find(json_root(document), STR("checkpoint"));
    if (checkpoint != NULL)
        take_checkpoint(check, checkpoint);
    else
        take_event(check, json_root(document));
    json_document_free(document);
}

static void conclude(struct file_check *check, struct sink *out)
{
    unsigned char ignored[DIGEST_BYTES];
    char at[SINK_TIME_BYTES];

    if (check->stream != NULL)
        digest_stream_end(check->stream, ignored);
    if (check->wish.has_checkpoint && !check->has_seen_checkpoint)
        find(check, "checkpoint %lld, which was noted, is missing", (long long)check->wish.number);
    if (check->trimmed_number > check->told_number)
        find(check, "no event tells that those up to checkpoint %lld were removed",
             (long long)check->trimmed_number);
    if (check->before.number == 0)
        find(check, "there is no checkpoint up to here: export with --with-checkpoints");
    if (check->is_bad)
        return;
    sink_time_format(check->before.at, at);
    sink_format(out, "checked %lld events in %lld checkpoints, last %lld at %s\n",
                (long long)check->event_count, (long long)check->checkpoint_count,
                (long long)check->before.number, at);
    if (!check->wish.has_checkpoint)
        sink_str(out, STR("note: only --checkpoint shows whether the end was cut off\n"));
    if (check->count > 0)
        sink_format(out, "note: %lld events stand behind the last checkpoint\n",
                    (long long)check->count);
}

static int check_file(struct file_check *check, const char *path, struct sink *out)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (file == NULL) {
        sink_format(check->err, "jeton: audit verify: the file cannot be read: %s\n",
                    strerror(errno));
        return STATUS_REFUSED;
    }
    while ((len = getline(&line, &room, file)) > 0) {
        check->line++;
        take_line(check, str_trim((struct str){ line, (size_t)len }));
    }
    if (ferror(file) != 0)
        find(check, "the file cannot be read to its end");
    free(line);
    fclose(file);
    conclude(check, out);
    return check->is_bad ? STATUS_REFUSED : STATUS_DONE;
}

int audit_file_run(int argc, char *const *argv, struct sink *out, struct sink *err)
{
    static struct options options;
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    struct file_check check = { .err = err };
    enum rc rc =
        options_parse(audit_verify_options, command_common_options, argc, argv, &options, &error);

    if (rc == RC_OK)
        rc = audit_verify_read(&options, &check.wish, &error);
    if (rc == RC_OK && !check.wish.has_key) {
        buffer_append_str(&error, STR("--file needs --public-key"));
        rc = RC_INVALID;
    }
    if (rc == RC_OK)
        return check_file(&check, options_find(&options, "file"), out);
    sink_format(err, "jeton: audit verify: %.*s; see 'jeton audit verify --help'\n",
                STR_ARGS(buffer_str(&error)));
    return STATUS_USAGE;
}
