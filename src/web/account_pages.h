/*
 * web/account_pages.h: what people see and change of their own account.
 *
 *   /account                      names; lists what there is to sign in with
 *   /account/password             change of the password; the old one proves it
 *   /account/factors/new          an authenticator app, confirmed by its first code
 *   /account/factors/ID/rename    and /remove
 *   /account/recovery-codes       new ones, shown once
 *   /sessions                     browsers and Spectrum sessions; end one, end all others
 *   /applications                 clients that hold grants; revoke
 *
 * Second factors, recovery codes and the e-mail address ask for a fresh proof (step-up).
 */
#ifndef JETON_WEB_ACCOUNT_PAGES_H
#define JETON_WEB_ACCOUNT_PAGES_H

#include "web/sign_in_pages.h"

page_handler account_page;
page_handler password_page;
page_handler factor_new_page;
page_handler factor_rename_page;
page_handler factor_remove_page;
page_handler recovery_codes_page;
page_handler sessions_page;
page_handler session_end_page;
page_handler sessions_end_others_page;
page_handler applications_page;
page_handler application_revoke_page;

/* What is wrong with a name that a person typed; text PAGE_TEXT_NONE: nothing. */
struct page_words page_name_fault(struct str name, size_t max_bytes);

/* Why a password is refused, for its field. */
struct page_words page_password_fault(enum password_verdict verdict,
                                      const struct password_owner *owner);

/* 429 and Retry-After in place of a form that may be sent again later. */
void page_add_wait(struct page_call *page, int64_t wait_s);

/* ---- pages of lists ------------------------------------------------------------------------- */

/* Where a list goes on: the query's "before", opened; INT64_MAX for the first page. */
int64_t page_list_begin(struct page_call *page, const char *kind);

/* A page of a list that is read in both directions: what stands below an id (INT64_MAX: the first
 * page), or above one. */
struct page_place {
    int64_t id;
    bool is_above;
};

/* What the query says: "before" or "after". False: neither is a place in such a list. */
bool page_place_read(struct page_call *page, const char *kind, struct page_place *out_place);

/*
 * The places that the page's two links lead to; empty: there is no such page.
 *
 * next_id   where the list goes on in the same direction, 0: nowhere. Above it that cannot be: who
 *           gets there shows the first page
 */
void page_place_links(struct page_call *page, const char *kind, struct page_place place,
                      int64_t next_id, struct str *out_newer, struct str *out_older);

#endif
