#include "http/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/address.h"
#include "http/handed.h"

enum {
    BACKLOG = 4096,
    FIRST_INHERITED_FD = 3,
    INHERITED_COUNT_MAX = 64,
    SEND_BUFFER_BYTES = 64 * 1024 /* the kernel doubles it, socket(7) */
};

static enum rc fail(struct buffer *out_error, const struct http_listener *setting, const char *what,
                    int error)
{
    buffer_append_format(out_error, "listen %.*s: %s", STR_ARGS(setting->address), what);
    if (error == 0)
        return RC_INVALID;
    buffer_append_format(out_error, ": %s", strerror(error));
    return RC_SYSTEM;
}

/* Closes what was opened halfway, and keeps errno for the message. */
static enum rc fail_and_close(struct buffer *out_error, const struct http_listener *setting,
                              const char *what, int fd)
{
    int error = errno;

    close(fd);
    return fail(out_error, setting, what, error);
}

static unsigned port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}

static void make_socket_address(const struct http_address *address, unsigned port, bool is_v4,
                                struct sockaddr_storage *out_address, socklen_t *out_len)
{
    *out_address = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
    if (is_v4) {
        struct sockaddr_in *v4 = (void *)out_address;

        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        memcpy(&v4->sin_addr, address->bytes + 12, 4);
        *out_len = sizeof(*v4);
    } else {
        struct sockaddr_in6 *v6 = (void *)out_address;

        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        memcpy(&v6->sin6_addr, address->bytes, 16);
        *out_len = sizeof(*v6);
    }
}

#define NOT_AN_ADDRESS "not ADDRESS:PORT, [IPV6]:PORT, *:PORT, unix:/PATH or fd:NUMBER"

/* Host and port of "host:port"; false when it is not that. */
static bool parse_host_port(struct str text, struct http_address *out_address, unsigned *out_port,
                            bool *out_is_v4, bool *out_is_any)
{
    size_t colon = text.len;
    struct str host;
    uint64_t port;

    while (colon > 0 && text.at[colon - 1] != ':')
        colon--;
    if (colon == 0 || !str_parse_u64(str_from(text, colon), 65535, &port))
        return false;
    host = (struct str){ text.at, colon - 1 };
    *out_port = (unsigned)port;
    *out_is_any = str_equal(host, STR("*"));
    *out_is_v4 = str_index_of(host, ':') == host.len;
    if (*out_is_any)
        return address_parse(STR("::"), out_address);
    if (str_equal(host, STR("localhost")))
        return address_parse(STR("127.0.0.1"), out_address);
    if (!*out_is_v4) {
        if (host.len < 2 || host.at[0] != '[' || host.at[host.len - 1] != ']')
            return false;
        host = (struct str){ host.at + 1, host.len - 2 };
    }
    return address_parse(host, out_address);
}

/*
 * Set on the listener: accepted sockets inherit them. Left alone, the kernel lets what waits to be
 * sent grow to 4 MiB for a client that reads nothing, and takes it before the write's deadline
 * could begin.
 */
static void set_stream_options(int fd)
{
    int on = 1;
    int send_bytes = SEND_BUFFER_BYTES;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
}

static int open_tcp_socket(bool is_v4, bool is_any)
{
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    int is_v6_only = is_any ? 0 : 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    set_stream_options(fd);
    if (!is_v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &is_v6_only, sizeof(is_v6_only));
    return fd;
}

static enum rc open_tcp(const struct http_listener *setting, struct listener *out_listener,
                        struct buffer *out_error)
{
    struct sockaddr_storage socket_address;
    struct http_address address;
    socklen_t len;
    unsigned port;
    bool is_v4;
    bool is_any;
    int fd;

    if (!parse_host_port(setting->address, &address, &port, &is_v4, &is_any))
        return fail(out_error, setting, NOT_AN_ADDRESS, 0);
    is_v4 = is_v4 && !is_any;
    fd = open_tcp_socket(is_v4, is_any);
    if (fd < 0 && is_any && errno == EAFNOSUPPORT) {
        ASSERT(address_parse(STR("0.0.0.0"), &address));
        is_v4 = true;
        fd = open_tcp_socket(is_v4, is_any);
    }
    if (fd < 0)
        return fail(out_error, setting, "no socket", errno);
    make_socket_address(&address, port, is_v4, &socket_address, &len);
    if (bind(fd, (struct sockaddr *)&socket_address, len) != 0)
        return fail_and_close(out_error, setting, "cannot bind", fd);
    len = sizeof(socket_address);
    if (listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&socket_address, &len) != 0)
        return fail_and_close(out_error, setting, "cannot listen", fd);
    out_listener->fd = fd;
    out_listener->port = port_of(&socket_address);
    return RC_OK;
}

static bool parse_path(struct str path, struct sockaddr_un *out_address)
{
    *out_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (path.len == 0 || path.at[0] != '/' || path.len >= sizeof(out_address->sun_path))
        return false;
    memcpy(out_address->sun_path, path.at, path.len);
    return true;
}

#define NOT_A_PATH "the path is not absolute, or longer than 107 bytes"

/* So that the file can be removed in the end; false when it is no socket. */
static bool note_file(const struct sockaddr_un *address, struct listener *listener)
{
    struct stat status;

    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    listener->unix_path = strdup(address->sun_path);
    ASSERT(listener->unix_path != NULL);
    listener->unix_device = status.st_dev;
    listener->unix_inode = status.st_ino;
    return true;
}

/* Removes a socket file that a server left behind, and nothing else. */
static bool remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int fd;
    bool is_stale;

    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    is_stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
               errno == ECONNREFUSED;
    close(fd);
    return is_stale && unlink(address->sun_path) == 0;
}

static enum rc open_unix(const struct http_listener *setting, struct str path,
                         struct listener *out_listener, struct buffer *out_error)
{
    struct sockaddr_un address;
    int fd;

    if (!parse_path(path, &address))
        return fail(out_error, setting, NOT_A_PATH, 0);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(out_error, setting, "no socket", errno);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
        (errno != EADDRINUSE || !remove_stale(&address) ||
         bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0))
        return fail_and_close(out_error, setting, "cannot bind", fd);
    /* Nobody can connect before listen, so nobody connects with another mode. */
    if (chmod(address.sun_path, 0660) != 0 || listen(fd, BACKLOG) != 0 ||
        !note_file(&address, out_listener))
        return fail_and_close(out_error, setting, "cannot listen", fd);
    out_listener->fd = fd;
    return RC_OK;
}

/* Takes a socket that listens; false with errno, 0 when it does not listen. */
static bool take_socket(int fd, struct listener *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int is_listening = 0;
    socklen_t option_len = sizeof(is_listening);
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &option_len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return false;
    errno = 0;
    if (!is_listening || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return false;
    if (address.ss_family != AF_UNIX)
        set_stream_options(fd);
    listener->fd = fd;
    listener->port = port_of(&address);
    return true;
}

static bool parse_number(struct str number, int *out_fd)
{
    uint64_t value;

    if (!str_parse_u64(number, 65535, &value) || value < FIRST_INHERITED_FD)
        return false;
    *out_fd = (int)value;
    return true;
}

#define NOT_A_NUMBER "not the number of an inherited descriptor"

static enum rc open_inherited(const struct http_listener *setting, struct str number,
                              struct listener *out_listener, struct buffer *out_error)
{
    int fd;

    if (!parse_number(number, &fd))
        return fail(out_error, setting, NOT_A_NUMBER, 0);
    if (take_socket(fd, out_listener))
        return RC_OK;
    return errno == 0 ? fail(out_error, setting, "that socket does not listen", 0)
                      : fail(out_error, setting, "no such socket was inherited", errno);
}

static struct listener new_listener(const struct http_listener *setting)
{
    struct listener listener = { .fd = -1,
                                 .is_tls = setting->is_tls,
                                 .asks_certificate = setting->asks_certificate,
                                 .tag = setting->tag,
                                 .address = strndup(setting->address.at, setting->address.len) };

    ASSERT(listener.address != NULL);
    return listener;
}

static void free_texts(struct listener *listener)
{
    free(listener->address);
    listener->address = NULL;
    free(listener->unix_path);
    listener->unix_path = NULL;
}

enum rc listener_open(const struct http_listener *setting, struct listener *out_listener,
                      struct buffer *out_error)
{
    struct listener listener = new_listener(setting);
    struct str address = setting->address;
    enum rc rc;

    if (str_starts_with(address, STR("unix:")))
        rc = open_unix(setting, str_from(address, 5), &listener, out_error);
    else if (str_starts_with(address, STR("fd:")))
        rc = open_inherited(setting, str_from(address, 3), &listener, out_error);
    else
        rc = open_tcp(setting, &listener, out_error);
    if (rc == RC_OK)
        *out_listener = listener;
    else
        free_texts(&listener);
    return rc;
}

enum rc listener_check(const struct http_listener *setting, struct buffer *out_error)
{
    struct str address = setting->address;
    struct sockaddr_un path;
    struct http_address host;
    unsigned port;
    bool is_v4;
    bool is_any;
    int fd;

    if (str_starts_with(address, STR("unix:")))
        return parse_path(str_from(address, 5), &path) ? RC_OK
                                                       : fail(out_error, setting, NOT_A_PATH, 0);
    if (str_starts_with(address, STR("fd:")))
        return parse_number(str_from(address, 3), &fd) ? RC_OK
                                                       : fail(out_error, setting, NOT_A_NUMBER, 0);
    return parse_host_port(address, &host, &port, &is_v4, &is_any)
               ? RC_OK
               : fail(out_error, setting, NOT_AN_ADDRESS, 0);
}

enum rc listener_adopt(const struct http_listener *setting, int fd, struct listener *out_listener)
{
    struct listener listener = new_listener(setting);
    struct str address = setting->address;
    struct sockaddr_un path;

    if (take_socket(fd, &listener) &&
        (!str_starts_with(address, STR("unix:")) ||
         (parse_path(str_from(address, 5), &path) && note_file(&path, &listener)))) {
        *out_listener = listener;
        return RC_OK;
    }
    close(fd);
    free_texts(&listener);
    return RC_NOT_FOUND;
}

enum rc listener_leave(struct listener *listener, struct buffer *to)
{
    enum rc rc = handed_leave(listener->fd, str_of(listener->address), to);

    if (rc != RC_OK)
        return rc;
    listener->fd = -1;
    free_texts(listener);
    return RC_OK;
}

void listener_close(struct listener *listener)
{
    struct stat status;

    if (listener->fd < 0)
        return;
    close(listener->fd);
    listener->fd = -1;
    /* Another server may have taken the path over meanwhile. */
    if (listener->unix_path != NULL && lstat(listener->unix_path, &status) == 0 &&
        status.st_dev == listener->unix_device && status.st_ino == listener->unix_inode)
        unlink(listener->unix_path);
    free_texts(listener);
}

unsigned http_inherited_count(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *fds = getenv("LISTEN_FDS");
    uint64_t pid_number;
    uint64_t count;

    if (pid == NULL || fds == NULL || !str_parse_u64(str_of(pid), INT32_MAX, &pid_number) ||
        !str_parse_u64(str_of(fds), INHERITED_COUNT_MAX, &count) ||
        pid_number != (uint64_t)getpid())
        return 0;
    for (uint64_t i = 0; i < count; i++)
        if (fcntl(FIRST_INHERITED_FD + (int)i, F_SETFD, FD_CLOEXEC) != 0)
            return 0;
    return (unsigned)count;
}
