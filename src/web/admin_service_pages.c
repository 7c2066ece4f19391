#include "web/admin_acts.h"
#include "web/admin_registry_pages.h"

/* Services, for administrators. */

enum { ROWS_PER_PAGE = 20, ARENA_BYTES = REGISTRY_SERVICE_BYTES_MAX + REGISTRY_CHECK_BYTES_MAX };

static const char list_kind[] = "admin services"; /* of the place where a list goes on */
static const char row_kind[] = "admin service";   /* of handles in paths */
static const char form_kind[] = "new service";    /* of what a form makes */

static struct store *store_of(const struct page_call *page)
{
    return page->call->oauth.oauth->store;
}

static void mark_place(struct page_call *page)
{
    page->frame.at_admin = true;
    page->frame.at_admin_services = true;
}

/* ---- the list -------------------------------------------------------------------------------- */

enum rc admin_services_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct page_admin_services values = { .frame = &page->frame,
                                          .q = str_trim(page_parameter(page, STR("q"))) };
    struct page_admin_services_services *rows =
        arena_alloc(page->call->exchange->arena, ROWS_PER_PAGE * sizeof(*rows));
    struct service services[ROWS_PER_PAGE + 1];
    int64_t before_id = page_list_begin(page, list_kind);
    size_t count;
    enum rc rc;

    arena_init(&arena, (size_t)(ROWS_PER_PAGE + 1) * REGISTRY_SERVICE_BYTES_MAX);
    rc = registry_search_services(store_of(page), values.q, before_id, &arena, services,
                                  ROWS_PER_PAGE + 1, &count);
    if (rc != RC_OK)
        return rc;
    if (count > ROWS_PER_PAGE) {
        count = ROWS_PER_PAGE;
        values.older = page_handle_seal(page, list_kind, services[count - 1].id);
    }
    if (before_id != INT64_MAX) /* back to where the list begins */
        values.newer = STR("all");
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct page_admin_services_services){
            .n = (int64_t)i + 1,
            .id = page_handle_seal(page, row_kind, services[i].id),
            .service_id = services[i].service_id,
            .name = services[i].name,
            .scope = admin_row_text(page, services[i].scope),
            .format = token_format_format(services[i].format),
            .is_disabled = services[i].is_disabled
        };
    values.services = rows;
    values.services_count = count;
    mark_place(page);
    page_admin_services_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- one service ----------------------------------------------------------------------------- */

/* Answers: RC_OK · RC_NOT_FOUND the answer is written */
static enum rc find_service(struct page_call *page, struct arena *arena,
                            struct service *out_service)
{
    int64_t id;
    enum rc rc = RC_NOT_FOUND;

    if (page_handle_open(page, row_kind, page->call->rest, &id))
        rc = registry_find_service(store_of(page), id, arena, out_service);
    if (rc == RC_NOT_FOUND)
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
    mark_place(page);
    return rc;
}

static enum rc answered(enum rc rc)
{
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc admin_service_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct service service;
    struct page_admin_service values = { .frame = &page->frame, .id = page->call->rest };
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    rc = find_service(page, &arena, &service);
    if (rc != RC_OK)
        return answered(rc);
    values.service_id = service.service_id;
    values.name = service.name;
    values.scope = service.scope;
    values.format = token_format_format(service.format);
    values.alg = service.format == TOKEN_JWT ? signing_alg_format(service.alg) : STR("");
    values.lifetime_s = service.lifetime_s;
    values.allows_password = service.allows_password;
    values.expires_in_as_string = service.expires_in_as_string;
    values.has_secret = service.secret_hash.len > 0;
    values.is_disabled = service.is_disabled;
    values.created_at = service.created_at;
    rc = admin_find_owner(store_of(page), MANAGED_SERVICE, service.id, &arena, &values.managed_by);
    if (rc != RC_OK)
        return rc;
    page_admin_service_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- the form -------------------------------------------------------------------------------- */

/* A choice that was not offered leaves what is there. */
static void read_form(struct page_call *page, struct service *service)
{
    enum token_format format;
    enum signing_alg alg;

    service->name = str_trim(page_field(page, STR("name")));
    service->scope = admin_on_one_line(page, page_field(page, STR("scope")));
    service->lifetime_s = admin_field_seconds(page, STR("lifetime"));
    service->allows_password = admin_is_ticked(page, STR("allows_password"));
    service->expires_in_as_string = admin_is_ticked(page, STR("expires_in_as_string"));
    if (token_format_parse(page_field(page, STR("format")), &format) == RC_OK)
        service->format = format;
    if (signing_alg_parse(page_field(page, STR("alg")), &alg) == RC_OK)
        service->alg = alg;
}

/* id is empty for a new one, whose number the form carries. */
static void show_form(struct page_call *page, struct str id, const struct service *service,
                      struct str lifetime, bool with_secret, const struct registry_faults *faults,
                      struct str form)
{
    struct page_admin_service_form values = {
        .frame = &page->frame,
        .id = id,
        .form = form,
        .service_id = service->service_id,
        .service_id_error = admin_registry_error(page, faults, REGISTRY_ID, "service-id"),
        .name = service->name,
        .name_error = admin_registry_error(page, faults, REGISTRY_NAME, "service-name"),
        .scope = service->scope,
        .scope_error = admin_registry_error(page, faults, REGISTRY_SCOPE, "service-scope"),
        .is_jwt = service->format == TOKEN_JWT,
        .is_eddsa = service->alg == ALG_EDDSA,
        .is_rs256 = service->alg == ALG_RS256,
        .lifetime = lifetime,
        .lifetime_error = admin_registry_error(page, faults, REGISTRY_LIFETIME, "service-lifetime"),
        .allows_password = service->allows_password,
        .expires_in_as_string = service->expires_in_as_string,
        .with_secret = with_secret
    };

    mark_place(page);
    page_admin_service_form_render(&values, page->language,
                                   page_begin(page, faults->count > 0 ? 422 : 200));
}

static struct str seconds_text(struct page_call *page, int64_t seconds)
{
    return arena_format(page->call->exchange->arena, "%lld", (long long)seconds);
}

enum rc admin_service_edit_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    struct registry_faults faults = { .count = 0 };
    struct service before;
    struct service typed;
    struct service after;
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    rc = find_service(page, &arena, &before);
    if (rc != RC_OK)
        return answered(rc);
    if (page_is_get(page)) {
        show_form(page, page->call->rest, &before, seconds_text(page, before.lifetime_s), false,
                  &faults, STR(""));
        return RC_OK;
    }
    typed = before;
    read_form(page, &typed);
    after = typed;
    rc = registry_check_service(page->call->oauth.oauth->catalog, &arena, &after, &faults);
    if (rc == RC_REFUSED) {
        show_form(page, page->call->rest, &typed, page_field(page, STR("lifetime")), false, &faults,
                  STR(""));
        return RC_OK;
    }
    if (rc == RC_OK)
        rc = registry_change_service(&desk, &before, &after);
    if (rc == RC_OK || rc == RC_SPENT)
        admin_return(
            page, STR("services"), page->call->rest,
            page_say(rc == RC_OK ? PAGE_TEXT_SAVED : PAGE_TEXT_REGISTRY_CHANGED_MEANWHILE));
    return rc == RC_SPENT ? RC_OK : rc;
}

/* ---- a new one ------------------------------------------------------------------------------- */

/* Answers: RC_OK the answer is written: this form has made its service before · RC_NOT_FOUND */
static enum rc answer_made(struct page_call *page, int64_t id, struct arena *arena)
{
    struct service made;
    enum rc rc = registry_find_service(store_of(page), id, arena, &made);

    if (rc == RC_OK)
        admin_return(page, STR("services"), page_handle_seal(page, row_kind, id),
                     (struct page_words){ .text = PAGE_TEXT_REGISTRY_MADE_ALREADY,
                                          .value = made.service_id });
    return rc;
}

/* The name is somebody's, or the form was sent twice at the same time. */
static enum rc answer_exists(struct page_call *page, const struct service *typed, int64_t id,
                             struct arena *arena)
{
    struct registry_faults faults = { .list = { { .problem = REGISTRY_ID_TAKEN } }, .count = 1 };
    enum rc rc = answer_made(page, id, arena);

    if (rc == RC_NOT_FOUND)
        show_form(page, STR(""), typed, page_field(page, STR("lifetime")),
                  admin_is_ticked(page, STR("with_secret")), &faults,
                  page_handle_seal(page, form_kind, id));
    return answered(rc);
}

static enum rc create(struct page_call *page, const struct service *typed, struct service service,
                      int64_t id, struct arena *arena)
{
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    __attribute__((cleanup(secret_cleanup))) struct secret made = { 0 };
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct admin_secret shown = { .section = STR("services"), .owner = service.service_id };
    enum rc rc;

    service.id = id;
    service.created_at = admin.now;
    shown.id = page_handle_seal(page, row_kind, id);
    if (admin_is_ticked(page, STR("with_secret"))) {
        registry_make_secret(page->call->oauth.oauth->secrets, &made, hash);
        service.secret_hash = str_of(hash);
    }
    rc = registry_create_service(&desk, &service);
    if (rc == RC_EXISTS)
        return answer_exists(page, typed, id, arena);
    if (rc != RC_OK)
        return rc;
    if (made.len > 0)
        admin_show_secret(page, &shown, &made);
    else
        admin_return(
            page, shown.section, shown.id,
            (struct page_words){ .text = PAGE_TEXT_SERVICE_MADE, .value = service.service_id });
    return RC_OK;
}

static enum rc answer_new(struct page_call *page, int64_t id)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct service typed = { .service_id = str_trim(page_field(page, STR("service_id"))) };
    struct registry_faults faults;
    struct service service;
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    rc = answer_made(page, id, &arena);
    if (rc != RC_NOT_FOUND)
        return rc;
    read_form(page, &typed);
    service = typed;
    rc = registry_check_service(page->call->oauth.oauth->catalog, &arena, &service, &faults);
    if (rc == RC_OK)
        return create(page, &typed, service, id, &arena);
    if (rc != RC_REFUSED)
        return rc;
    show_form(page, STR(""), &typed, page_field(page, STR("lifetime")),
              admin_is_ticked(page, STR("with_secret")), &faults,
              page_handle_seal(page, form_kind, id));
    return RC_OK;
}

enum rc admin_service_new_page(struct page_call *page)
{
    const struct service empty = { .lifetime_s = SERVICE_LIFETIME_S_DEFAULT };
    const struct registry_faults none = { .count = 0 };
    int64_t id = 0;
    enum rc rc = RC_OK;

    if (!page_handle_open(page, form_kind, page_field(page, STR("form")), &id))
        rc = registry_next_id(store_of(page), &id);
    if (rc != RC_OK)
        return rc;
    mark_place(page);
    if (!page_is_get(page))
        return answer_new(page, id);
    show_form(page, STR(""), &empty, seconds_text(page, empty.lifetime_s), true, &none,
              page_handle_seal(page, form_kind, id));
    return RC_OK;
}

/* ---- its secret ------------------------------------------------------------------------------ */

enum rc admin_service_secret_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    __attribute__((cleanup(secret_cleanup))) struct secret made = { 0 };
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct admin_secret shown = { .section = STR("services"), .id = page->call->rest };
    struct service service;
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    rc = find_service(page, &arena, &service);
    if (rc != RC_OK)
        return answered(rc);
    shown.owner = service.service_id;
    shown.stored_hash = service.secret_hash;
    if (page_is_get(page)) {
        admin_ask_secret(page, &shown);
        return RC_OK;
    }
    if (!admin_is_secret_form(page, &shown))
        return RC_OK;
    registry_make_secret(page->call->oauth.oauth->secrets, &made, hash);
    rc = registry_set_service_secret(&desk, &service, str_of(hash));
    if (rc == RC_OK)
        admin_show_secret(page, &shown, &made);
    else if (rc == RC_SPENT)
        admin_return(page, shown.section, shown.id, page_say(PAGE_TEXT_REGISTRY_CHANGED_MEANWHILE));
    return rc == RC_SPENT ? RC_OK : rc;
}

/* ---- acts ------------------------------------------------------------------------------------ */

struct service_act {
    enum page_text title;
    enum page_text text;
    enum page_text done;
    bool is_harmless;
    enum rc (*run)(struct page_call *page, const struct registry_desk *desk,
                   const struct service *service);
};

static enum rc serve_act(struct page_call *page, const struct service_act *act)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct admin_question question = { .text = act->text,
                                       .is_harmless = act->is_harmless,
                                       .section = STR("services"),
                                       .id = page->call->rest };
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    struct page_words done = { .text = act->done };
    struct service service;
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    rc = find_service(page, &arena, &service);
    if (rc != RC_OK)
        return answered(rc);
    if (page_is_get(page)) {
        question.title = (struct page_words){ .text = act->title, .value = service.service_id };
        admin_ask(page, &question);
        return RC_OK;
    }
    rc = act->run(page, &desk, &service);
    done.value = service.service_id;
    if (rc == RC_OK || rc == RC_SPENT)
        admin_return(page, question.section, question.id,
                     rc == RC_OK ? done : page_say(PAGE_TEXT_REGISTRY_CHANGED_MEANWHILE));
    return rc == RC_SPENT ? RC_OK : rc;
}

static enum rc disable(struct page_call *page, const struct registry_desk *desk,
                       const struct service *service)
{
    return admin_act_disable_service(page->call, desk, service);
}

static enum rc enable(struct page_call *page, const struct registry_desk *desk,
                      const struct service *service)
{
    (void)page;
    return registry_enable_service(desk, service);
}

static enum rc remove_secret(struct page_call *page, const struct registry_desk *desk,
                             const struct service *service)
{
    (void)page;
    return registry_set_service_secret(desk, service, STR(""));
}

enum rc admin_service_disable_page(struct page_call *page)
{
    static const struct service_act act = { .title = PAGE_TEXT_SERVICE_DISABLE_TITLE,
                                            .text = PAGE_TEXT_SERVICE_DISABLE_TEXT,
                                            .done = PAGE_TEXT_SERVICE_DISABLED,
                                            .run = disable };

    return serve_act(page, &act);
}

enum rc admin_service_enable_page(struct page_call *page)
{
    static const struct service_act act = { .title = PAGE_TEXT_SERVICE_ENABLE_TITLE,
                                            .text = PAGE_TEXT_SERVICE_ENABLE_TEXT,
                                            .done = PAGE_TEXT_SERVICE_ENABLED,
                                            .is_harmless = true,
                                            .run = enable };

    return serve_act(page, &act);
}

enum rc admin_service_remove_secret_page(struct page_call *page)
{
    static const struct service_act act = { .title = PAGE_TEXT_SERVICE_SECRET_TITLE,
                                            .text = PAGE_TEXT_SERVICE_SECRET_TEXT,
                                            .done = PAGE_TEXT_SERVICE_SECRET_REMOVED,
                                            .run = remove_secret };

    return serve_act(page, &act);
}
