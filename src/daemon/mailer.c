#include "daemon/mailer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/queue_thread.h"

enum {
    SETTLE_MS = 50, /* before a mail that was just queued: the answer to who asked for it is out by
                       then, and took no longer than that to who gets none (PW-08) */
    AWAY_PAUSE_MS = 10 * 1000,  /* between tries while there is no server     */
    FAULT_PAUSE_MS = 60 * 1000, /* while the store cannot be read             */
    EXPIRY_INTERVAL_MS = 3600 * 1000,
    ARENA_BYTES = 64 * 1024
};

_Static_assert((int)OUTBOX_LEASE_S * 1000 > (int)FETCH_PATIENCE_MS,
               "nobody takes over a mail that is being sent");
_Static_assert(ARENA_BYTES > OUTBOX_CONTENT_BYTES_MAX + 1024, "a row fits");

struct mailer {
    const struct mail_route *route;
    const struct outbox *outbox;
    struct mail_meters *meters;
    struct helper *helper;
    const struct letter_head *head;
    int64_t expiry_at_ms; /* when it next looks at tokens */
    struct arena arena;
    char memory[OUTBOX_CONTENT_BYTES_MAX]; /* of the open mail; wiped */
    struct queue_work work;
    struct queue_thread *thread;
};

/* ---- one mail ---- */

static void count(_Atomic uint64_t *meter)
{
    atomic_fetch_add_explicit(meter, 1, memory_order_relaxed);
}

static enum rc claim(struct mailer *mailer, struct mail *mail, int64_t now)
{
    struct store_unit unit;
    enum rc rc;

    mail->leased_until = now + OUTBOX_LEASE_S;
    store_unit_init(&unit);
    store_claim_mail(&unit, mail->id, now, mail->leased_until);
    rc = store_commit(mailer->outbox->store, &unit);
    if (rc == RC_OK)
        mail->attempt_count++;
    return rc;
}

static enum rc remove_mail(struct mailer *mailer, const struct mail *mail)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_delete_mail(&unit, mail->id);
    return store_commit(mailer->outbox->store, &unit);
}

static enum rc give_up(struct mailer *mailer, const struct mail *mail, const char *why,
                       int64_t code)
{
    char memory[16];
    enum rc rc = remove_mail(mailer, mail);

    if (rc != RC_OK)
        return rc;
    count(&mailer->meters->given_up);
    log_event(LOG_ERROR, "mail_given_up", LOG_INT("mail_id", mail->id), LOG_TEXT("why", why),
              LOG_STR("code", fetch_code_format(code, memory)),
              LOG_INT("attempts", mail->attempt_count));
    return RC_OK;
}

static enum rc postpone(struct mailer *mailer, const struct mail *mail, int64_t code)
{
    int64_t next_at = outbox_next_at(clock_now_s(), mail->attempt_count);
    struct store_unit unit;
    char memory[16];
    enum rc rc;

    if (next_at >= mail->until)
        return give_up(mailer, mail, "its time is over", code);
    store_unit_init(&unit);
    store_postpone_mail(&unit, mail->id, mail->leased_until, next_at, code);
    rc = store_commit(mailer->outbox->store, &unit);
    if (rc != RC_OK)
        return rc;
    count(&mailer->meters->failed);
    log_event(LOG_WARN, "mail_postponed", LOG_INT("mail_id", mail->id),
              LOG_STR("code", fetch_code_format(code, memory)),
              LOG_INT("attempts", mail->attempt_count), LOG_INT("next_at", next_at));
    return RC_OK;
}

static enum rc settle(struct mailer *mailer, const struct mail *mail,
                      const struct helper_answer *answer)
{
    enum rc rc;

    switch (answer->outcome) {
    case FETCH_DONE:
        rc = remove_mail(mailer, mail);
        if (rc != RC_OK)
            return rc;
        count(&mailer->meters->sent);
        log_event(LOG_INFO, "mail_sent", LOG_INT("mail_id", mail->id),
                  LOG_INT("attempts", mail->attempt_count));
        return RC_OK;
    case FETCH_NEVER:
        return give_up(mailer, mail, "the server refuses it", answer->code);
    case FETCH_AWAY:
        queue_thread_rest(mailer->thread, AWAY_PAUSE_MS);
        return postpone(mailer, mail, answer->code);
    case FETCH_LATER:
        return postpone(mailer, mail, answer->code);
    }
    return RC_OK;
}

static enum rc send_claimed(struct mailer *mailer, const struct mail *mail)
{
    struct helper_answer answer;
    struct mail_content content;
    struct mail_message message;
    enum rc rc;

    if (mail->until <= clock_now_s())
        return give_up(mailer, mail, "its time is over", mail->last_code);
    rc = outbox_open(mailer->outbox, mail, mailer->memory, &content);
    if (rc == RC_OK) {
        message = (struct mail_message){ .sender = mailer->route->sender,
                                         .recipient = content.recipient,
                                         .subject = content.subject,
                                         .text = content.text,
                                         .at = mail->at,
                                         .id = { content.id, OUTBOX_ID_BYTES },
                                         .host = str_of(mailer->route->host) };
        mail_route_send(mailer->route, mailer->helper, &message, &answer);
    }
    explicit_bzero(mailer->memory, OUTBOX_CONTENT_BYTES_MAX);
    if (rc == RC_INVALID)
        return give_up(mailer, mail, "it cannot be opened", mail->last_code);
    return rc == RC_OK ? settle(mailer, mail, &answer) : rc;
}

static enum rc send_next(void *context)
{
    struct mailer *mailer = context;
    int64_t now = clock_now_s();
    struct mail mail;
    enum rc rc;

    arena_reset(&mailer->arena);
    rc = store_find_due_mail(mailer->outbox->store, now, &mailer->arena, &mail);
    if (rc == RC_OK)
        rc = claim(mailer, &mail, now);
    if (rc == RC_SPENT)
        return RC_OK; /* another node has it */
    return rc == RC_OK ? send_claimed(mailer, &mail) : rc;
}

/* ---- the thread ---- */

static void look_at_queue(void *context)
{
    struct mailer *mailer = context;
    size_t queued_count;

    if (store_count_mails(mailer->outbox->store, &queued_count) == RC_OK)
        atomic_store_explicit(&mailer->meters->queued, queued_count, memory_order_relaxed);
}

static void queue_expiry_mails(void *context)
{
    struct mailer *mailer = context;
    enum rc rc = RC_OK;

    if (clock_monotonic_ms() < mailer->expiry_at_ms)
        return;
    while (rc == RC_OK && !queue_thread_is_stopping(mailer->thread))
        rc = expiry_mails_queue_next(mailer->outbox->store, mailer->head, clock_now_s());
    mailer->expiry_at_ms =
        clock_monotonic_ms() + (rc_is_fault(rc) ? FAULT_PAUSE_MS : EXPIRY_INTERVAL_MS);
    if (rc_is_fault(rc))
        log_event(LOG_ERROR, "expiry_mails_fault", LOG_TEXT("fault", rc_name(rc)));
}

/* On the thread, for the helper dies with the one that started it. */
static void close_helper(void *context)
{
    helper_close(((struct mailer *)context)->helper);
}

enum rc mailer_open(struct mail_route *route, const struct outbox *outbox,
                    struct mail_meters *meters, struct mailer **out_mailer,
                    struct buffer *out_error)
{
    struct mailer *mailer = calloc(1, sizeof(*mailer));
    enum rc rc;

    ASSERT(mailer != NULL);
    mailer->route = route;
    mailer->outbox = outbox;
    mailer->meters = meters;
    rc = helper_open(&route->helper, &mailer->helper, out_error);
    if (rc != RC_OK) {
        free(mailer);
        return rc;
    }
    arena_init(&mailer->arena, ARENA_BYTES);
    mailer->work = (struct queue_work){ .kind = CHANGE_MAIL,
                                        .fault_event = "outbox_fault",
                                        .next = send_next,
                                        .count = look_at_queue,
                                        .tend = queue_expiry_mails,
                                        .settle_ms = SETTLE_MS,
                                        .end = close_helper,
                                        .context = mailer };
    mailer->thread = queue_thread_new(outbox->store, &mailer->work);
    route->stop_fd = queue_thread_stop_fd(mailer->thread);
    *out_mailer = mailer;
    return RC_OK;
}

enum rc mailer_start(struct mailer *mailer, const struct letter_head *head)
{
    mailer->head = head;
    return queue_thread_start(mailer->thread);
}

void mailer_begin_stop(struct mailer *mailer)
{
    queue_thread_begin_stop(mailer->thread);
}

void mailer_close(struct mailer *mailer)
{
    queue_thread_free(mailer->thread);
    arena_deinit(&mailer->arena);
    free(mailer);
}
