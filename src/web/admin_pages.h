/*
 * web/admin_pages.h: what administrators see and do.
 *
 *   /admin/tokens                 all tokens: search, or find one by its value
 *   /admin/tokens/ID/revoke
 *   /admin/accounts               all accounts; /new makes one
 *   /admin/accounts/ID            one account, with /edit, /disable, /enable, /unlock,
 *                                 /reset-factors, /end-sessions and /revoke-tokens
 *   /admin/services, /admin/clients   see web/admin_registry_pages.h
 *   /admin/keys                   signing keys; /rotate makes the next ones
 *   /admin/events                 the audit trail, with filters
 *
 * Every row of these needs an administrator, and every act a fresh proof besides. An act is first
 * asked about (GET), then done (POST), and its audit event says who did it.
 */
#ifndef JETON_WEB_ADMIN_PAGES_H
#define JETON_WEB_ADMIN_PAGES_H

#include "account/admin.h"
#include "web/account_pages.h"

page_handler admin_tokens_page;
page_handler admin_tokens_find_page;
page_handler admin_token_revoke_page;
page_handler admin_accounts_page;
page_handler admin_account_new_page;
page_handler admin_account_page;
page_handler admin_account_edit_page;
page_handler admin_account_disable_page;
page_handler admin_account_enable_page;
page_handler admin_account_unlock_page;
page_handler admin_account_reset_factors_page;
page_handler admin_account_end_sessions_page;
page_handler admin_account_revoke_tokens_page;
page_handler admin_keys_page;
page_handler admin_keys_rotate_page;
page_handler admin_events_page;

/* ---- between the files of these pages -------------------------------------------------------- */

/* Who acts, for the audit trail. */
struct admin page_admin(struct page_call *page);

/* Asks before an act: /admin/SECTION, or /admin/SECTION/ID where id is not empty, is the way back.
 */
struct admin_question {
    struct page_words title;
    enum page_text text;
    bool is_harmless;
    struct str section;
    struct str id;
};
void admin_ask(struct page_call *page, const struct admin_question *question);

/* The account of the path's rest. RC_NOT_FOUND: the answer is written. */
enum rc admin_account_find(struct page_call *page, struct account *out_account) MUST_CHECK;

/* An address as it is shown; empty for zeros. In the arena. */
struct str admin_address_text(struct page_call *page, const unsigned char address[static 16]);

#endif
