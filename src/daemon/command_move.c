#include "daemon/command_move.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "daemon/command.h"
#include "daemon/house.h"
#include "daemon/master_key.h"
#include "daemon/store_place.h"
#include "store/move.h"

enum {
    ERROR_BYTES = 1024,
    ORIGIN_BYTES_MAX = 128,
    BAD_TEXT_COUNT_MAX = 20, /* of one run, one line each */
    REMINDER_MS = 5000       /* between the lines of a table that takes long */
};

static const struct option_spec options_move[] = {
    { "from", "DIR|URL", "the store to be moved: a data folder, or postgresql://…", false },
    { "to", "DIR|URL", "where to: empty, or what an interrupted move left there", false },
    { "master-key-file", "FILE", "where the master key is, if not in the data folder", false },
    { "from-password-file", "FILE", "the password of the database that --from names", false },
    { "to-password-file", "FILE", "the password of the database that --to names", false },
    { "undo", NULL, "takes from the store of --from the mark that it is moving or has moved",
      false },
    { "help", NULL, "show this help", false },
    { 0 },
};

struct job {
    struct options options;
    struct store_place from;
    struct store_place to;
    struct master_key key;
    struct move *move;
    uint64_t row_count; /* of all tables, compared */
    uint64_t copied_count;
    bool has_begun; /* something may have been copied */
    int64_t start_ns;
    int64_t copying_ns; /* when copying began */
    int64_t copied_ns;  /* when all was copied */
    char error_bytes[ERROR_BYTES];
    struct buffer error;
    struct sink *out;
    struct sink *err;
};

/* ---- words ---------------------------------------------------------------------------------- */

static int refuse(struct job *job, enum rc rc)
{
    const char *advice = "";
    char bytes[ERROR_BYTES];
    struct buffer line = buffer_over(bytes, sizeof(bytes));
    struct str words = buffer_str(&job->error);

    /* One event, one line: whatever an engine said. */
    for (size_t i = 0; i < words.len; i++)
        buffer_append_byte(&line, (unsigned char)words.at[i] < 0x20 ? ' ' : words.at[i]);
    sink_flush(job->out);
    if (rc_is_fault(rc) && rc != RC_CORRUPT)
        advice = job->has_begun ? "; run the same command again, and it goes on from here"
                                : "; nothing was changed";
    sink_format(job->err, "jeton: move: %.*s%s\n", STR_ARGS(str_trim(buffer_str(&line))), advice);
    return STATUS_REFUSED;
}

static int refuse_usage(struct job *job)
{
    sink_format(job->err, "jeton: move: %.*s; see 'jeton move --help'\n",
                STR_ARGS(buffer_str(&job->error)));
    return STATUS_USAGE;
}

static void help(struct sink *out)
{
    sink_text(out, "jeton move --from DIR|URL --to DIR|URL [option…]\n"
                   "moves all of a store into another one; no server may run on either\n\n");
    for (const struct option_spec *spec = options_move; spec->name != NULL; spec++) {
        char left[64];

        snprintf(left, sizeof(left), "  --%s%s%s", spec->name, spec->argument != NULL ? " " : "",
                 spec->argument != NULL ? spec->argument : "");
        sink_column(out, str_of(left), 32);
        sink_format(out, "%s\n", spec->help);
    }
    sink_text(out, "\nInterrupted, it is started again with the same words and goes on.\n");
}

static double seconds_since(int64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / 1e9;
}

/* ---- the two ends --------------------------------------------------------------------------- */

static bool is_database(const char *text)
{
    return strstr(text, "://") != NULL;
}

static enum rc name_end(struct job *job, const char *option, struct store_place *end)
{
    const char *text = options_find(&job->options, option);
    char name[32];
    const char *password_file;
    enum rc rc;

    snprintf(name, sizeof(name), "%s-password-file", option);
    password_file = options_find(&job->options, name);
    if (!is_database(text) && password_file != NULL) {
        buffer_append_format(&job->error, "--%s is for a database, and --%s names a folder", name,
                             option);
        return RC_INVALID;
    }
    if (!is_database(text))
        return store_place_folder(text, end, &job->error);
    buffer_append_format(&job->error, "--%s: ", option);
    rc = store_place_database(text, password_file, end, &job->error);
    if (rc != RC_OK)
        return rc;
    job->error.len = 0;
    if (end->database.has_password)
        sink_format(job->err,
                    "jeton: move: --%s has a password in it: everybody on this machine can read it "
                    "there; put it into a file, --%s\n",
                    option, name);
    return RC_OK;
}

static int parse(struct job *job, int argc, char *const *argv)
{
    bool is_undo;

    if (options_parse(options_move, NULL, argc, argv, &job->options, &job->error) != RC_OK)
        return refuse_usage(job);
    if (options_has(&job->options, "help"))
        return STATUS_DONE;
    is_undo = options_has(&job->options, "undo");
    if (job->options.argument_count > 0)
        buffer_append_str(&job->error, STR("there is an argument too many"));
    else if (!options_has(&job->options, "from"))
        buffer_append_str(&job->error, STR("--from DIR or --from URL is needed"));
    else if (!is_undo && !options_has(&job->options, "to"))
        buffer_append_str(&job->error, STR("--to DIR or --to URL is needed"));
    else if (is_undo && options_has(&job->options, "to"))
        buffer_append_str(&job->error, STR("--undo takes no --to"));
    if (job->error.len > 0)
        return refuse_usage(job);
    if (name_end(job, "from", &job->from) != RC_OK ||
        (!is_undo && name_end(job, "to", &job->to) != RC_OK))
        return refuse_usage(job);
    if (!is_undo && strcmp(job->from.words, job->to.words) == 0) {
        buffer_append_str(&job->error, STR("--from and --to name the same store"));
        return refuse_usage(job);
    }
    return STATUS_DONE;
}

/* ---- the master key ------------------------------------------------------------------------- */

/* All that is sealed stays sealed, so the key goes along; a wrong one must not be found later. */
static enum rc check_key(struct job *job, struct str sealed, const char *where)
{
    return house_check_key(&job->key, sealed, where, &job->error);
}

/* A folder that is moved into may have a key already: then it has to be this one. */
static enum rc check_target_key(struct job *job, struct str sealed)
{
    bool was_made;
    enum rc rc;

    if (options_has(&job->options, "master-key-file") || !store_place_has_key(&job->to))
        return RC_OK;
    master_key_close(&job->key);
    rc = master_key_open(job->to.folder, NULL, false, &job->key, &was_made, &job->error);
    return rc == RC_OK ? check_key(job, sealed, job->to.words) : rc;
}

/* *out_origin: the source is known by this value; every store has one of its own. */
static enum rc open_key(struct job *job, struct buffer *out_origin)
{
    const char *folder = job->from.folder != NULL ? job->from.folder : job->to.folder;
    bool was_made;
    enum rc rc;

    rc = move_find_sealed_value(job->move, STR(SECRET_CHECK_KEY_NAME), out_origin, &job->error);
    if (rc == RC_NOT_FOUND)
        buffer_append_format(&job->error, "%s is empty: there is nothing to move", job->from.words);
    if (rc == RC_OK)
        rc = master_key_open(folder, options_find(&job->options, "master-key-file"), false,
                             &job->key, &was_made, &job->error);
    if (rc == RC_OK)
        rc = check_key(job, buffer_str(out_origin), "");
    if (rc == RC_OK)
        rc = check_target_key(job, buffer_str(out_origin));
    return rc;
}

static void tell_key(struct job *job)
{
    const char *file = options_find(&job->options, "master-key-file");
    const char *folder = job->from.folder != NULL ? job->from.words : job->to.words;

    if (file != NULL)
        sink_format(job->out, "What is sealed stays sealed with the same master key, %s.", file);
    else if (getenv("CREDENTIALS_DIRECTORY") != NULL)
        sink_text(job->out, "What is sealed stays sealed with the same master key, the service "
                            "manager's credential.");
    else
        sink_format(job->out,
                    "What is sealed stays sealed with the same master key, %s/master.key.", folder);
    if (job->to.folder == NULL)
        sink_text(job->out, " Every server on the database needs it.\n");
    else if (store_place_has_key(&job->to))
        sink_text(job->out, "\n");
    else
        sink_format(job->out,
                    " The server on %s needs it, as master.key in there or by "
                    "--master-key-file.\n",
                    job->to.words);
}

/* ---- the steps ------------------------------------------------------------------------------ */

static void tell_bad_text(struct job *job, const struct move_bad_text *text)
{
    char key[64];

    if (text->has_number)
        snprintf(key, sizeof(key), "%lld", (long long)text->number);
    else
        snprintf(key, sizeof(key), "%.*s", STR_ARGS(text->key));
    for (char *at = key; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            *at = '?';
    }
    sink_format(job->err, "jeton: move: table %s, key %s: %.*s %s\n", text->table, key,
                STR_ARGS(text->column), text->reason);
}

/* All of them are told, up to a limit, so that they can be mended in one go. */
static enum rc check_texts(struct job *job)
{
    struct move_bad_text text;
    unsigned count = 0;
    enum rc rc = RC_OK;

    while (rc == RC_OK && count < BAD_TEXT_COUNT_MAX) {
        rc = move_find_bad_text(job->move, &text, &job->error);
        if (rc == RC_OK) {
            tell_bad_text(job, &text);
            count++;
        }
    }
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    if (count == 0)
        return RC_OK;
    buffer_append_format(&job->error,
                         "%s%u texts of the source cannot be held by PostgreSQL (above); nothing "
                         "was written",
                         count == BAD_TEXT_COUNT_MAX ? "at least " : "", count);
    return RC_REFUSED;
}

static void tell_stage(struct job *job, enum move_stage stage)
{
    const char *words = "";

    switch (stage) {
    case MOVE_NEW:
        words = "into an empty store";
        break;
    case MOVE_BACK:
        words = "back into the store that once left, whose old rows were removed";
        break;
    case MOVE_ANEW:
        words = "anew: what an earlier move left there was removed";
        break;
    case MOVE_RESUMED:
        words = "on from where it was interrupted";
        break;
    case MOVE_VERIFIED:
        words = "to its end: all was copied and verified before";
        break;
    }
    sink_format(job->out, "moving %s to %s, %s\n", job->from.words, job->to.words, words);
    sink_flush(job->out);
}

static enum rc copy_table(struct job *job, unsigned table)
{
    int64_t start_ns = clock_monotonic_ns();
    int64_t told_ns = start_ns;
    uint64_t total = 0;
    uint64_t count = 1;
    enum rc rc = RC_OK;

    while (rc == RC_OK && count > 0) {
        rc = move_copy_some(job->move, table, &count, &job->error);
        if (rc != RC_OK)
            return rc;
        total += count;
        if (clock_monotonic_ns() - told_ns < REMINDER_MS * INT64_C(1000000))
            continue;
        told_ns = clock_monotonic_ns();
        sink_format(job->out, "copying   %-18s %12llu rows so far\n", move_table_name(table),
                    (unsigned long long)total);
        sink_flush(job->out);
    }
    if (total > 0) {
        sink_format(job->out, "copied    %-18s %12llu rows %9.1f s\n", move_table_name(table),
                    (unsigned long long)total, seconds_since(start_ns));
        sink_flush(job->out);
    }
    job->copied_count += total;
    return rc;
}

struct table_sum {
    uint64_t row_count;
    unsigned char digest[SHA256_BYTES];
};

static enum rc sum_up(struct job *job, enum move_side side, unsigned table,
                      struct table_sum *out_sum)
{
    struct digest_stream *stream = digest_stream_new();
    struct str rows = STR("");
    uint64_t count = 1;
    enum rc rc = RC_OK;

    out_sum->row_count = 0;
    while (rc == RC_OK && count > 0) {
        rc = move_read_some(job->move, side, table, &rows, &count, &job->error);
        if (rc == RC_OK) {
            out_sum->row_count += count;
            digest_stream_add(stream, rows);
        }
    }
    digest_stream_end(stream, out_sum->digest);
    return rc;
}

static bool sums_are_equal(const struct table_sum *a, const struct table_sum *b)
{
    return a->row_count == b->row_count &&
           memcmp(a->digest, b->digest, SHA256_BYTES) == 0; /* tidy: public */
}

/* RC_CORRUPT when the two sides differ. */
static enum rc verify_table(struct job *job, unsigned table)
{
    struct table_sum source;
    struct table_sum target;
    enum rc rc = sum_up(job, MOVE_SOURCE, table, &source);

    if (rc == RC_OK)
        rc = sum_up(job, MOVE_TARGET, table, &target);
    if (rc != RC_OK)
        return rc;
    if (!sums_are_equal(&source, &target)) {
        buffer_append_format(&job->error,
                             "table %s is not the same on both sides (%llu rows and %llu): run the "
                             "move again, which begins anew",
                             move_table_name(table), (unsigned long long)source.row_count,
                             (unsigned long long)target.row_count);
        return RC_CORRUPT;
    }
    sink_format(job->out, "verified  %-18s %12llu rows  SHA-256 ", move_table_name(table),
                (unsigned long long)source.row_count);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        sink_format(job->out, "%02x", source.digest[i]);
    sink_text(job->out, "\n");
    sink_flush(job->out);
    job->row_count += source.row_count;
    return RC_OK;
}

static enum rc copy_and_verify(struct job *job)
{
    char ignored_bytes[ERROR_BYTES];
    struct buffer ignored = buffer_over(ignored_bytes, sizeof(ignored_bytes));
    enum rc rc = RC_OK;

    job->copying_ns = clock_monotonic_ns();
    for (unsigned table = 0; rc == RC_OK && table < move_table_count(); table++)
        rc = copy_table(job, table);
    if (rc != RC_OK)
        return rc;
    job->copied_ns = clock_monotonic_ns();
    for (unsigned table = 0; rc == RC_OK && table < move_table_count(); table++)
        rc = verify_table(job, table);
    if (rc == RC_CORRUPT && move_reject(job->move, &ignored) != RC_OK)
        return rc; /* the line says what to do all the same */
    return rc;
}

/* A folder that goes with a database from now on, or no longer, before anybody may serve it. */
static enum rc mark_folders(struct job *job)
{
    enum rc rc = RC_OK;

    if (job->from.folder != NULL && job->to.folder == NULL)
        rc = database_mark_folder(&job->to.database, job->from.folder, &job->error);
    if (rc == RC_OK && job->to.folder != NULL)
        rc = database_unmark_folder(job->to.folder, &job->error);
    return rc;
}

static void tell_end(struct job *job, enum move_stage stage)
{
    double copying_s = (double)(job->copied_ns - job->copying_ns) / 1e9;

    if (stage != MOVE_VERIFIED)
        sink_format(job->out,
                    "moved %llu rows of %u tables in %.1f s: %llu copied at %.0f rows/s, all "
                    "verified\n",
                    (unsigned long long)job->row_count, move_table_count(),
                    seconds_since(job->start_ns), (unsigned long long)job->copied_count,
                    copying_s > 0 ? (double)job->copied_count / copying_s : 0.0);
    sink_format(job->out,
                "%s is marked as moved and is not served any more; serve %s from now on.\n",
                job->from.words, job->to.words);
    tell_key(job);
}

/* ---- the command ---------------------------------------------------------------------------- */

static enum rc move_all(struct job *job)
{
    unsigned char origin_bytes[ORIGIN_BYTES_MAX];
    struct buffer origin = buffer_over(origin_bytes, sizeof(origin_bytes));
    enum move_stage stage;
    enum rc rc = move_open(&job->from.place, &job->to.place, &job->move, &job->error);

    if (rc == RC_OK)
        rc = open_key(job, &origin);
    if (rc == RC_OK)
        rc = check_texts(job);
    if (rc == RC_OK)
        rc = move_open_target(job->move, &job->error);
    job->has_begun = rc == RC_OK;
    if (rc == RC_OK)
        rc = move_begin(job->move, buffer_str(&origin), &stage, &job->error);
    if (rc != RC_OK)
        return rc;
    tell_stage(job, stage);
    if (stage != MOVE_VERIFIED)
        rc = copy_and_verify(job);
    if (rc == RC_OK)
        rc = mark_folders(job);
    if (rc == RC_OK)
        rc = move_finish(job->move, &job->error);
    if (rc == RC_OK)
        tell_end(job, stage);
    return rc;
}

static enum rc undo(struct job *job)
{
    bool had_left = false;
    enum rc rc = RC_OK;

    if (job->from.folder != NULL)
        rc = database_unmark_folder(job->from.folder, &job->error);
    if (rc == RC_OK)
        rc = move_undo(&job->from.place, &had_left, &job->error);
    if (rc != RC_OK)
        return rc;
    sink_format(job->out, "%s can be served again\n", job->from.words);
    if (had_left)
        sink_text(job->err, "jeton: move: what was changed in the store that it moved to is not "
                            "in it: what was revoked or spent there is good here; serve only one "
                            "of the two\n");
    return RC_OK;
}

int move_run(int argc, char *const *argv, struct sink *out, struct sink *err)
{
    struct job job = { .start_ns = clock_monotonic_ns(), .out = out, .err = err };
    int status;
    enum rc rc;

    job.error = buffer_over(job.error_bytes, sizeof(job.error_bytes));
    status = parse(&job, argc, argv);
    if (status != STATUS_DONE)
        return status;
    if (options_has(&job.options, "help")) {
        help(out);
        return STATUS_DONE;
    }
    rc = options_has(&job.options, "undo") ? undo(&job) : move_all(&job);
    if (rc != RC_OK && job.error.len == 0)
        buffer_append_str(&job.error, str_of(rc_words(rc)));
    move_close(job.move);
    master_key_close(&job.key);
    store_place_close(&job.from);
    store_place_close(&job.to);
    return rc == RC_OK ? STATUS_DONE : refuse(&job, rc);
}
