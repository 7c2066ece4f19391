/*
 * http/http.h: a strict HTTP/1.1 server (RFC 9110, RFC 9112) that knows no OAuth.
 *
 * What it does: listens (TCP on IPv4 and IPv6, Unix sockets, inherited descriptors, each plain or
 * TLS), reads one request at a time from each connection, hands it to one function, and writes the
 * answer. What it does not: routes, cookies, forms, files, compression, HTTP/2 (a reverse proxy's
 * business). Whatever is not plainly well-formed gets 400 and a closed connection, with nothing
 * echoed.
 *
 * A request's life. The event loop reads bytes and parses a whole request into an exchange; then it
 * calls serve() on the loop with lane LANE_LOOP. serve() either fills in the answer and returns
 * HTTP_ANSWERED, or returns HTTP_TO_WORK or HTTP_TO_HASH: the exchange goes whole through a
 * bounded queue to a thread of that lane, which calls serve() again with that lane; there it may
 * block, and may move on to the other lane in the same way. What has waited for too long, and what
 * finds the queue full, is answered 503 with Retry-After by the loop. A connection with a request
 * under way reads no further, so pipelined requests are answered in order. A client that vanishes
 * meanwhile is harmless: the exchange belongs to the lane, not to the connection.
 *
 * Threads: http_server_run runs loop 0 on the caller's thread and returns after a drain; other
 * loops and lanes are threads of the server. http_server_stop may be called from a signal handler.
 * serve() is called on any of them at once.
 *
 * Lifetimes: every view in an exchange is valid until serve() answered; the arena is wiped then.
 */
#ifndef JETON_HTTP_HTTP_H
#define JETON_HTTP_HTTP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/rc.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER /* a well-formed token that is none of these; its text is in method_text */
};

struct http_header {
    struct str name;  /* as sent; compare without case */
    struct str value; /* trimmed of spaces and tabs; no control bytes */
};

/* Where a request came from: the peer, or what trusted proxies say. */
struct http_address {
    unsigned char bytes[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d; all zero for a Unix socket */
    bool is_unix;
};

enum { HTTP_ADDRESS_TEXT_BYTES = INET6_ADDRSTRLEN + 1 };

/* "192.0.2.1", "2001:db8::1" or "unix", as a view of text. */
struct str http_address_format(const struct http_address *address,
                               char out_text[static HTTP_ADDRESS_TEXT_BYTES]);

/* The request as it was understood. */
struct http_request {
    enum http_method method;
    struct str method_text;
    struct str target; /* origin-form as sent: path and query */
    struct str path;   /* the target before '?', as sent, not decoded */
    struct str query;  /* after '?', empty when there is none */
    struct str host;   /* the Host header as sent */
    struct http_header headers[HTTP_HEADER_COUNT_MAX];
    size_t header_count;
    struct str body;            /* de-chunked */
    struct http_address client; /* after trusted proxies */
    struct http_address peer;   /* the socket's other end */
    bool is_tls;                /* on this connection */
    bool is_from_trusted_proxy;
    /* What the client showed in its TLS handshake, or what a trusted proxy says that it showed. */
    bool has_certificate;
    struct str certificate;      /* DER, of CERTIFICATE_BYTES_MAX at most */
    bool is_certificate_trusted; /* its chain, as this handshake brought it, ends in a client CA */
    int listener_tag;            /* struct http_listener.tag */
    char id[17];                 /* 16 hex digits and a NUL: log lines and X-Request-Id */
};

struct http_response {
    int status;            /* 200..599; serve() sets it with every answer            */
    struct buffer headers; /* whole lines "Name: value\r\n", written by http_add_…    */
    struct buffer body;    /* room for HTTP_ANSWER_BYTES_MAX in all lanes             */
    bool close;            /* close the connection after this answer                  */
};

enum lane { LANE_LOOP, LANE_WORK, LANE_HASH };

enum http_verdict { HTTP_ANSWERED, HTTP_TO_WORK, HTTP_TO_HASH };

struct http_exchange {
    struct http_request request;
    struct http_response response;
    struct arena *arena; /* for the request's typed form; wiped after the answer   */
    enum lane lane;      /* where serve() is running now; on LANE_LOOP never block */
    int64_t arrived_ns;  /* monotonic, when the head was complete                  */
    void *note;          /* serve()'s own, NULL at first, kept from lane to lane; in the arena */
};

/* The first header of that name, or NULL. The name is given in lower case. */
const struct http_header *http_find_header(const struct http_request *request, struct str name);

/* How many headers of that name there are. */
size_t http_count_headers(const struct http_request *request, struct str name);

/*
 * Adds a response header. The name is a literal of ours; a value that holds a control byte is our
 * bug and aborts, so nothing reflected can split a response (HT-03). Content-Length, Date,
 * Connection and Server are the server's own.
 */
void http_add_header(struct http_exchange *exchange, struct str name, struct str value);

/* The same for whole lines "Name: value\r\n" that stand in one literal of ours. */
void http_add_header_lines(struct http_exchange *exchange, struct str lines);

/* Makes room for another answer: forgets headers and body written so far. */
void http_reset_response(struct http_exchange *exchange);

/* One way in. */
struct http_listener {
    /* "127.0.0.1:8080", "[::1]:8080", "*:8080" (both families), "unix:/path", "fd:3" */
    struct str address;
    bool is_tls;
    int tag;               /* the caller's own; a request carries it */
    bool asks_certificate; /* is_tls: asks clients for one; they need not have any */
};

/* A network whose forwarding headers are believed. */
struct http_network {
    unsigned char bytes[16]; /* as in struct http_address */
    unsigned prefix_bits;    /* of 128 */
};

/*
 * Parses "10.0.0.0/8", "2001:db8::/32", "192.0.2.7" or "unix" (prefix_bits 0 and all-zero bytes).
 *
 * Answers: RC_OK · RC_INVALID not a network, bits set behind the prefix, or "::/0"
 */
enum rc http_network_parse(struct str text, struct http_network *out_network) MUST_CHECK;

struct certificate_trust; /* crypto/certificate.h */

struct http_config {
    const struct http_listener *listeners;
    size_t listener_count;
    const struct http_network *trusted_proxies;
    size_t trusted_proxy_count;
    const char *tls_certificate_file; /* PEM chain; NULL when no listener is TLS */
    const char *tls_key_file;         /* PEM */
    /* Whose certificates are trusted of clients; outlives the server. NULL: nobody's. */
    const struct certificate_trust *client_trust;
    /* The header, in lower case, by which trusted proxies hand on their clients' certificates
       (codec/client_cert.h); empty: none does. Whoever else sends it is not listened to. */
    struct str certificate_header;
    unsigned loop_count;           /* 0: half the cores, at least one */
    unsigned work_thread_count;    /* 0: LANE_WORK_THREAD_COUNT */
    unsigned hash_thread_count;    /* 0: cores - 1, at least one */
    unsigned connection_count_max; /* 0: the limit of that name; lowered to fit RLIMIT_NOFILE */
    unsigned connection_per_address_max; /* 0: the limit of that name; not for trusted proxies;
                                            an IPv6 /64 counts as one address */
    /* Deadlines in milliseconds; 0 means the limit of that name. Tests shorten them. */
    unsigned handshake_timeout_ms, head_timeout_ms, body_timeout_ms, write_timeout_ms;
    unsigned idle_timeout_ms, drain_timeout_ms;
    enum http_verdict (*serve)(void *context, struct http_exchange *exchange);
    /* Called on the loop when the answer is complete, right before it is sent, for the access log
       and the metrics. Also when the client has gone meanwhile; not for malformed requests. */
    void (*done)(void *context, const struct http_exchange *exchange);
    void *context;
};

struct http_server;

/*
 * Binds the listeners, or takes those that the program before it left, and starts lanes; serves
 * nothing yet. SIGPIPE is ignored from now on.
 *
 * config      copied, with all it points to
 * out_error   on any code but RC_OK: one line for the operator, which names the listener or file
 *
 * Answers: RC_OK · RC_INVALID a setting is wrong · RC_SYSTEM cannot bind, read or start
 */
enum rc http_server_open(const struct http_config *config, struct http_server **out_server,
                         struct buffer *out_error) MUST_CHECK;

/*
 * Whether a server could be opened so: addresses and files are looked at, nothing is bound.
 *
 * Answers: as http_server_open.  Faults: RC_SYSTEM
 */
enum rc http_server_check(const struct http_config *config, struct buffer *out_error) MUST_CHECK;

/*
 * Serves until http_server_stop, then drains: no new connection is accepted, requests under way get
 * their answer (with Connection: close), idle connections close, all within drain_timeout_ms. When
 * it returns, no thread of the server runs any more: a call of serve() that has begun is waited
 * for, what still queues is dropped.
 */
void http_server_run(struct http_server *server);

/* Begins the drain. Safe in a signal handler. */
void http_server_stop(struct http_server *server);

/*
 * Begins a drain that leaves the listeners open for another program: no more connections are
 * accepted, they wait in the kernel. It takes HTTP_HAND_OVER_TIMEOUT_MS at most. Safe in a signal
 * handler.
 */
void http_server_hand_over(struct http_server *server);

/* Where a program finds the listeners that the one before it in this process left. */
#define HTTP_HANDED_VARIABLE "JETON_LISTENERS"

/*
 * After http_server_run, before http_server_close: the listeners stay open over exec(3).
 *
 * to       the value for HTTP_HANDED_VARIABLE; http_server_open of the next program reads it
 *
 * Answers: RC_OK.  Faults: RC_SYSTEM one cannot be left, or there is no room for the value
 */
enum rc http_server_leave_listeners(struct http_server *server, struct buffer *to) MUST_CHECK;

/*
 * Reads certificate and key again; the old ones stay when the new ones are bad. Safe on any thread.
 *
 * out_error   on any code but RC_OK: one line for the operator, which names the file
 *
 * Answers: RC_OK · RC_INVALID
 */
enum rc http_server_reload_tls(struct http_server *server, struct buffer *out_error) MUST_CHECK;

/* The port that a listener got, for "127.0.0.1:0"; 0 for a Unix socket. */
unsigned http_server_port(const struct http_server *server, size_t listener_index);

/* Frees everything. Only after http_server_run has returned, or before it was called. */
void http_server_close(struct http_server *server);

/* Numbers for the metrics; cheap, from any thread. */
struct http_counts {
    uint64_t connections_accepted;
    uint64_t connections_open;
    uint64_t connections_refused; /* over a cap, or out of memory */
    uint64_t requests;
    uint64_t requests_malformed;
    uint64_t timeouts;
    uint64_t queue_refusals[3]; /* by lane: answered 503 after too long a wait */
    uint64_t queue_depth[3];    /* by lane, now */
    uint64_t tls_handshakes;
    uint64_t tls_handshake_failures;
    int64_t certificate_expires_at; /* 0: there is none */
};

void http_server_counts(const struct http_server *server, struct http_counts *out_counts);

/* How many descriptors systemd hands over (LISTEN_FDS, sd_listen_fds(3)): they are 3, 4, … */
unsigned http_inherited_count(void);

#endif
