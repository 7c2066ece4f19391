#include "web/letter.h"

#include "pages.h"

enum {
    TEXT_BYTES_MAX = 6 * 1024, /* a subject and some lines */
    /* Its text, and what the outbox makes of it. */
    LETTER_ARENA_BYTES = TEXT_BYTES_MAX + 2 * (OUTBOX_CONTENT_BYTES_MAX + 1024)
};

static struct buffer begin(struct letter *letter)
{
    arena_init(&letter->arena, LETTER_ARENA_BYTES);
    return buffer_over(arena_alloc(&letter->arena, TEXT_BYTES_MAX), TEXT_BYTES_MAX);
}

static enum rc finish(const struct letter_head *head, struct mail_draft draft,
                      const struct buffer *text, struct letter *letter)
{
    enum rc rc;

    ASSERT(!text->overflow);
    page_mail_split(buffer_str(text), &draft.subject, &draft.text);
    rc = outbox_draft(head->outbox, &draft, head->now, &letter->arena, &letter->mail);
    if (rc == RC_OK)
        letter->row = &letter->mail;
    return rc;
}

void letter_deinit(struct letter *letter)
{
    letter->row = NULL;
    arena_deinit(&letter->arena);
}

/* ---- links ----------------------------------------------------------------------------------- */

static void render_password(const struct letter_head *head, const struct link *link,
                            struct str username, const struct secret *value, struct buffer *to)
{
    const struct page_mail_password values = { .brand = head->brand,
                                               .username = username,
                                               .root = head->root,
                                               .link = value,
                                               .expires_at = head->now + LINK_RESET_S };

    (void)link; /* nobody's has expired already, and looks the same */
    page_mail_password_render(&values, head->language, to);
}

static void render_invitation(const struct letter_head *head, const struct link *link,
                              struct str username, const struct secret *value, struct buffer *to)
{
    const struct page_mail_invitation values = { .brand = head->brand,
                                                 .username = username,
                                                 .root = head->root,
                                                 .link = value,
                                                 .expires_at = link->expires_at };

    page_mail_invitation_render(&values, head->language, to);
}

static void render_verify(const struct letter_head *head, const struct link *link,
                          struct str username, const struct secret *value, struct buffer *to)
{
    const struct page_mail_verify values = { .brand = head->brand,
                                             .username = username,
                                             .root = head->root,
                                             .link = value,
                                             .expires_at = link->expires_at };

    page_mail_verify_render(&values, head->language, to);
}

enum rc letter_write_link(const struct letter_head *head, const struct link *link,
                          struct str username, const struct secret *value,
                          struct letter *out_letter)
{
    struct buffer text = begin(out_letter);
    const struct mail_draft draft = { .recipient = link->email,
                                      .until = link->purpose == LINK_RESET
                                                   ? head->now + LINK_RESET_S
                                                   : link->expires_at };

    switch (link->purpose) {
    case LINK_RESET:
        render_password(head, link, username, value, &text);
        break;
    case LINK_INVITATION:
        render_invitation(head, link, username, value, &text);
        break;
    case LINK_VERIFY:
    case LINK_REGISTER:
        render_verify(head, link, username, value, &text);
        break;
    }
    return finish(head, draft, &text, out_letter);
}

enum rc letter_write_registered(const struct letter_head *head, const struct account *account,
                                struct letter *out_letter)
{
    const struct page_mail_registered values = { .brand = head->brand,
                                                 .username = account->name,
                                                 .root = head->root };
    const struct mail_draft draft = { .recipient = account->email,
                                      .until = head->now + LINK_VERIFY_S };
    struct buffer text = begin(out_letter);

    page_mail_registered_render(&values, head->language, &text);
    return finish(head, draft, &text, out_letter);
}

/* ---- news ------------------------------------------------------------------------------------ */

enum rc letter_write_change(const struct letter_head *head, const struct letter_change *change,
                            struct letter *out_letter)
{
    const struct page_mail_changed values = {
        .brand = head->brand,
        .username = change->username,
        .is_password = change->news == NEWS_PASSWORD,
        .is_email = change->news == NEWS_EMAIL,
        .is_factor_added = change->news == NEWS_FACTOR_ADDED,
        .is_factor_removed = change->news == NEWS_FACTOR_REMOVED,
        .are_factors_removed = change->news == NEWS_FACTORS_REMOVED,
        .are_recovery_codes_made = change->news == NEWS_RECOVERY_CODES,
        .factor = change->factor,
        .at = head->now,
        .address = change->address,
        .root = head->root,
    };
    struct buffer text;

    if (mail_address_check(change->recipient) != RC_OK)
        return RC_OK;
    text = begin(out_letter);
    page_mail_changed_render(&values, head->language, &text);
    return finish(head, (struct mail_draft){ .recipient = change->recipient }, &text, out_letter);
}

enum rc letter_write_expiry(const struct letter_head *head, const struct account *account,
                            const struct permanent *tokens, size_t count, struct letter *out_letter)
{
    struct page_mail_expiry_tokens rows[LETTER_EXPIRY_COUNT_MAX];
    const struct page_mail_expiry values = { .brand = head->brand,
                                             .username = account->name,
                                             .tokens = rows,
                                             .tokens_count = count,
                                             .root = head->root };
    struct buffer text;

    ASSERT(count <= LETTER_EXPIRY_COUNT_MAX);
    if (mail_address_check(account->email) != RC_OK)
        return RC_OK;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct page_mail_expiry_tokens){ .name = tokens[i].name,
                                                    .expires_at = tokens[i].expires_at };
    text = begin(out_letter);
    page_mail_expiry_render(&values, head->language, &text);
    return finish(head, (struct mail_draft){ .recipient = account->email }, &text, out_letter);
}
