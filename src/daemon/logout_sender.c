#include "daemon/logout_sender.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/queue_thread.h"
#include "mail/outbox.h"

enum {
    LEASE_S = 60,
    /* A row, a client's metadata, claims and a token. */
    ARENA_BYTES = CLIENT_METADATA_BYTES_MAX + 3 * TOKEN_VALUE_BYTES_MAX + 64 * 1024
};

_Static_assert((int)LEASE_S * 1000 > 2 * (int)FETCHER_TIMEOUT_MS,
               "nobody takes over what is being sent");

struct logout_sender {
    const struct oauth *oauth;
    struct logout_meters *meters;
    struct arena arena;
    struct queue_work work;
    struct queue_thread *thread;
};

static void count(_Atomic uint64_t *meter)
{
    atomic_fetch_add_explicit(meter, 1, memory_order_relaxed);
}

static enum rc claim(struct logout_sender *sender, struct delivery *delivery, int64_t now)
{
    struct store_unit unit;
    enum rc rc;

    delivery->leased_until = now + LEASE_S;
    store_unit_init(&unit);
    store_claim_delivery(&unit, delivery->id, now, delivery->leased_until);
    rc = store_commit(sender->oauth->store, &unit);
    if (rc == RC_OK)
        delivery->attempt_count++;
    return rc;
}

static enum rc remove_delivery(struct logout_sender *sender, const struct delivery *delivery)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_delete_delivery(&unit, delivery->id);
    return store_commit(sender->oauth->store, &unit);
}

static enum rc give_up(struct logout_sender *sender, const struct delivery *delivery,
                       struct str client_id, const char *why)
{
    enum rc rc = remove_delivery(sender, delivery);

    if (rc != RC_OK)
        return rc;
    count(&sender->meters->given_up);
    log_event(LOG_ERROR, "logout_given_up", LOG_STR("client_id", client_id), LOG_TEXT("why", why),
              LOG_INT("attempts", delivery->attempt_count));
    return RC_OK;
}

static enum rc postpone(struct logout_sender *sender, const struct delivery *delivery,
                        struct str client_id)
{
    int64_t next_at = outbox_next_at(clock_now_s(), delivery->attempt_count);
    struct store_unit unit;
    enum rc rc;

    if (next_at >= delivery->until)
        return give_up(sender, delivery, client_id, "its time is over");
    store_unit_init(&unit);
    store_postpone_delivery(&unit, delivery->id, delivery->leased_until, next_at);
    rc = store_commit(sender->oauth->store, &unit);
    if (rc != RC_OK)
        return rc;
    count(&sender->meters->failed);
    log_event(LOG_WARN, "logout_postponed", LOG_STR("client_id", client_id),
              LOG_INT("attempts", delivery->attempt_count), LOG_INT("next_at", next_at));
    return RC_OK;
}

static enum rc settle(struct logout_sender *sender, const struct delivery *delivery,
                      struct str client_id, enum rc outcome)
{
    enum rc rc;

    if (outcome == RC_REFUSED) /* Back-Channel Logout 2.8 */
        return give_up(sender, delivery, client_id, "the client refuses it");
    if (outcome != RC_OK)
        return postpone(sender, delivery, client_id);
    rc = remove_delivery(sender, delivery);
    if (rc != RC_OK)
        return rc;
    count(&sender->meters->sent);
    log_event(LOG_INFO, "logout_sent", LOG_STR("client_id", client_id),
              LOG_INT("attempts", delivery->attempt_count));
    return RC_OK;
}

static enum rc send_claimed(struct logout_sender *sender, const struct delivery *delivery,
                            int64_t now)
{
    struct str client_id = STR("");
    struct str form;
    enum rc rc;

    if (delivery->until <= now)
        return give_up(sender, delivery, client_id, "its time is over");
    rc = logout_form_make(sender->oauth, delivery, now, &sender->arena, &client_id, &form);
    if (rc == RC_NOT_FOUND)
        return give_up(sender, delivery, client_id, "the client is not to be told any more");
    if (rc != RC_OK)
        return rc;
    return settle(sender, delivery, client_id,
                  fetcher_post_form(sender->oauth->fetcher, delivery->uri, form));
}

static enum rc send_next(void *context)
{
    struct logout_sender *sender = context;
    int64_t now = clock_now_s();
    struct delivery delivery;
    enum rc rc;

    arena_reset(&sender->arena);
    rc = store_find_due_delivery(sender->oauth->store, now, &sender->arena, &delivery);
    if (rc == RC_OK)
        rc = claim(sender, &delivery, now);
    if (rc == RC_SPENT)
        return RC_OK; /* another node has it */
    return rc == RC_OK ? send_claimed(sender, &delivery, now) : rc;
}

static void look_at_queue(void *context)
{
    struct logout_sender *sender = context;
    size_t queued_count;

    if (store_count_deliveries(sender->oauth->store, &queued_count) == RC_OK)
        atomic_store_explicit(&sender->meters->queued, queued_count, memory_order_relaxed);
}

struct logout_sender *logout_sender_new(struct store *store, const struct oauth *oauth,
                                        struct logout_meters *meters)
{
    struct logout_sender *sender = calloc(1, sizeof(*sender));

    ASSERT(sender != NULL);
    sender->oauth = oauth;
    sender->meters = meters;
    arena_init(&sender->arena, ARENA_BYTES);
    sender->work = (struct queue_work){ .kind = CHANGE_DELIVERY,
                                        .fault_event = "logout_fault",
                                        .next = send_next,
                                        .count = look_at_queue,
                                        .context = sender };
    sender->thread = queue_thread_new(store, &sender->work);
    return sender;
}

enum rc logout_sender_start(struct logout_sender *sender)
{
    return queue_thread_start(sender->thread);
}

void logout_sender_begin_stop(struct logout_sender *sender)
{
    queue_thread_begin_stop(sender->thread);
}

void logout_sender_free(struct logout_sender *sender)
{
    queue_thread_free(sender->thread);
    arena_deinit(&sender->arena);
    free(sender);
}
