#include "daemon/apply.h"

#include "account/secret_check.h"

enum { CHANGES_BYTES_MAX = 512 * 1024 };

const struct str apply_section_names[MANAGED_KIND_COUNT] = { [MANAGED_ACCOUNT] = { "accounts", 8 },
                                                             [MANAGED_SERVICE] = { "services", 8 },
                                                             [MANAGED_CLIENT] = { "clients", 7 } };

static bool is_shown(const struct apply *apply)
{
    return apply->is_writing == apply->is_apply;
}

/* ---- what differs ---------------------------------------------------------------------------- */

static struct str value_text(struct apply *apply, const struct json_value *value)
{
    if (value == NULL)
        return apply->is_json ? STR("null") : STR("-");
    return json_format(value, apply->context->arena);
}

static void add_change(struct apply *apply, struct visit *visit, struct str member,
                       struct str before, struct str after)
{
    struct json_out json = json_out_over(&visit->changes);

    visit->change_count++;
    if (!apply->is_json) {
        buffer_append_format(&visit->changes, "    %.*s: %.*s -> %.*s\n", STR_ARGS(member),
                             STR_ARGS(before), STR_ARGS(after));
        return;
    }
    if (visit->changes.len > 0)
        buffer_append_byte(&visit->changes, ',');
    json_begin_object(&json);
    json_member_string(&json, STR("member"), member);
    json_name(&json, STR("old"));
    json_raw(&json, before);
    json_name(&json, STR("new"));
    json_raw(&json, after);
    json_end_object(&json);
}

/* What follows from others is not told twice. */
static bool is_derived(struct str member)
{
    return str_equal(member, STR("response_types")) ||
           str_equal(member, STR("token_endpoint_auth_method"));
}

static void add_differences(struct apply *apply, struct visit *visit,
                            const struct json_value *before, const struct json_value *after)
{
    for (size_t i = 0; i < json_count(after); i++) {
        struct str name;
        const struct json_value *now = json_member(after, i, &name);
        struct str old_text = value_text(apply, json_find(before, name));
        struct str new_text = value_text(apply, now);

        if (!is_derived(name) && !str_equal(old_text, new_text))
            add_change(apply, visit, name, old_text, new_text);
    }
    for (size_t i = 0; i < json_count(before); i++) {
        struct str name;
        const struct json_value *was = json_member(before, i, &name);

        if (json_find(after, name) == NULL)
            add_change(apply, visit, name, value_text(apply, was), value_text(apply, NULL));
    }
}

/* Both texts are objects of daemon/apply_noun.h. */
static enum rc compare(struct apply *apply, struct visit *visit, struct str before,
                       struct str after)
{
    struct json_document *old_document = NULL;
    struct json_document *new_document = NULL;
    enum rc rc = json_parse(before, &old_document);

    if (rc == RC_OK)
        rc = json_parse(after, &new_document);
    if (rc == RC_OK)
        add_differences(apply, visit, json_root(old_document), json_root(new_document));
    json_document_free(old_document);
    json_document_free(new_document);
    return rc == RC_INVALID ? RC_CORRUPT : rc;
}

static void add_secret_change(struct apply *apply, struct visit *visit)
{
    if (!visit->has_new_secret)
        return;
    if (apply->is_json) {
        add_change(apply, visit, STR("secret"), STR("null"), STR("null"));
        return;
    }
    visit->change_count++;
    buffer_append_str(&visit->changes, STR("    secret: changed\n"));
}

static void add_owner_change(struct apply *apply, struct visit *visit)
{
    struct str texts[2] = { visit->owner, apply->source };

    if (visit->noun.is_owned)
        return;
    for (size_t i = 0; i < 2; i++) {
        struct buffer text = buffer_over(arena_alloc(apply->context->arena, 2048), 2048);

        if (texts[i].len == 0) {
            texts[i] = value_text(apply, NULL);
            continue;
        }
        json_escape(texts[i], &text);
        texts[i] = buffer_str(&text);
    }
    add_change(apply, visit, STR("managed_by"), texts[0], texts[1]);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell_json(struct apply *apply, const char *action, enum managed_kind kind,
                      struct str id, const struct visit *visit)
{
    size_t room = CHANGES_BYTES_MAX + 4096;
    struct buffer text = buffer_over(arena_alloc(apply->context->arena, room), room);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_string(&json, STR("action"), str_of(action));
    json_member_string(&json, STR("kind"), apply_kind_format(kind));
    json_member_string(&json, STR("id"), id);
    if (visit != NULL && visit->change_count > 0) {
        json_name(&json, STR("changes"));
        json_raw(&json, STR("["));
        buffer_append_str(&text, buffer_str(&visit->changes));
        buffer_append_byte(&text, ']');
    }
    json_member_bool(&json, STR("done"), apply->is_writing);
    json_end_object(&json);
    sink_str(apply->context->out, buffer_str(&text));
    sink_text(apply->context->out, "\n");
}

/* action: "create", "change", "remove", "left" */
void apply_tell(struct apply *apply, const char *action, enum managed_kind kind, struct str id,
                const struct visit *visit)
{
    struct sink *out = apply->context->out;
    bool is_left = strcmp(action, "left") == 0;

    if (!is_shown(apply))
        return;
    if (apply->is_json) {
        tell_json(apply, action, kind, id, visit);
        return;
    }
    sink_format(out, "%s %s %.*s %.*s%s\n", action[0] == 'c' ? (action[1] == 'r' ? "+" : "~") : "-",
                action, STR_ARGS(apply_kind_format(kind)), STR_ARGS(id),
                is_left ? ": it is not in the file any more; --prune disables it"
                        : (apply->is_writing ? ": done" : ""));
    if (visit != NULL)
        sink_str(out, buffer_str(&visit->changes));
}

void apply_tell_end(struct apply *apply)
{
    if (!is_shown(apply))
        return;
    sink_format(apply->context->out,
                apply->is_json ? "{\"action\":\"unchanged\",\"count\":%zu}\n" : "= %zu unchanged\n",
                apply->unchanged_count);
}

/* What the store answered to a change. An exit status. */
int apply_answer(struct visit *visit, enum rc rc)
{
    const char *words = rc_words(rc);

    if (rc == RC_OK)
        return STATUS_DONE;
    if (rc == RC_EXISTS)
        words = "that name, or its address, is another's already";
    else if (rc == RC_REFUSED && visit->noun.kind == MANAGED_ACCOUNT)
        words = "this is the last administrator who may sign in";
    else if (rc == RC_SPENT || rc == RC_NOT_FOUND)
        words = "somebody else changed it at the same time, run this again";
    apply_noun_refuse(&visit->noun, STR(""),
                      "%s; what stands above as done is done, all that follows is not", words);
    return STATUS_REFUSED;
}

/* ---- finding --------------------------------------------------------------------------------- */

static void note_named(struct apply *apply, enum managed_kind kind, int64_t id)
{
    apply->ids[kind][apply->id_counts[kind]++] = id;
}

/* Whose the noun is that the store has. */
static enum rc find_owner(struct apply *apply, struct visit *visit)
{
    enum rc rc = admin_find_owner(apply->context->store, visit->noun.kind, visit->id,
                                  apply->context->arena, &visit->owner);

    if (rc != RC_OK)
        return rc;
    visit->noun.is_owned = str_equal(visit->owner, apply->source);
    note_named(apply, visit->noun.kind, visit->id);
    if (visit->owner.len > 0 && !visit->noun.is_owned && !apply->takes_over)
        apply_noun_refuse(&visit->noun, STR(""),
                          "it belongs to %.*s; --take-over makes it this file's",
                          STR_ARGS(visit->owner));
    return RC_OK;
}

/* Whether the named secret is another than the stored one; once for each, for it takes a hash. */
static enum rc judge_secret(struct apply *apply, struct visit *visit, struct str stored_hash)
{
    bool *has_new_secret = &apply->has_new_secret[apply->number];
    AUTO(secret) secret = { 0 };
    enum rc rc = secret_set(&secret, visit->noun.secret);

    ASSERT(rc == RC_OK);
    if (!apply->is_writing && visit->noun.secret.len > 0 && visit->id != 0) {
        rc = stored_hash.len == 0
                 ? RC_REFUSED
                 : secret_check(apply->context->checker, &secret, stored_hash, NULL, true);
        *has_new_secret = rc == RC_REFUSED;
    }
    visit->has_new_secret = *has_new_secret;
    return rc == RC_REFUSED ? RC_OK : rc;
}

static enum rc hash_secret(struct apply *apply, const struct visit *visit, struct str *out_hash)
{
    char *hash = arena_alloc(apply->context->arena, PASSWORD_HASH_BYTES_MAX);
    AUTO(secret) secret = { 0 };
    enum rc rc = secret_set(&secret, visit->noun.secret);

    if (rc == RC_OK)
        rc = password_hash(&secret, apply->context->checker->cost, hash);
    if (rc == RC_OK)
        *out_hash = str_of(hash);
    return rc;
}

/* ---- one noun -------------------------------------------------------------------------------- */

/* Shows what is to be done; whether there is anything to do now. */
static bool is_due(struct apply *apply, struct visit *visit)
{
    if (visit->noun.is_bad) {
        apply->fault_count++;
        return false;
    }
    if (visit->id != 0) {
        add_secret_change(apply, visit);
        add_owner_change(apply, visit);
    }
    if (visit->id != 0 && visit->change_count == 0) {
        apply->unchanged_count++;
        return false;
    }
    apply->change_count++;
    if (!apply->is_writing)
        apply_tell(apply, visit->id == 0 ? "create" : "change", visit->noun.kind, visit->noun.id,
                   visit);
    return apply->is_writing;
}

static int done(struct apply *apply, struct visit *visit, enum rc rc)
{
    int status = apply_answer(visit, rc);

    if (status == STATUS_DONE)
        apply_tell(apply, visit->id == 0 ? "create" : "change", visit->noun.kind, visit->noun.id,
                   visit);
    return status;
}

/* What failed under the secret before is forgotten. */
static enum rc forgive(struct apply *apply, const struct visit *visit)
{
    struct command_context *context = apply->context;

    return visit->has_new_secret
               ? admin_forgive_name(context->store, context->throttle,
                                    secret_throttle_name(context->arena, visit->noun.id),
                                    apply->admin.now)
               : RC_OK;
}

/* Its grants end before it is disabled, and once more afterwards: where this is broken off in
 * between, there is something to do for the next run, or nothing left. */
static bool is_disabled_now(const struct visit *visit, bool was_disabled, bool is_disabled)
{
    return visit->id != 0 && is_disabled && !was_disabled;
}

static enum rc write_service(struct apply *apply, struct visit *visit, const struct service *before,
                             struct service *after)
{
    const struct registry_desk desk = change_desk(apply->context, &apply->admin);
    bool ends = is_disabled_now(visit, before->is_disabled, after->is_disabled);
    size_t count;
    enum rc rc = RC_OK;

    if (visit->noun.secret.len > 0 && (visit->id == 0 || visit->has_new_secret))
        rc = hash_secret(apply, visit, &after->secret_hash);
    if (rc == RC_OK && ends)
        rc = change_end_grants_of_service(apply->context, after->service_id, &count);
    if (rc == RC_OK && visit->id == 0)
        rc = registry_next_id(apply->context->store, &after->id);
    if (rc == RC_OK)
        rc = visit->id == 0 ? registry_create_service(&desk, after)
                            : registry_change_service(&desk, before, after);
    if (rc == RC_OK && visit->id == 0)
        note_named(apply, MANAGED_SERVICE, after->id);
    if (rc == RC_OK)
        rc = forgive(apply, visit);
    if (rc == RC_OK && ends)
        rc = change_end_grants_of_service(apply->context, after->service_id, &count);
    return rc;
}

static int visit_service(struct apply *apply, struct visit *visit)
{
    struct command_context *context = apply->context;
    struct service before = { .id = 0 };
    struct service after = { .id = 0 };
    struct catalog_service *entry;
    enum rc rc = catalog_find_service(context->catalog, visit->noun.id, true, &entry);

    if (rc == RC_OK) {
        visit->id = entry->service.id;
        catalog_service_put(entry);
        rc = store_find_service(context->store, visit->id, context->arena, &before);
        if (rc == RC_OK)
            rc = find_owner(apply, visit);
    }
    if (rc == RC_OK || rc == RC_NOT_FOUND)
        rc = apply_read_service(&visit->noun, visit->id == 0 ? NULL : &before, &after);
    if (rc == RC_OK && !visit->noun.is_bad)
        rc = judge_secret(apply, visit, before.secret_hash);
    if (rc == RC_OK && visit->id != 0 && !visit->noun.is_bad)
        rc = compare(apply, visit, apply_show_service(context->arena, &before),
                     apply_show_service(context->arena, &after));
    if (rc != RC_OK)
        return command_fault(context, rc);
    return is_due(apply, visit) ? done(apply, visit, write_service(apply, visit, &before, &after))
                                : STATUS_DONE;
}

static enum rc write_client(struct apply *apply, struct visit *visit, const struct client *before,
                            struct client *after)
{
    const struct registry_desk desk = change_desk(apply->context, &apply->admin);
    bool ends = is_disabled_now(visit, before->is_disabled, after->is_disabled);
    size_t count;
    enum rc rc = RC_OK;

    if (visit->noun.secret.len > 0 && (visit->id == 0 || visit->has_new_secret)) {
        rc = hash_secret(apply, visit, &after->secret_hash);
        after->previous_secret_hash = STR("");
        after->previous_secret_until = 0;
    }
    if (rc == RC_OK && ends)
        rc = change_end_grants(apply->context, 0, visit->id, &count);
    if (rc == RC_OK && visit->id == 0)
        rc = registry_next_id(apply->context->store, &after->id);
    if (rc == RC_OK)
        rc = visit->id == 0 ? registry_create_client(&desk, after)
                            : registry_change_client(&desk, before, after);
    if (rc == RC_OK && visit->id == 0)
        note_named(apply, MANAGED_CLIENT, after->id);
    if (rc == RC_OK)
        rc = forgive(apply, visit);
    if (rc == RC_OK && ends)
        rc = change_end_grants(apply->context, 0, visit->id, &count);
    return rc;
}

static int visit_client(struct apply *apply, struct visit *visit)
{
    struct command_context *context = apply->context;
    struct client before = { .id = 0 };
    struct client after = { .id = 0 };
    struct catalog_client *entry;
    enum rc rc = catalog_find_client(context->catalog, visit->noun.id, true, &entry);

    if (rc == RC_OK) {
        visit->id = entry->client.id;
        catalog_client_put(entry);
        rc = store_find_client(context->store, visit->id, context->arena, &before);
        if (rc == RC_OK)
            rc = find_owner(apply, visit);
    }
    if (rc == RC_OK || rc == RC_NOT_FOUND)
        rc = apply_read_client(&visit->noun, visit->id == 0 ? NULL : &before, &after);
    if (rc == RC_OK && !visit->noun.is_bad)
        rc = judge_secret(apply, visit, before.secret_hash);
    if (rc == RC_OK && visit->id != 0 && !visit->noun.is_bad)
        rc = compare(apply, visit, apply_show_client(context->arena, &before),
                     apply_show_client(context->arena, &after));
    if (rc != RC_OK)
        return command_fault(context, rc);
    return is_due(apply, visit) ? done(apply, visit, write_client(apply, visit, &before, &after))
                                : STATUS_DONE;
}

static enum rc write_account(struct apply *apply, struct visit *visit, const struct account *before,
                             struct account *after)
{
    struct command_context *context = apply->context;
    bool ends = is_disabled_now(visit, before->is_disabled, after->is_disabled);
    size_t count;
    enum rc rc = RC_OK;

    if (visit->id == 0) {
        after->password_hash = visit->noun.password_hash;
        after->email_verified_at = after->email.len > 0 ? after->created_at : 0;
        if (visit->noun.secret.len > 0)
            rc = hash_secret(apply, visit, &after->password_hash);
        if (rc == RC_OK)
            rc = admin_create_account(context->store, context->throttle, &apply->admin, after, NULL,
                                      &after->id);
        if (rc == RC_OK)
            note_named(apply, MANAGED_ACCOUNT, after->id);
        return rc;
    }
    if (ends)
        rc = change_end_grants(context, visit->id, 0, &count);
    if (rc == RC_OK)
        rc = admin_set_account(context->store, context->throttle, &apply->admin, before, after);
    if (rc == RC_OK && ends)
        rc = change_end_grants(context, visit->id, 0, &count);
    return rc;
}

/* A new account's address counts as known: then it is nobody else's (account/email.h). */
static enum rc judge_address(struct apply *apply, struct visit *visit, struct str address)
{
    struct account other;
    enum rc rc = RC_NOT_FOUND;

    if (visit->id == 0 && address.len > 0)
        rc = store_find_account_by_email(apply->context->store, address, apply->context->arena,
                                         &other);
    if (rc == RC_OK)
        apply_noun_refuse(&visit->noun, STR("email"), "this address is another's: %.*s",
                          STR_ARGS(other.name));
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static bool stands_before(const struct json_value *section, size_t index, const char *name,
                          struct str id)
{
    struct str other;

    for (size_t i = 0; i < index; i++)
        if (json_get_string(json_find(json_item(section, i), str_of(name)), &other) == RC_OK &&
            str_equal_nocase(other, id))
            return true;
    return false;
}

/* Two of the file would be given one address: the second could not be written. */
static void judge_twin(struct apply *apply, struct visit *visit, const struct account *before,
                       struct str address)
{
    if (!apply->is_writing && address.len > 0 &&
        (visit->id == 0 || !str_equal(before->email, address)) &&
        stands_before(visit->section, visit->index, "email", address))
        apply_noun_refuse(&visit->noun, STR("email"), "stands twice in the file");
}

static int visit_account(struct apply *apply, struct visit *visit)
{
    struct command_context *context = apply->context;
    struct account before = { .id = 0 };
    struct account after = { .id = 0 };
    enum rc rc =
        store_find_account_by_name(context->store, visit->noun.id, context->arena, &before);

    if (rc == RC_OK) {
        visit->id = before.id;
        rc = find_owner(apply, visit);
    }
    if (rc == RC_OK || rc == RC_NOT_FOUND)
        rc = apply_read_account(&visit->noun, visit->id == 0 ? NULL : &before, &after);
    if (rc == RC_OK && !visit->noun.is_bad)
        rc = judge_address(apply, visit, after.email);
    if (rc == RC_OK && !visit->noun.is_bad)
        judge_twin(apply, visit, &before, after.email);
    if (rc == RC_OK && visit->id != 0 && !visit->noun.is_bad)
        rc = compare(apply, visit, apply_show_account(context->arena, &before),
                     apply_show_account(context->arena, &after));
    if (rc != RC_OK)
        return command_fault(context, rc);
    return is_due(apply, visit) ? done(apply, visit, write_account(apply, visit, &before, &after))
                                : STATUS_DONE;
}

/* ---- any -------------------------------------------------------------------------------- */

int apply_visit(struct apply *apply, enum managed_kind kind, const struct json_value *section,
                size_t index)
{
    static int (*const visits[MANAGED_KIND_COUNT])(
        struct apply *, struct visit *) = { visit_account, visit_service, visit_client };
    struct arena *arena = apply->context->arena;
    struct visit visit = {
        .noun = { .context = apply->context,
                  .file = apply->file,
                  .object = json_item(section, index),
                  .planned = apply->is_writing
                                 ? NULL
                                 : json_find(apply->root, apply_section_names[MANAGED_SERVICE]),
                  .kind = kind },
        .section = section,
        .index = index,
        .changes = buffer_over(arena_alloc(arena, CHANGES_BYTES_MAX), CHANGES_BYTES_MAX)
    };

    apply_noun_read_id(&visit.noun);
    if (!apply->is_writing && kind == MANAGED_ACCOUNT &&
        stands_before(section, index, "name", visit.noun.id))
        apply_noun_refuse(&visit.noun, STR("name"), "stands twice in the file");
    if (!apply->is_writing && kind != MANAGED_ACCOUNT &&
        stands_before(section, index, "id", visit.noun.id))
        apply_noun_refuse(&visit.noun, STR("id"), "stands twice in the file");
    if (visit.noun.is_bad) {
        apply->fault_count++;
        return STATUS_DONE;
    }
    return visits[kind](apply, &visit);
}
