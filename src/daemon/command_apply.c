#include "daemon/apply.h"
#include "daemon/apply_file.h"

enum {
    NOUN_COUNT_MAX = 10000, /* of one kind in one file */
    MANAGED_PAGE_COUNT = 64,
    STATUS_CHANGES = 3
};

/* ---- the file -------------------------------------------------------------------------------- */

static int visit_section(struct apply *apply, enum managed_kind kind)
{
    const struct json_value *section = json_find(apply->root, apply_section_names[kind]);
    size_t mark = apply->context->arena->used_bytes;
    int status = STATUS_DONE;

    for (size_t i = 0; status == STATUS_DONE && i < json_count(section); i++) {
        status = apply_visit(apply, kind, section, i);
        command_rewind(apply->context, mark);
        apply->number++;
    }
    return status;
}

/* ---- what left the file ---------------------------------------------------------------------- */

static bool is_named(const struct apply *apply, enum managed_kind kind, int64_t id)
{
    for (size_t i = 0; i < apply->id_counts[kind]; i++)
        if (apply->ids[kind][i] == id)
            return true;
    return false;
}

/* A noun that left, of any kind. */
struct left {
    struct service service;
    struct client client;
    struct account account;
    struct str id;
    bool is_disabled;
};

static enum rc find_left(struct apply *apply, enum managed_kind kind, int64_t id,
                         struct left *out_left)
{
    struct store *store = apply->context->store;
    struct arena *arena = apply->context->arena;
    enum rc rc = RC_OK;

    switch (kind) {
    case MANAGED_SERVICE:
        rc = store_find_service(store, id, arena, &out_left->service);
        out_left->id = out_left->service.service_id;
        out_left->is_disabled = out_left->service.is_disabled;
        return rc;
    case MANAGED_CLIENT:
        rc = store_find_client(store, id, arena, &out_left->client);
        out_left->id = out_left->client.client_id;
        out_left->is_disabled = out_left->client.is_disabled;
        return rc;
    case MANAGED_ACCOUNT:
    case MANAGED_KIND_COUNT:
        break;
    }
    rc = store_find_account(store, id, arena, &out_left->account);
    out_left->id = out_left->account.name;
    out_left->is_disabled = out_left->account.is_disabled;
    return rc;
}

/* Disabled first, then its grants, and only then nobody's: what is broken off goes on next time. */
static enum rc remove_left(struct apply *apply, enum managed_kind kind, int64_t id,
                           const struct left *left)
{
    struct command_context *context = apply->context;
    const struct registry_desk desk = change_desk(context, &apply->admin);
    size_t count;
    enum rc rc = RC_OK;

    if (kind == MANAGED_SERVICE) {
        if (!left->is_disabled)
            rc = registry_disable_service(&desk, &left->service);
        if (rc == RC_OK)
            rc = change_end_grants_of_service(context, left->id, &count);
    } else if (kind == MANAGED_CLIENT) {
        if (!left->is_disabled)
            rc = registry_disable_client(&desk, &left->client);
        if (rc == RC_OK)
            rc = change_end_grants(context, 0, id, &count);
    } else {
        if (!left->is_disabled)
            rc = admin_disable(context->store, &apply->admin, id, NULL);
        if (rc == RC_OK)
            rc = change_end_grants(context, id, 0, &count);
    }
    return rc == RC_OK ? admin_disown(context->store, &apply->admin, kind, id) : rc;
}

static int visit_left(struct apply *apply, enum managed_kind kind, int64_t id)
{
    struct left left = { .is_disabled = false };
    struct visit visit = { .noun = { .context = apply->context, .file = apply->file, .kind = kind },
                           .id = id };
    enum rc rc = find_left(apply, kind, id, &left);

    visit.noun.id = left.id;
    if (rc == RC_NOT_FOUND) /* a client that went by itself */
        return STATUS_DONE;
    if (rc != RC_OK)
        return command_fault(apply->context, rc);
    if (!apply->prunes) {
        if (!left.is_disabled)
            apply_tell(apply, "left", kind, left.id, NULL);
        return STATUS_DONE;
    }
    apply->change_count++;
    if (apply->is_writing &&
        apply_answer(&visit, remove_left(apply, kind, id, &left)) != STATUS_DONE)
        return STATUS_REFUSED;
    apply_tell(apply, "remove", kind, left.id, NULL);
    return STATUS_DONE;
}

static int visit_all_left(struct apply *apply, enum managed_kind kind)
{
    size_t mark = apply->context->arena->used_bytes;
    int64_t page[MANAGED_PAGE_COUNT];
    int64_t after_id = 0;
    size_t count;
    int status = STATUS_DONE;

    do {
        enum rc rc = store_list_managed(apply->context->store, kind, apply->source, after_id, page,
                                        MANAGED_PAGE_COUNT, &count);

        if (rc != RC_OK)
            return command_fault(apply->context, rc);
        for (size_t i = 0; status == STATUS_DONE && i < count; i++) {
            if (!is_named(apply, kind, page[i]))
                status = visit_left(apply, kind, page[i]);
            command_rewind(apply->context, mark);
        }
        if (count > 0)
            after_id = page[count - 1];
    } while (status == STATUS_DONE && count > 0);
    return status;
}

/* Once through the file: services first, for clients name them. */
static int walk(struct apply *apply, bool is_writing)
{
    static const enum managed_kind order[] = { MANAGED_SERVICE, MANAGED_CLIENT, MANAGED_ACCOUNT };
    int status = STATUS_DONE;

    apply->is_writing = is_writing;
    apply->number = 0;
    apply->change_count = 0;
    apply->unchanged_count = 0;
    memset(apply->id_counts, 0, sizeof(apply->id_counts));
    for (size_t i = 0; status == STATUS_DONE && i < MANAGED_KIND_COUNT; i++)
        status = visit_section(apply, order[i]);
    if (apply->fault_count > 0)
        return STATUS_REFUSED;
    for (size_t i = MANAGED_KIND_COUNT; status == STATUS_DONE && i > 0; i--)
        status = visit_all_left(apply, order[i - 1]);
    if (status == STATUS_DONE)
        apply_tell_end(apply);
    return status;
}

static int run_file(struct apply *apply)
{
    int status = walk(apply, false);

    if (apply->fault_count > 0)
        command_note(apply->context, "nothing was changed");
    if (status == STATUS_DONE && apply->is_apply)
        status = walk(apply, true);
    return status;
}

/* ---- the commands ---------------------------------------------------------------------------- */

/* The file's own name stands in the audit trail. */
static struct admin admin_of(struct command_context *context, struct str source)
{
    struct admin admin = change_admin(context);

    admin.by = arena_format(context->arena, "%.*s, %.*s", STR_ARGS(admin.by), STR_ARGS(source));
    admin.source = source;
    return admin;
}

static int run_document(struct apply *apply)
{
    struct command_context *context = apply->context;
    size_t total = 0;

    if (json_get_string(json_find(apply->root, STR("source")), &apply->source) != RC_OK ||
        json_get_string(json_find(apply->root, STR("file")), &apply->file) != RC_OK ||
        apply->source.len == 0 || apply->source.len > MANAGED_SOURCE_BYTES_MAX)
        return command_refuse(context, "the file could not be read");
    for (unsigned kind = 0; kind < MANAGED_KIND_COUNT; kind++) {
        size_t count = json_count(json_find(apply->root, apply_section_names[kind]));

        if (count > NOUN_COUNT_MAX)
            return command_refuse(context, "%.*s: %.*s: at most %d", STR_ARGS(apply->file),
                                  STR_ARGS(apply_section_names[kind]), NOUN_COUNT_MAX);
        apply->ids[kind] = arena_alloc(context->arena, (count + 1) * sizeof(*apply->ids[kind]));
        total += count;
    }
    apply->has_new_secret = arena_alloc(context->arena, total + 1);
    apply->admin = admin_of(context, apply->source);
    return run_file(apply);
}

static int run(struct command_context *context, const struct options *options, bool is_apply)
{
    struct apply apply = { .context = context,
                           .is_apply = is_apply,
                           .is_json = options_has(options, "json"),
                           .prunes = options_has(options, "prune"),
                           .takes_over = options_has(options, "take-over") };
    struct json_document *document = NULL;
    int status;

    if (json_parse(context->document, &document) != RC_OK)
        return command_refuse(context, "the file could not be read");
    apply.root = json_root(document);
    status = run_document(&apply);
    json_document_free(document);
    if (status == STATUS_DONE && apply.change_count > 0 &&
        options_has(options, "detailed-exitcode"))
        return STATUS_CHANGES;
    return status;
}

static int run_plan(struct command_context *context, const struct options *options)
{
    return run(context, options, false);
}

static int run_apply(struct command_context *context, const struct options *options)
{
    return run(context, options, true);
}

static const struct option_spec options_plan[] = {
    { "prune", NULL, "disable what the file owns and does not name any more", false },
    { "take-over", NULL, "take what another file owns", false },
    { "json", NULL, "a JSON object in each line", false },
    { "detailed-exitcode", NULL, "exit status 3 when there is something to change", false },
    { 0 },
};

static const struct option_spec options_apply[] = {
    { "prune", NULL, "disable what the file owns and does not name any more", false },
    { "take-over", NULL, "take what another file owns", false },
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

const struct command commands_apply[] = {
    { "plan", NULL, "FILE", options_plan, "shows what apply would change", false, NULL, run_plan },
    { "apply", NULL, "FILE", options_apply, "makes services, clients and accounts as FILE says",
      true, NULL, run_apply },
    { 0 },
};
