#include "daemon/confine.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/cage.h"
#include "fetch/launcher.h"
#include "http/http.h"

enum { WORDS_BYTES = DATABASE_URI_BYTES_MAX + 2 * PATH_MAX };

/* Then the loose cage is in force since the program before: filters are inherited. */
static bool was_restarted;
static struct cage_force force; /* of confine_server */

void confine_launcher(void)
{
    bool is_child = false;

    was_restarted = getenv(HTTP_HANDED_VARIABLE) != NULL;
    if (!launcher_fork(&is_child) || !is_child)
        return;
    (void)cage_enter_read_only();
    if (!was_restarted)
        (void)cage_enter_loose();
    launcher_main();
}

/* So that it can be named in a rule; the store then looks at its mode. */
static void make_folder(const char *data)
{
    char parent[PATH_MAX];
    int fd;

    if (strlen(data) >= sizeof(parent) || mkdir(data, 0700) != 0)
        return;
    memcpy(parent, data, strlen(data) + 1);
    fd = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* The files that the parameters of a connection URI name, such as sslrootcert. */
static void add_database_files(const struct database *database, struct buffer *memory,
                               struct cage_files *files)
{
    const char *at = strchr(database->uri, '?');

    while (at != NULL && (at = strchr(at, '=')) != NULL) {
        const char *start = memory->at + memory->len;

        for (at++; *at != '\0' && *at != '&'; at++) {
            bool is_slash = strncasecmp(at, "%2f", 3) == 0;

            buffer_append_byte(memory, is_slash ? '/' : *at);
            at += is_slash ? 2 : 0;
        }
        buffer_append_byte(memory, '\0');
        if (!memory->overflow && start[0] == '/')
            cage_files_add(files, start);
    }
}

/* Where libpq looks by itself. */
static void add_libpq_files(struct buffer *memory, struct cage_files *files)
{
    static const char *const variables[] = { "PGPASSFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY",
                                             "PGSERVICEFILE" };
    static const char *const places[] = { ".postgresql", ".pgpass" };
    const char *home = getenv("HOME");

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        cage_files_add(files, getenv(variables[i]));
    for (size_t i = 0; home != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
        const char *start = memory->at + memory->len;

        buffer_append_format(memory, "%s/%s", home, places[i]);
        buffer_append_byte(memory, '\0');
        if (!memory->overflow)
            cage_files_add(files, start);
    }
}

/* The folder of a listener "unix:PATH": what a crash has left there is removed, too. */
static void add_socket(const char *listen, struct buffer *memory, struct cage_files *files)
{
    static const char prefix[] = "unix:";
    char path[PATH_MAX];
    const char *start = memory->at + memory->len;

    if (listen == NULL || strncmp(listen, prefix, sizeof(prefix) - 1) != 0 ||
        strlen(listen) >= sizeof(path) || files->socket_count == CAGE_PATH_COUNT_MAX)
        return;
    memcpy(path, listen + sizeof(prefix) - 1, strlen(listen) - sizeof(prefix) + 2);
    buffer_append_str(memory, str_of(dirname(path)));
    buffer_append_byte(memory, '\0');
    if (!memory->overflow)
        files->sockets[files->socket_count++] = start;
}

static void list_files(const struct settings *settings, struct buffer *memory,
                       struct cage_files *files)
{
    files->data = settings->data;
    for (size_t i = 0; i < settings->listen_count; i++)
        add_socket(settings->listen[i], memory, files);
    add_socket(settings->metrics_listen, memory, files);
    cage_files_add(files, settings->tls_certificate);
    cage_files_add(files, settings->tls_key);
    cage_files_add(files, settings->master_key_file);
    cage_files_add(files, settings->config_path);
    cage_files_add(files, settings->outside.client_ca.at);
    cage_files_add(files, settings->outside.fetch_ca.at);
    cage_files_add(files, settings->mail.smtp_password_file.at);
    cage_files_add(files, settings->mail.smtp_ca_file.at);
    cage_files_add(files, settings->brand_settings.logo.at);
    cage_files_add(files, settings->database_settings.password_file.at);
    cage_files_add(files, getenv("CREDENTIALS_DIRECTORY"));
    cage_files_add(files, getenv("SSL_CERT_FILE"));
    cage_files_add(files, getenv("SSL_CERT_DIR"));
    if (settings->database_settings.uri.len == 0)
        return;
    add_database_files(&settings->database, memory, files);
    add_libpq_files(memory, files);
}

enum rc confine_server(const struct settings *settings, struct buffer *out_error)
{
    char bytes[WORDS_BYTES];
    struct buffer memory = buffer_over(bytes, sizeof(bytes));
    struct cage_files files = { .data = NULL };

    if (settings->sandbox == SANDBOX_OFF)
        return RC_OK;
    if (settings->data != NULL)
        make_folder(settings->data);
    list_files(settings, &memory, &files);
    cage_enter(&files, &force);
    explicit_bzero(bytes, sizeof(bytes)); /* the URI may have a password */
    if (settings->sandbox != SANDBOX_REQUIRED || (force.has_filter && force.landlock_abi > 0))
        return RC_OK;
    buffer_append_format(out_error, "--sandbox is required, but this kernel or container has no %s",
                         force.has_filter ? "Landlock" : "seccomp filters");
    return RC_INVALID;
}

void confine_say(const struct settings *settings)
{
    bool is_whole = force.has_filter && force.landlock_abi > 0;

    if (geteuid() == 0)
        log_event(LOG_WARN, "runs_as_root",
                  LOG_TEXT("advice", "start it as a user of its own, as the systemd unit does"));
    if (settings->sandbox == SANDBOX_OFF)
        log_event(LOG_WARN, "not_caged", LOG_TEXT("why", "sandbox is off"));
    else
        log_event(is_whole ? LOG_INFO : LOG_WARN, "caged",
                  LOG_TEXT("seccomp", force.has_filter ? "yes" : "no"),
                  LOG_INT("landlock", force.landlock_abi));
}

void confine_signal_thread(const struct settings *settings)
{
    if (settings->sandbox != SANDBOX_OFF && !was_restarted && !cage_enter_loose())
        log_event(LOG_WARN, "not_caged", LOG_TEXT("why", "the filter of the signal thread"));
}
