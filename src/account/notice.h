/*
 * account/notice.h: mails that acts bring along.
 *
 * This room knows no mail. Whoever calls an act has its mail written and sealed before
 * (outbox_draft of mail/outbox.h) and hands over the row: it goes into the unit of the act, so that
 * both are there, or neither. An act that comes to nothing drops it.
 */
#ifndef JETON_ACCOUNT_NOTICE_H
#define JETON_ACCOUNT_NOTICE_H

#include <string.h>

#include "store/store.h"

/* What an act leaves behind. */
struct act_note {
    struct str detail;            /* the audit event's: who did it, in a few words */
    const unsigned char *address; /* 16 bytes, as struct http_address; NULL: none */
    const struct mail *notice;    /* that tells of it; NULL: nobody is told */
    int64_t now;
};

/* The audit event of it. */
static inline struct event note_event(const struct act_note *note, enum event_kind kind,
                                      int64_t account_id)
{
    struct event event = {
        .at = note->now, .kind = kind, .account_id = account_id, .detail = note->detail
    };

    if (note->address != NULL)
        memcpy(event.address, note->address, sizeof(event.address));
    return event;
}

/* One step, or none for NULL: nobody is told. */
static inline void notice_add(const struct mail *notice, struct store_unit *unit)
{
    if (notice != NULL)
        store_insert_mail(unit, notice);
}

/* The same work for somebody who does not exist: the mail leaves with the unit that it came in, so
 * how long an answer took says nothing (PW-08). Two steps. */
static inline void notice_add_for_nobody(const struct mail *notice, struct store_unit *unit)
{
    store_insert_mail(unit, notice);
    store_delete_mail(unit, notice->id);
}

#endif
