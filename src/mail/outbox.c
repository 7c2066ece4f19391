#include "mail/outbox.h"

#include <stdio.h>

#include "codec/field.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/seal.h"

enum { CONTENT_VERSION = 1, NAME_BYTES = 32 };

/* The row is part of what is sealed: one mail cannot stand in for another. */
static struct str seal_name(int64_t mail_id, char memory[static NAME_BYTES])
{
    snprintf(memory, NAME_BYTES, "mail %lld", (long long)mail_id);
    return str_of(memory);
}

static enum rc seal_draft(const struct outbox *outbox, const struct mail_draft *draft,
                          int64_t mail_id, struct arena *arena, struct str *out_sealed)
{
    size_t sealed_bytes_max = OUTBOX_CONTENT_BYTES_MAX + SEAL_OVERHEAD_BYTES;
    struct buffer plain =
        buffer_over(arena_alloc(arena, OUTBOX_CONTENT_BYTES_MAX), OUTBOX_CONTENT_BYTES_MAX);
    struct buffer sealed = buffer_over(arena_alloc(arena, sealed_bytes_max), sealed_bytes_max);
    char name[NAME_BYTES];
    enum rc rc;

    field_put_number(&plain, CONTENT_VERSION);
    field_put(&plain, draft->recipient);
    field_put(&plain, draft->subject);
    field_put(&plain, draft->text);
    ASSERT(!plain.overflow);
    rc = seal(outbox->master_key, seal_name(mail_id, name), buffer_str(&plain), &sealed);
    explicit_bzero(plain.at, plain.len);
    if (rc == RC_OK)
        *out_sealed = buffer_str(&sealed);
    return rc;
}

enum rc outbox_draft(const struct outbox *outbox, const struct mail_draft *draft, int64_t now,
                     struct arena *arena, struct mail *out_mail)
{
    struct mail mail = { .at = now, .next_at = now, .until = now + OUTBOX_LIFETIME_S };
    enum rc rc = mail_content_check(draft->recipient, draft->subject, draft->text);

    if (rc != RC_OK)
        return rc;
    if (draft->until != 0 && draft->until < mail.until)
        mail.until = draft->until;
    rc = store_next_id(outbox->store, SEQUENCE_NOUN, &mail.id);
    if (rc == RC_OK)
        rc = seal_draft(outbox, draft, mail.id, arena, &mail.sealed);
    if (rc == RC_OK)
        *out_mail = mail;
    return rc;
}

enum rc outbox_insert(const struct outbox *outbox, const struct mail_draft *draft, int64_t now,
                      struct arena *arena, struct store_unit *unit)
{
    struct mail mail;
    enum rc rc = outbox_draft(outbox, draft, now, arena, &mail);

    if (rc == RC_OK)
        store_insert_mail(unit, &mail);
    return rc;
}

/* The seal has a nonce of its own, so its digest names the mail and tells nothing of it. */
static void format_id(struct str sealed, char out_id[static OUTBOX_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[DIGEST_BYTES];

    digest_sha256(sealed, digest);
    for (size_t i = 0; i < OUTBOX_ID_BYTES; i++)
        out_id[i] = digits[(i % 2 == 0 ? digest[i / 2] >> 4 : digest[i / 2]) & 0xf];
}

enum rc outbox_open(const struct outbox *outbox, const struct mail *mail,
                    char memory[static OUTBOX_CONTENT_BYTES_MAX], struct mail_content *out_content)
{
    struct buffer plain = buffer_over(memory, OUTBOX_CONTENT_BYTES_MAX);
    struct mail_content content;
    char name[NAME_BYTES];
    uint32_t version;
    struct str rest;
    enum rc rc;

    rc = unseal(outbox->master_key, seal_name(mail->id, name), mail->sealed, &plain);
    if (rc != RC_OK)
        return rc_is_fault(rc) ? rc : RC_INVALID;
    rest = buffer_str(&plain);
    if (!field_take_number(&rest, &version) || version != CONTENT_VERSION ||
        !field_take(&rest, &content.recipient) || !field_take(&rest, &content.subject) ||
        !field_take(&rest, &content.text) || rest.len > 0)
        return RC_INVALID;
    format_id(mail->sealed, content.id);
    *out_content = content;
    return RC_OK;
}

int64_t outbox_next_at(int64_t now, int64_t attempt_count)
{
    const int64_t middle_s_max = OUTBOX_BACKOFF_S_MAX * 4 / 5; /* a quarter more is a day */
    int64_t middle_s = OUTBOX_BACKOFF_S;
    uint32_t chance;

    for (int64_t i = 1; i < attempt_count && middle_s < middle_s_max; i++)
        middle_s *= 2;
    if (middle_s > middle_s_max)
        middle_s = middle_s_max;
    random_bytes(&chance, sizeof(chance));
    return now + middle_s * 3 / 4 + chance % (middle_s / 2 + 1);
}

/* ---- looking after it ------------------------------------------------------------------------ */

struct mail_draft mail_test_draft(struct str recipient)
{
    return (struct mail_draft){
        .recipient = recipient,
        .subject = STR("Test message of Jeton"),
        .text = STR("Somebody who looks after this token server asked it to send this message,\n"
                    "to see whether its mail arrives. It does.\n"),
    };
}

enum rc outbox_send(const struct outbox *outbox, const struct mail_draft *draft, int64_t now,
                    struct arena *arena)
{
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = outbox_insert(outbox, draft, now, arena, &unit);
    return rc == RC_OK ? store_commit(outbox->store, &unit) : rc;
}

enum rc outbox_hasten(struct store *store, int64_t now)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_hasten_mails(&unit, now);
    return store_commit(store, &unit);
}

enum rc outbox_list(struct store *store, int64_t after_id, struct arena *arena,
                    struct mail *out_rows, size_t max, size_t *out_count)
{
    return store_list_mails(store, after_id, arena, out_rows, max, out_count);
}
