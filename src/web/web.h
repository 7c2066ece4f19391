/*
 * web/web.h: HTTP to typed requests and back: endpoints, headers, errors, pages.
 *
 * web_serve is the one function that the HTTP server calls. It looks up the endpoint's row, checks
 * method and body kind, lets the row's handler answer, and turns refusals and faults into answers.
 * Everything an endpoint promises (method, path, body kind, lane, cache policy, section of the
 * standard) stands in its row in endpoints.c; the metadata documents and the metrics' labels come
 * from there. A dialect's endpoints are rows too; what they answer is the dialect's.
 */
#ifndef JETON_WEB_WEB_H
#define JETON_WEB_WEB_H

#include "dialect/dialect.h"
#include "http/http.h"
#include "mail/outbox.h"
#include "oauth/logout.h"
#include "web/brand.h"
#include "web/letter.h"

struct web;

enum { WEB_LISTENER_PUBLIC = 0, WEB_LISTENER_METRICS = 1 }; /* struct http_listener.tag */

/* Whether people may make accounts for themselves, and with addresses of which domains (none: of
 * all). Without an outbox they may not. */
struct web_registration {
    bool is_on;
    struct dialect_texts domains;
};

struct web_config {
    const struct oauth *oauth;               /* outlives web */
    const struct dialect_settings *dialects; /* outlives web; checked */
    struct mail_meters *mail;      /* for the metrics, outlives web; NULL: no mail is sent */
    struct logout_meters *logouts; /* likewise; NULL: no client is told of logouts */
    const struct outbox *outbox;   /* outlives web; NULL: no mail is sent */
    const struct web_registration *registration; /* outlives web; NULL: off */
    const struct brand *brand;                   /* outlives web */
    int64_t permanent_days_max;                  /* of permanent tokens' life; 0: no limit */
    /* For the metrics; may be set after opening, before serving. */
    const struct http_server *server;
};

enum rc web_open(const struct web_config *config, struct web **out_web,
                 struct buffer *out_error) MUST_CHECK;
void web_close(struct web *web);

/* For struct http_config: serve and done, with the web as context. */
enum http_verdict web_serve(void *web, struct http_exchange *exchange);
void web_done(void *web, const struct http_exchange *exchange);

/* For mails that no page leads to: in English, and without `now`. With an outbox. */
struct letter_head web_letter_head(const struct web *web);

/* The server whose numbers the metrics show. */
void web_set_server(struct web *web, const struct http_server *server);

/* From now on /readyz says that the server is going away. Safe on any thread. */
void web_begin_drain(struct web *web);

#endif
