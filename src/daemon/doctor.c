#include "daemon/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/json.h"
#include "daemon/check.h"
#include "daemon/command.h"
#include "daemon/control.h"
#include "daemon/doctor_cage.h"

enum { ERROR_BYTES = 512, WORDS_BYTES = 400, LINE_BYTES = 4096 };

static const struct option_spec options_doctor[] = {
    { "deep", NULL, "reads the whole store; takes seconds for each GiB", false },
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

/* Doctor's own and the server's in one table, as options_parse takes one beside the common. */
static enum rc parse(int argc, char *const *argv, struct options *out_options,
                     struct buffer *out_error)
{
    static struct option_spec all[OPTION_COUNT_MAX];
    size_t count = 0;

    for (const struct option_spec *row = options_doctor; row->name != NULL; row++)
        all[count++] = *row;
    for (const struct option_spec *row = settings_options; row->name != NULL; row++) {
        ASSERT(count + 1 < OPTION_COUNT_MAX);
        all[count++] = *row;
    }
    return options_parse(all, command_common_options, argc, argv, out_options, out_error);
}

void doctor_say(struct doctor *doctor, enum finding finding, const char *what, const char *format,
                ...)
{
    static const char *const levels[] = { "ok", "warn", "fail" };
    char words[WORDS_BYTES];
    char line[LINE_BYTES];
    struct buffer text = buffer_over(line, sizeof(line));
    struct json_out json = json_out_over(&text);
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    doctor->has_failed = doctor->has_failed || finding == FINDING_FAIL;
    if (!doctor->is_json) {
        sink_format(doctor->out, "%-4s  %-15s  %s\n", levels[finding], what, words);
        return;
    }
    json_begin_object(&json);
    json_member_string(&json, STR("level"), str_of(levels[finding]));
    json_member_string(&json, STR("what"), str_of(what));
    json_member_string(&json, STR("words"), str_of(words));
    json_end_object(&json);
    sink_str(doctor->out, buffer_str(&text));
    sink_text(doctor->out, "\n");
}

/* The kernel knows who listens at the control socket. */
static int find_server(const char *data)
{
    struct ucred peer = { .pid = 0 };
    socklen_t len = sizeof(peer);
    int fd;

    if (data == NULL || control_connect(data, &fd) != RC_OK)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        peer.pid = 0;
    close(fd);
    return peer.pid;
}

static void look(struct doctor *doctor)
{
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    bool is_startable = check_settings(&doctor->settings, &error) == RC_OK;

    if (is_startable)
        doctor_say(doctor, FINDING_OK, "settings", "a server starts with these");
    else
        doctor_say(doctor, FINDING_FAIL, "settings", "%.*s", STR_ARGS(buffer_str(&error)));
    doctor->server_pid = find_server(doctor->settings.data);
    if (doctor->server_pid > 0)
        doctor_say(doctor, FINDING_OK, "server", "runs on the data folder, as process %d",
                   doctor->server_pid);
    else
        doctor_say(doctor, FINDING_WARN, "server", "none runs on the data folder here");
    doctor_look_at_machine(doctor);
    if (is_startable)
        doctor_look_at_store(doctor);
}

static int help(struct sink *out)
{
    sink_text(out, "jeton doctor [--config FILE] [any option of serve]\n"
                   "says what an operator should know of settings, machine and store, a line for "
                   "each\n\n");
    for (const struct option_spec *row = options_doctor; row->name != NULL; row++) {
        sink_format(out, "  --%s", row->name);
        sink_format(out, "%*s%s\n", (int)(28 - strlen(row->name)), "", row->help);
    }
    sink_text(out,
              "  --sandbox                     alone: tries to get out of the cage that a server "
              "runs in\n"
              "  --help                        show this help\n");
    sink_text(out, "\nThe options of 'jeton serve --help' say where everything is, as for the "
                   "server itself.\nExit status: 0 nothing failed, 1 something did, 2 wrong "
                   "usage.\n");
    return STATUS_DONE;
}

static int usage(struct sink *err, struct str words)
{
    sink_format(err, "jeton: doctor: %.*s; see 'jeton doctor --help'\n", STR_ARGS(words));
    return STATUS_USAGE;
}

/* `--sandbox` alone is no setting here: it asks for the proof. */
static bool asks_for_proof(int argc, char *const *argv, bool *out_is_caged)
{
    *out_is_caged = argc == 1 && strcmp(argv[0], "--sandbox") == 0;
    return *out_is_caged || (argc == 1 && strcmp(argv[0], "--sandbox=off") == 0);
}

static int examine(struct doctor *doctor, const struct options *options, struct sink *err)
{
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    enum rc rc = settings_open(options, &doctor->settings, &error);

    if (rc == RC_OK)
        look(doctor);
    else if (options_has(options, "config") || options_has(options, "data") ||
             options_has(options, "database"))
        doctor_say(doctor, FINDING_FAIL, "settings", "%.*s", STR_ARGS(buffer_str(&error)));
    settings_close(&doctor->settings);
    if (rc != RC_OK && !doctor->has_failed)
        return usage(err, buffer_str(&error));
    return doctor->has_failed ? STATUS_REFUSED : STATUS_DONE;
}

int doctor_run(int argc, char *const *argv, struct sink *out, struct sink *err)
{
    static struct doctor doctor; /* one in a process, and too large for a stack */
    static struct options options;
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    bool is_caged;

    if (asks_for_proof(argc, argv, &is_caged))
        return doctor_cage_prove(is_caged, out, err);
    if (parse(argc, argv, &options, &error) != RC_OK)
        return usage(err, buffer_str(&error));
    if (options_has(&options, "help"))
        return help(out);
    if (options.argument_count > 0)
        return usage(err, STR("there is an argument too many"));
    doctor = (struct doctor){ .out = out,
                              .is_json = options_has(&options, "json"),
                              .is_deep = options_has(&options, "deep") };
    return examine(&doctor, &options, err);
}
