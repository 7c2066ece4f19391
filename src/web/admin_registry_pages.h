/*
 * web/admin_registry_pages.h: services and clients, as administrators see and change them.
 *
 *   /admin/services               all services; /new makes one
 *   /admin/services/ID            one service, with /edit, /secret, /remove-secret, /disable and
 *                                 /enable
 *   /admin/clients                all clients; /new makes one
 *   /admin/clients/ID             one client, with /edit, /secret, /end-overlap, /disable, /enable
 *                                 and /revoke-tokens
 *
 * A secret is shown once, in the answer to the form that made it (CA-13): it is in no address and
 * no redirect. The form says which secret it replaces, so that sending it again makes no other one.
 * What is said of a service or client is checked by oauth/registry_check.h.
 */
#ifndef JETON_WEB_ADMIN_REGISTRY_PAGES_H
#define JETON_WEB_ADMIN_REGISTRY_PAGES_H

#include "oauth/registry_admin.h"
#include "web/admin_pages.h"

page_handler admin_services_page;
page_handler admin_service_new_page;
page_handler admin_service_page;
page_handler admin_service_edit_page;
page_handler admin_service_secret_page;
page_handler admin_service_remove_secret_page;
page_handler admin_service_disable_page;
page_handler admin_service_enable_page;
page_handler admin_clients_page;
page_handler admin_client_new_page;
page_handler admin_client_page;
page_handler admin_client_edit_page;
page_handler admin_client_secret_page;
page_handler admin_client_end_overlap_page;
page_handler admin_client_disable_page;
page_handler admin_client_enable_page;
page_handler admin_client_revoke_tokens_page;

/* ---- between the files of these pages -------------------------------------------------------- */

struct registry_desk admin_desk(struct page_call *page, const struct admin *admin);

/* What is wrong with a field; PAGE_TEXT_NONE: nothing. Adds it to the summary, too. */
struct page_words admin_registry_error(struct page_call *page, const struct registry_faults *faults,
                                       enum registry_field field, const char *input);

/* A text of the registry as a row of a list shows it: cut where it is long. */
struct str admin_row_text(struct page_call *page, struct str text);

/* A number of seconds from a field; -1: it is none. */
int64_t admin_field_seconds(const struct page_call *page, struct str name);

/* What stands on lines of its own, on one line. In the arena. */
struct str admin_on_one_line(struct page_call *page, struct str text);

/* Whether a box of the form is ticked. */
bool admin_is_ticked(const struct page_call *page, struct str name);

/* Back to /admin/SECTION/ID, with a notice. */
void admin_return(struct page_call *page, struct str section, struct str id,
                  struct page_words words);

/* One client: its handle in paths, and the row of the path's. RC_NOT_FOUND: the answer is written.
 */
struct str admin_client_handle(struct page_call *page, int64_t id);
enum rc admin_client_find(struct page_call *page, struct arena *arena,
                          struct client *out_client) MUST_CHECK;
void admin_client_mark(struct page_call *page);

/* Whose secret it is: the page before it is made, and the one that shows it. */
struct admin_secret {
    struct str section; /* "services" or "clients" */
    struct str id;      /* the handle */
    struct str owner;
    struct str stored_hash; /* the one in force */
    int64_t old_until;      /* of the one before: it ends now (asking), or then (showing) */
    bool may_overlap;
};
void admin_ask_secret(struct page_call *page, const struct admin_secret *secret);
void admin_show_secret(struct page_call *page, const struct admin_secret *secret,
                       const struct secret *value);

/* Whether the form that was sent is about the secret in force. Else the answer is written: it was
 * sent before. */
bool admin_is_secret_form(struct page_call *page, const struct admin_secret *secret);

#endif
