#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/control.h"
#include "daemon/control_wire.h"

enum { QUEUE_COUNT = 128, BUSY_POLL_MS = 5, ACCEPT_PAUSE_MS = 100 };

/* A command under way. The accepting thread alone starts and joins; the slot's own thread ends. */
struct control_slot {
    pthread_t thread;
    bool is_started;
    _Atomic bool is_done;
    int fd;
    unsigned uid; /* of who asks */
    struct house *house;
};

struct control_server {
    struct house *house;
    int folder_fd;
    int listen_fd;
    int stop_fd; /* an eventfd */
    pthread_t thread;
    struct control_slot slots[CONTROL_CONNECTION_COUNT_MAX];
};

/* ---- one command ---- */

/* A request as it was read. The words lie one behind the other in `bytes`, each with a NUL. */
struct control_request {
    char *bytes;
    size_t used_bytes;
    char *words[CONTROL_WORD_COUNT_MAX];
    int word_count;
    bool has_input;
    struct secret input;
    char *document;
    size_t document_bytes;
};

static bool read_word(int fd, struct control_request *request)
{
    size_t room = CONTROL_REQUEST_BYTES_MAX - request->used_bytes;
    char *word = request->bytes + request->used_bytes;
    uint32_t len;

    if (!control_read_number(fd, &len) || len >= room || !control_read(fd, word, len))
        return false;
    word[len] = '\0';
    if (strlen(word) != len)
        return false;
    request->words[request->word_count++] = word;
    request->used_bytes += len + 1;
    return true;
}

static bool read_document(int fd, struct control_request *request)
{
    uint32_t len;

    if (!control_read_number(fd, &len) || len > CONTROL_DOCUMENT_BYTES_MAX)
        return false;
    request->document = malloc(len + 1);
    ASSERT(request->document != NULL);
    request->document_bytes = len;
    return control_read(fd, request->document, len);
}

static bool read_input(int fd, struct control_request *request)
{
    uint32_t len;

    request->has_input = true;
    if (!control_read_number(fd, &len) || len > SECRET_BYTES_MAX)
        return false;
    request->input.len = len;
    return control_read(fd, request->input.bytes, len);
}

static bool read_request(int fd, struct control_request *request)
{
    char magic[CONTROL_MAGIC_BYTES];
    uint32_t word_count;
    uint32_t parts;

    if (!control_read(fd, magic, sizeof(magic)) ||
        memcmp(magic, CONTROL_MAGIC, sizeof(magic)) != 0 || !control_read_number(fd, &word_count) ||
        word_count > CONTROL_WORD_COUNT_MAX)
        return false;
    while ((uint32_t)request->word_count < word_count) {
        if (!read_word(fd, request))
            return false;
    }
    return control_read_number(fd, &parts) && parts <= (CONTROL_INPUT | CONTROL_DOCUMENT) &&
           ((parts & CONTROL_INPUT) == 0 || read_input(fd, request)) &&
           ((parts & CONTROL_DOCUMENT) == 0 || read_document(fd, request));
}

static bool write_part(int fd, enum control_kind kind, struct str bytes)
{
    return control_write_number(fd, (uint32_t)kind) &&
           control_write_number(fd, (uint32_t)bytes.len) && control_write(fd, bytes.at, bytes.len);
}

static bool take_out(void *context, struct str bytes)
{
    return write_part(*(int *)context, CONTROL_OUT, bytes);
}

static bool take_err(void *context, struct str bytes)
{
    return write_part(*(int *)context, CONTROL_ERR, bytes);
}

static void run_request(struct control_slot *slot, const struct control_request *request)
{
    struct sink out;
    struct sink err;
    struct str noun = request->word_count > 0 ? str_of(request->words[0]) : STR("");
    bool has_verb = request->word_count > 1 && !command_stands_alone(request->words[0]);
    struct str verb = has_verb ? str_of(request->words[1]) : STR("");
    char status_byte;
    int status;

    sink_init(&out, take_out, &slot->fd);
    sink_init(&err, take_err, &slot->fd);
    status =
        house_run_command(slot->house, slot->uid, request->word_count, request->words,
                          request->has_input ? &request->input : NULL,
                          (struct str){ request->document, request->document_bytes }, &out, &err);
    log_event(LOG_INFO, "command", LOG_STR("noun", noun), LOG_STR("verb", verb),
              LOG_INT("uid", slot->uid), LOG_INT("status", status));
    status_byte = (char)status;
    (void)write_part(slot->fd, CONTROL_STATUS, (struct str){ &status_byte, 1 });
}

static void *slot_main(void *context)
{
    struct control_slot *slot = context;
    struct control_request *request = calloc(1, sizeof(*request));

    ASSERT(request != NULL);
    request->bytes = malloc(CONTROL_REQUEST_BYTES_MAX);
    ASSERT(request->bytes != NULL);
    if (read_request(slot->fd, request))
        run_request(slot, request);
    secret_wipe(&request->input);
    if (request->document != NULL)
        explicit_bzero(request->document, request->document_bytes);
    free(request->document);
    free(request->bytes);
    free(request);
    /* The accepting thread closes it, at its next turn; the caller need not wait for that. */
    shutdown(slot->fd, SHUT_RDWR);
    atomic_store(&slot->is_done, true);
    return NULL;
}

/* ---- accepting ---- */

static void slot_join(struct control_slot *slot)
{
    if (!slot->is_started)
        return;
    pthread_join(slot->thread, NULL);
    close(slot->fd);
    slot->is_started = false;
}

static bool is_peer_welcome(int fd, unsigned *out_uid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
        (peer.uid != geteuid() && peer.uid != 0))
        return false;
    *out_uid = peer.uid;
    return true;
}

static struct control_slot *find_slot(struct control_server *server)
{
    struct control_slot *found = NULL;

    for (size_t i = 0; i < CONTROL_CONNECTION_COUNT_MAX; i++) {
        struct control_slot *slot = &server->slots[i];

        if (slot->is_started && atomic_load(&slot->is_done))
            slot_join(slot);
        if (!slot->is_started)
            found = slot;
    }
    return found;
}

static void serve_one(struct control_server *server, struct control_slot *slot)
{
    const struct timeval read_timeout = { .tv_sec = CONTROL_READ_TIMEOUT_S };
    const struct timeval write_timeout = { .tv_sec = CONTROL_WRITE_TIMEOUT_S };
    const struct timespec pause = { .tv_nsec = ACCEPT_PAUSE_MS * 1000000 };
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        /* Without a descriptor for it the caller stays in the queue, and poll(2) says so at once.
         */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            nanosleep(&pause, NULL);
        return;
    }
    if (!is_peer_welcome(fd, &slot->uid)) {
        log_event(LOG_WARN, "control_refused", LOG_TEXT("why", "another user"));
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &read_timeout, sizeof(read_timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &write_timeout, sizeof(write_timeout));
    slot->fd = fd;
    slot->house = server->house;
    atomic_store(&slot->is_done, false);
    slot->is_started = pthread_create(&slot->thread, NULL, slot_main, slot) == 0;
    if (!slot->is_started)
        close(fd);
}

/* While every slot is taken, further callers wait in the socket's queue. */
static void *server_main(void *context)
{
    struct control_server *server = context;

    for (;;) {
        struct control_slot *slot = find_slot(server);
        struct pollfd fds[2] = { { .fd = server->stop_fd, .events = POLLIN },
                                 { .fd = server->listen_fd, .events = POLLIN } };

        if (poll(fds, slot == NULL ? 1 : 2, slot == NULL ? BUSY_POLL_MS : -1) < 0)
            continue;
        if (fds[0].revents != 0)
            return NULL;
        if (slot != NULL && fds[1].revents != 0)
            serve_one(server, slot);
    }
}

/* ---- opening and closing ---- */

static bool listen_in(const char *data, struct control_server *server)
{
    struct sockaddr_un address;

    server->folder_fd = control_address(data, &address);
    server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (server->folder_fd < 0 || server->listen_fd < 0 || server->stop_fd < 0)
        return false;
    /* The lock file is ours, so whatever is there belongs to a server that died. */
    if (unlink(address.sun_path) != 0 && errno != ENOENT)
        return false;
    return bind(server->listen_fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
           chmod(address.sun_path, 0600) == 0 && listen(server->listen_fd, QUEUE_COUNT) == 0;
}

static void server_free(struct control_server *server)
{
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    if (server->stop_fd >= 0)
        close(server->stop_fd);
    if (server->folder_fd >= 0)
        close(server->folder_fd);
    free(server);
}

enum rc control_server_open(const char *data, struct house *house,
                            struct control_server **out_server, struct buffer *out_error)
{
    struct control_server *server = calloc(1, sizeof(*server));

    ASSERT(server != NULL);
    server->house = house;
    if (!listen_in(data, server) ||
        pthread_create(&server->thread, NULL, server_main, server) != 0) {
        buffer_append_format(out_error, "%s/" CONTROL_SOCKET_NAME ": %s", data, strerror(errno));
        server_free(server);
        return RC_SYSTEM;
    }
    *out_server = server;
    return RC_OK;
}

/* A command that works ends by itself; one whose reader has stalled is cut off after a while. */
static void slot_finish(struct control_slot *slot)
{
    const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

    if (!slot->is_started)
        return;
    shutdown(slot->fd, SHUT_RD);
    for (int i = 0; i < 200 && !atomic_load(&slot->is_done); i++)
        nanosleep(&pause, NULL);
    shutdown(slot->fd, SHUT_RDWR);
    slot_join(slot);
}

void control_server_close(struct control_server *server)
{
    const uint64_t one = 1;

    if (write(server->stop_fd, &one, sizeof(one)) != sizeof(one))
        return;
    pthread_join(server->thread, NULL);
    unlinkat(server->folder_fd, CONTROL_SOCKET_NAME, 0);
    for (size_t i = 0; i < CONTROL_CONNECTION_COUNT_MAX; i++)
        slot_finish(&server->slots[i]);
    server_free(server);
}
