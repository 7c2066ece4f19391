#include "web/admin_registry_pages.h"

/* The form that says what a client is. Members of struct client that the form does not offer stay
 * as they are: it is read over what is there. */

enum { ARENA_BYTES = REGISTRY_CLIENT_BYTES_MAX + REGISTRY_CHECK_BYTES_MAX };

static const char row_kind[] = "admin client"; /* of handles in paths */
static const char form_kind[] = "new client";  /* of what a form makes */

/* What a form shows. */
struct client_form {
    struct str id;        /* the handle; empty for a new one */
    int64_t number;       /* of a new one */
    struct client client; /* with its texts as they were typed */
    struct str refresh_lifetime;
    struct str refresh_idle_lifetime;
    struct registry_faults faults;
};

struct str admin_client_handle(struct page_call *page, int64_t id)
{
    return page_handle_seal(page, row_kind, id);
}

void admin_client_mark(struct page_call *page)
{
    page->frame.at_admin = true;
    page->frame.at_admin_clients = true;
}

enum rc admin_client_find(struct page_call *page, struct arena *arena, struct client *out_client)
{
    int64_t id;
    enum rc rc = RC_NOT_FOUND;

    if (page_handle_open(page, row_kind, page->call->rest, &id))
        rc = registry_find_client(page->call->oauth.oauth->store, id, arena, out_client);
    admin_client_mark(page);
    if (rc == RC_NOT_FOUND)
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct str grant_field(struct page_call *page, enum grant_type type)
{
    return arena_format(page->call->exchange->arena, "grant_%.*s",
                        STR_ARGS(grant_type_format(type)));
}

/* A choice that was not offered leaves what is there. */
static void read_form(struct page_call *page, struct client_form *form)
{
    struct client *client = &form->client;
    enum client_auth_method method;

    client->name = str_trim(page_field(page, STR("name")));
    client->grant_types = 0;
    for (unsigned type = 0; type < GRANT_TYPE_COUNT; type++)
        if (admin_is_ticked(page, grant_field(page, (enum grant_type)type)))
            client->grant_types |= 1u << type;
    if (client->type == CLIENT_CONFIDENTIAL &&
        client_auth_method_parse(page_field(page, STR("auth_method")), &method) == RC_OK &&
        method <= AUTH_SECRET_POST)
        client->auth_method = method;
    client->service_ids = admin_on_one_line(page, page_field(page, STR("service_ids")));
    client->scope = admin_on_one_line(page, page_field(page, STR("scope")));
    client->redirect_uris = page_field(page, STR("redirect_uris"));
    if (registry_is_built_in(client))
        return; /* they have no lifetimes */
    form->refresh_lifetime = page_field(page, STR("refresh_lifetime"));
    form->refresh_idle_lifetime = page_field(page, STR("refresh_idle_lifetime"));
    client->refresh_lifetime_s = admin_field_seconds(page, STR("refresh_lifetime"));
    client->refresh_idle_lifetime_s = admin_field_seconds(page, STR("refresh_idle_lifetime"));
}

static enum client_type read_type(const struct page_call *page)
{
    struct str text = page_field(page, STR("type"));

    if (str_equal(text, STR("public")))
        return CLIENT_PUBLIC;
    return str_equal(text, STR("empty")) ? CLIENT_EMPTY_SECRET : CLIENT_CONFIDENTIAL;
}

/* ---- showing --------------------------------------------------------------------------------- */

static void list_grants(struct page_call *page, const struct client *client,
                        struct page_admin_client_form *values)
{
    struct page_admin_client_form_grant_types *rows =
        arena_alloc(page->call->exchange->arena, GRANT_TYPE_COUNT * sizeof(*rows));

    for (unsigned type = 0; type < GRANT_TYPE_COUNT; type++)
        rows[type] = (struct page_admin_client_form_grant_types){
            .word = grant_type_format((enum grant_type)type),
            .is_chosen = (client->grant_types & 1u << type) != 0
        };
    values->grant_types = rows;
    values->grant_types_count = GRANT_TYPE_COUNT;
}

static void fill_errors(struct page_call *page, const struct registry_faults *faults,
                        struct page_admin_client_form *values)
{
    values->client_id_error = admin_registry_error(page, faults, REGISTRY_ID, "client-id");
    values->name_error = admin_registry_error(page, faults, REGISTRY_NAME, "client-name");
    values->grants_error = admin_registry_error(page, faults, REGISTRY_GRANTS, "grant-password");
    values->service_ids_error =
        admin_registry_error(page, faults, REGISTRY_SERVICES, "client-services");
    values->scope_error = admin_registry_error(page, faults, REGISTRY_SCOPE, "client-scope");
    values->redirect_uris_error =
        admin_registry_error(page, faults, REGISTRY_REDIRECT_URIS, "redirect-uris");
    values->refresh_lifetime_error =
        admin_registry_error(page, faults, REGISTRY_REFRESH_LIFETIME, "refresh-lifetime");
    values->refresh_idle_lifetime_error =
        admin_registry_error(page, faults, REGISTRY_REFRESH_IDLE_LIFETIME, "refresh-idle-lifetime");
}

static enum rc show_form(struct page_call *page, const struct client_form *form)
{
    const struct client *client = &form->client;
    struct page_admin_client_form values = { .frame = &page->frame,
                                             .id = form->id,
                                             .client_id = client->client_id,
                                             .is_public = client->type == CLIENT_PUBLIC,
                                             .is_empty = client->type == CLIENT_EMPTY_SECRET,
                                             .is_confidential = client->type == CLIENT_CONFIDENTIAL,
                                             .is_built_in = registry_is_built_in(client),
                                             .is_basic = client->auth_method == AUTH_SECRET_BASIC,
                                             .is_post = client->auth_method == AUTH_SECRET_POST,
                                             .name = client->name,
                                             .service_ids = client->service_ids,
                                             .scope = client->scope,
                                             .redirect_uris = client->redirect_uris,
                                             .refresh_lifetime = form->refresh_lifetime,
                                             .refresh_idle_lifetime = form->refresh_idle_lifetime };

    if (form->id.len == 0)
        values.form = page_handle_seal(page, form_kind, form->number);
    if (client->auth_method > AUTH_SECRET_POST)
        values.other_method = client_auth_method_format(client->auth_method);
    list_grants(page, client, &values);
    fill_errors(page, &form->faults, &values);
    admin_client_mark(page);
    page_admin_client_form_render(&values, page->language,
                                  page_begin(page, form->faults.count > 0 ? 422 : 200));
    return RC_OK;
}

static struct str seconds_text(struct page_call *page, int64_t seconds)
{
    return arena_format(page->call->exchange->arena, "%lld", (long long)seconds);
}

/* ---- changing one ---------------------------------------------------------------------------- */

enum rc admin_client_edit_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    struct client_form form = { .id = page->call->rest };
    struct client before;
    struct client after;
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    rc = admin_client_find(page, &arena, &before);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    form.client = before;
    form.refresh_lifetime = seconds_text(page, before.refresh_lifetime_s);
    form.refresh_idle_lifetime = seconds_text(page, before.refresh_idle_lifetime_s);
    if (page_is_get(page))
        return show_form(page, &form);
    read_form(page, &form);
    after = form.client;
    rc = registry_check_client(page->call->oauth.oauth->catalog, &arena, &after, &form.faults);
    if (rc == RC_REFUSED)
        return show_form(page, &form);
    if (rc == RC_OK)
        rc = registry_change_client(&desk, &before, &after);
    if (rc == RC_OK || rc == RC_SPENT)
        admin_return(
            page, STR("clients"), page->call->rest,
            page_say(rc == RC_OK ? PAGE_TEXT_SAVED : PAGE_TEXT_REGISTRY_CHANGED_MEANWHILE));
    return rc == RC_SPENT ? RC_OK : rc;
}

/* ---- a new one ------------------------------------------------------------------------------- */

/* Answers: RC_OK the answer is written: this form has made its client before · RC_NOT_FOUND */
static enum rc answer_made(struct page_call *page, int64_t number, struct arena *arena)
{
    struct client made;
    enum rc rc = registry_find_client(page->call->oauth.oauth->store, number, arena, &made);

    if (rc == RC_OK)
        admin_return(page, STR("clients"), admin_client_handle(page, number),
                     (struct page_words){ .text = PAGE_TEXT_REGISTRY_MADE_ALREADY,
                                          .value = made.client_id });
    return rc;
}

/* The name is somebody's, or the form was sent twice at the same time. */
static enum rc answer_exists(struct page_call *page, struct client_form *form, struct arena *arena)
{
    enum rc rc = answer_made(page, form->number, arena);

    if (rc != RC_NOT_FOUND)
        return rc;
    form->faults =
        (struct registry_faults){ .list = { { .problem = REGISTRY_ID_TAKEN } }, .count = 1 };
    return show_form(page, form);
}

static enum rc create(struct page_call *page, struct client_form *form, struct client client,
                      struct arena *arena)
{
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    __attribute__((cleanup(secret_cleanup))) struct secret made = { 0 };
    char hash[PASSWORD_HASH_BYTES_MAX];
    const struct admin_secret shown = { .section = STR("clients"),
                                        .id = admin_client_handle(page, form->number),
                                        .owner = client.client_id };
    enum rc rc;

    client.id = form->number;
    client.created_at = admin.now;
    if (client.type == CLIENT_CONFIDENTIAL) {
        registry_make_secret(page->call->oauth.oauth->secrets, &made, hash);
        client.secret_hash = str_of(hash);
    }
    rc = registry_create_client(&desk, &client);
    if (rc == RC_EXISTS)
        return answer_exists(page, form, arena);
    if (rc != RC_OK)
        return rc;
    if (made.len > 0)
        admin_show_secret(page, &shown, &made);
    else
        admin_return(
            page, shown.section, shown.id,
            (struct page_words){ .text = PAGE_TEXT_CLIENT_MADE, .value = client.client_id });
    return RC_OK;
}

enum rc admin_client_new_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct client_form form = {
        .client = { .grant_types = 1u << GRANT_TYPE_CLIENT_CREDENTIALS },
        .refresh_lifetime = seconds_text(page, REFRESH_LIFETIME_S_DEFAULT),
        .refresh_idle_lifetime = seconds_text(page, REFRESH_IDLE_LIFETIME_S_DEFAULT),
    };
    struct client client;
    enum rc rc = RC_OK;

    arena_init(&arena, ARENA_BYTES);
    if (!page_handle_open(page, form_kind, page_field(page, STR("form")), &form.number))
        rc = registry_next_id(page->call->oauth.oauth->store, &form.number);
    if (rc != RC_OK)
        return rc;
    if (page_is_get(page))
        return show_form(page, &form);
    rc = answer_made(page, form.number, &arena);
    if (rc != RC_NOT_FOUND)
        return rc;
    form.client.client_id = str_trim(page_field(page, STR("client_id")));
    form.client.type = read_type(page);
    read_form(page, &form);
    client = form.client;
    rc = registry_check_client(page->call->oauth.oauth->catalog, &arena, &client, &form.faults);
    if (rc == RC_OK)
        return create(page, &form, client, &arena);
    return rc == RC_REFUSED ? show_form(page, &form) : rc;
}
