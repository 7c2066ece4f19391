#include "oauth/fetcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/uri.h"
#include "crypto/digest.h"
#include "fetch/helper.h"
#include "fetch/reach.h"

enum {
    HELPER_COUNT = 4, /* a few at once: one that is slow does not hold up the others */
    HELPER_WAIT_MS = 2000,
    DOCUMENT_COUNT = 64, /* remembered; at most 4 MB */
    PAUSE_COUNT = 256,
    PAUSE_MS = 30 * 1000 /* between tries of what failed */
};

_Static_assert((int)FETCHER_BYTES_MAX == (int)FETCH_DOCUMENT_BYTES_MAX, "what the helper brings");
_Static_assert((int)FETCHER_TIMEOUT_MS == (int)FETCH_DOCUMENT_TIMEOUT_MS, "and how long it tries");

/* What was fetched. */
struct document {
    unsigned char url_digest[SHA256_BYTES];
    int64_t fetched_at; /* 0: no document */
    char *body;
    size_t body_bytes;
};

/* A host that was away, or a URL that answers no: others of its host may do better. */
struct pause {
    unsigned char digest[SHA256_BYTES];
    int64_t until_ms; /* monotonic; 0: none */
};

struct fetcher {
    struct reach reach;
    pthread_mutex_t mutex; /* for everything below but the helpers that are taken */
    pthread_cond_t freed;
    struct helper *helpers[HELPER_COUNT];
    bool is_taken[HELPER_COUNT];
    struct document documents[DOCUMENT_COUNT];
    struct pause pauses[PAUSE_COUNT];
    char *networks;
    char *ca_file;
};

/* Who is asked. */
struct target {
    unsigned char url_digest[SHA256_BYTES];
    unsigned char host_digest[SHA256_BYTES];
};

static enum rc open_helpers(struct fetcher *fetcher, struct buffer *out_error)
{
    struct helper_config config = { .networks = str_of(fetcher->networks),
                                    .fetch_ca_file = fetcher->ca_file };
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < HELPER_COUNT; i++)
        rc = helper_open(&config, &fetcher->helpers[i], out_error);
    return rc;
}

enum rc fetcher_new(const struct fetcher_config *config, struct fetcher **out_fetcher,
                    struct buffer *out_error)
{
    struct fetcher *fetcher = calloc(1, sizeof(*fetcher));
    pthread_condattr_t attributes;
    enum rc rc;

    ASSERT(fetcher != NULL);
    pthread_mutex_init(&fetcher->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&fetcher->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    fetcher->networks =
        strndup(config->networks.len > 0 ? config->networks.at : "", config->networks.len);
    ASSERT(fetcher->networks != NULL);
    if (config->ca_file != NULL)
        fetcher->ca_file = strdup(config->ca_file);
    rc = reach_parse(str_of(fetcher->networks), &fetcher->reach);
    if (rc != RC_OK)
        buffer_append_str(out_error, STR("fetch-network: not a network, or too many of them"));
    else
        rc = open_helpers(fetcher, out_error);
    if (rc == RC_OK)
        *out_fetcher = fetcher;
    else
        fetcher_free(fetcher);
    return rc;
}

void fetcher_free(struct fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    for (size_t i = 0; i < HELPER_COUNT; i++)
        helper_close(fetcher->helpers[i]);
    for (size_t i = 0; i < DOCUMENT_COUNT; i++)
        free(fetcher->documents[i].body);
    pthread_cond_destroy(&fetcher->freed);
    pthread_mutex_destroy(&fetcher->mutex);
    free(fetcher->networks);
    free(fetcher->ca_file);
    free(fetcher);
}

/* ---- what is remembered; under the mutex ----------------------------------------------------- */

static bool is_same(const unsigned char *a, const unsigned char *b)
{
    return memcmp(a, b, SHA256_BYTES) == 0; /* tidy: public */
}

static struct document *find_document(struct fetcher *fetcher, const struct target *target)
{
    for (size_t i = 0; i < DOCUMENT_COUNT; i++)
        if (fetcher->documents[i].fetched_at != 0 &&
            is_same(fetcher->documents[i].url_digest, target->url_digest))
            return &fetcher->documents[i];
    return NULL;
}

/* The place of a document: its own, an empty one, or the oldest's. */
static struct document *make_room(struct fetcher *fetcher, const struct target *target)
{
    struct document *oldest = find_document(fetcher, target);

    for (size_t i = 0; oldest == NULL && i < DOCUMENT_COUNT; i++)
        if (fetcher->documents[i].fetched_at == 0)
            oldest = &fetcher->documents[i];
    if (oldest == NULL)
        oldest = &fetcher->documents[0];
    else
        return oldest;
    for (size_t i = 1; i < DOCUMENT_COUNT; i++)
        if (fetcher->documents[i].fetched_at < oldest->fetched_at)
            oldest = &fetcher->documents[i];
    return oldest;
}

static void remember(struct fetcher *fetcher, const struct target *target, struct str body,
                     int64_t now)
{
    struct document *document;
    char *copy = malloc(body.len + 1);

    if (copy == NULL)
        return; /* the next one fetches it again */
    document = make_room(fetcher, target);
    if (body.len > 0)
        memcpy(copy, body.at, body.len);
    free(document->body);
    memcpy(document->url_digest, target->url_digest, SHA256_BYTES);
    document->body = copy;
    document->body_bytes = body.len;
    document->fetched_at = now;
}

static bool take_remembered(struct fetcher *fetcher, const struct target *target, int64_t max_age_s,
                            int64_t now, struct arena *arena, struct str *out_body)
{
    const struct document *document = find_document(fetcher, target);

    /* A clock that was set back makes nothing fresh for longer. */
    if (document == NULL || document->fetched_at > now || now - document->fetched_at > max_age_s)
        return false;
    *out_body = arena_copy(arena, (struct str){ document->body, document->body_bytes });
    return true;
}

/* Its own, or the one that is over first. */
static struct pause *find_pause(struct fetcher *fetcher, const unsigned char *digest)
{
    struct pause *oldest = &fetcher->pauses[0];

    for (size_t i = 0; i < PAUSE_COUNT; i++) {
        struct pause *pause = &fetcher->pauses[i];

        if (pause->until_ms != 0 && is_same(pause->digest, digest))
            return pause;
        if (pause->until_ms < oldest->until_ms)
            oldest = pause;
    }
    return oldest;
}

static bool is_paused(struct fetcher *fetcher, const struct target *target)
{
    int64_t now_ms = clock_monotonic_ms();
    const struct pause *host = find_pause(fetcher, target->host_digest);
    const struct pause *url = find_pause(fetcher, target->url_digest);

    return (is_same(host->digest, target->host_digest) && now_ms < host->until_ms) ||
           (is_same(url->digest, target->url_digest) && now_ms < url->until_ms);
}

static void note_failure(struct fetcher *fetcher, const struct target *target,
                         enum fetch_outcome outcome)
{
    const unsigned char *digest = outcome == FETCH_AWAY ? target->host_digest : target->url_digest;
    struct pause *pause = find_pause(fetcher, digest);

    memcpy(pause->digest, digest, SHA256_BYTES);
    pause->until_ms = clock_monotonic_ms() + PAUSE_MS;
}

/* HELPER_COUNT: none came free in time. */
static size_t take_helper(struct fetcher *fetcher)
{
    int64_t until_ns = clock_monotonic_ns() + (int64_t)HELPER_WAIT_MS * 1000000;
    struct timespec until = { .tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000 };
    int waited = 0;

    while (waited == 0) {
        for (size_t i = 0; i < HELPER_COUNT; i++) {
            if (!fetcher->is_taken[i]) {
                fetcher->is_taken[i] = true;
                return i;
            }
        }
        waited = pthread_cond_timedwait(&fetcher->freed, &fetcher->mutex, &until);
    }
    return HELPER_COUNT;
}

static void give_back(struct fetcher *fetcher, size_t index)
{
    fetcher->is_taken[index] = false;
    pthread_cond_signal(&fetcher->freed);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool read_target(struct str url, struct target *out_target)
{
    struct uri uri;

    if (url.len > REDIRECT_URI_BYTES_MAX || uri_parse(url, &uri) != RC_OK ||
        !str_equal_nocase(uri.scheme, STR("https")))
        return false;
    digest_sha256(url, out_target->url_digest);
    digest_sha256((struct str){ uri.host.at, uri.host.len + (uri.port.len > 0) + uri.port.len },
                  out_target->host_digest);
    return true;
}

/* Asks without the mutex, which is held before and after. The answer's content is good until the
 * helper is given back. */
static void ask(struct fetcher *fetcher, size_t index, struct str url, const struct str *form,
                struct helper_answer *out_answer)
{
    pthread_mutex_unlock(&fetcher->mutex);
    helper_fetch(fetcher->helpers[index], url, form, out_answer);
    pthread_mutex_lock(&fetcher->mutex);
}

static enum rc get(struct fetcher *fetcher, const struct target *target, struct str url,
                   int64_t max_age_s, int64_t now, struct arena *arena, struct str *out_body)
{
    struct helper_answer answer;
    enum rc rc = RC_NOT_FOUND;
    size_t index;

    if (take_remembered(fetcher, target, max_age_s, now, arena, out_body))
        return RC_OK;
    if (is_paused(fetcher, target))
        return RC_NOT_FOUND;
    index = take_helper(fetcher);
    if (index == HELPER_COUNT)
        return RC_NOT_FOUND;
    /* Whoever had the helper before may have brought just this. */
    if (take_remembered(fetcher, target, max_age_s, now, arena, out_body)) {
        rc = RC_OK;
    } else if (!is_paused(fetcher, target)) {
        ask(fetcher, index, url, NULL, &answer);
        if (answer.outcome != FETCH_DONE) {
            note_failure(fetcher, target, answer.outcome);
        } else if (answer.content.len <= FETCHER_BYTES_MAX) {
            remember(fetcher, target, answer.content, now);
            *out_body = arena_copy(arena, answer.content);
            rc = RC_OK;
        }
    }
    give_back(fetcher, index);
    return rc;
}

enum rc fetcher_get(struct fetcher *fetcher, struct str url, int64_t max_age_s, int64_t now,
                    struct arena *arena, struct str *out_body)
{
    struct target target;
    enum rc rc;

    if (fetcher == NULL || !read_target(url, &target))
        return RC_NOT_FOUND;
    pthread_mutex_lock(&fetcher->mutex);
    rc = get(fetcher, &target, url, max_age_s, now, arena, out_body);
    pthread_mutex_unlock(&fetcher->mutex);
    return rc;
}

static enum rc post(struct fetcher *fetcher, const struct target *target, struct str url,
                    struct str form)
{
    struct helper_answer answer;
    size_t index;

    if (is_paused(fetcher, target))
        return RC_NOT_FOUND;
    index = take_helper(fetcher);
    if (index == HELPER_COUNT)
        return RC_NOT_FOUND;
    ask(fetcher, index, url, &form, &answer);
    if (answer.outcome == FETCH_AWAY)
        note_failure(fetcher, target, answer.outcome);
    give_back(fetcher, index);
    if (answer.outcome == FETCH_DONE)
        return RC_OK;
    return answer.outcome == FETCH_NEVER ? RC_REFUSED : RC_NOT_FOUND;
}

enum rc fetcher_post_form(struct fetcher *fetcher, struct str url, struct str form)
{
    struct target target;
    enum rc rc;

    if (fetcher == NULL)
        return RC_NOT_FOUND;
    if (!read_target(url, &target))
        return RC_REFUSED;
    pthread_mutex_lock(&fetcher->mutex);
    rc = post(fetcher, &target, url, form);
    pthread_mutex_unlock(&fetcher->mutex);
    return rc;
}
