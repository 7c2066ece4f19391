#include "daemon/backup_trail.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "codec/json.h"
#include "model/registry.h"

enum { LINE_BYTES_MAX = 16 * 1024 };

/* What is looked at of a line; views into its document. */
struct line {
    struct str event, detail, at;
    int64_t account_id, token_id;
};

static bool read_line(const struct json_value *root, struct line *out_line)
{
    const struct json_value *account = json_find(root, STR("account_id"));
    const struct json_value *token = json_find(root, STR("token_id"));
    const struct json_value *detail = json_find(root, STR("detail"));

    *out_line = (struct line){ .detail = STR("") };
    return json_is_object(root) &&
           json_get_string(json_find(root, STR("event")), &out_line->event) == RC_OK &&
           json_get_string(json_find(root, STR("at")), &out_line->at) == RC_OK &&
           (account == NULL || json_get_number(account, &out_line->account_id) == RC_OK) &&
           (token == NULL || json_get_number(token, &out_line->token_id) == RC_OK) &&
           (detail == NULL || json_get_string(detail, &out_line->detail) == RC_OK);
}

/* "2026-11-22T06:13:28Z" */
static bool parse_time(struct str text, int64_t *out_at)
{
    char copy[32];
    struct tm parts = { 0 };
    const char *end;

    if (text.len >= sizeof(copy))
        return false;
    snprintf(copy, sizeof(copy), "%.*s", STR_ARGS(text));
    end = strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &parts);
    *out_at = (int64_t)timegm(&parts);
    return end != NULL && *end == '\0';
}

static bool is_event(const struct line *line, enum event_kind kind)
{
    return str_equal(line->event, event_kind_format(kind));
}

/* False: there is nothing to be done for it. */
static bool choose(const struct line *line, enum restore_act *out_act, int64_t *out_id)
{
    *out_id = line->account_id;
    if (is_event(line, EVENT_TOKEN_REVOKED) || is_event(line, EVENT_GRANT_ENDED)) {
        *out_act = line->token_id != 0 ? RESTORE_END_TOKEN : RESTORE_END_GRANTS;
        if (line->token_id != 0)
            *out_id = line->token_id;
        /* All of them have ended. */
        return *out_id != 0 && !str_starts_with(line->detail, STR("a session,"));
    }
    if (is_event(line, EVENT_ACCOUNT_LOCKED)) {
        *out_act = RESTORE_DISABLE;
        return *out_id != 0;
    }
    if (!is_event(line, EVENT_ACCOUNT_CHANGED) || *out_id == 0)
        return false;
    *out_act = RESTORE_DISABLE;
    if (str_starts_with(line->detail, STR("disabled")) ||
        str_starts_with(line->detail, STR("erased")))
        return true;
    *out_act = RESTORE_FORGET_PASSWORD;
    return str_starts_with(line->detail, STR("password"));
}

static enum rc apply_line(struct str text, int64_t since, int64_t now, struct restore *restore,
                          uint64_t *count, struct buffer *out_error)
{
    struct json_document *document = NULL;
    enum restore_act act;
    struct line line;
    int64_t at = 0;
    int64_t id;
    enum rc rc = json_parse(text, &document);

    /* An export may have the seals of the trail between its lines. */
    if (rc == RC_OK && json_is_object(json_root(document)) &&
        json_find(json_root(document), STR("event")) == NULL) {
        json_document_free(document);
        return RC_OK;
    }
    if (rc == RC_OK && (!read_line(json_root(document), &line) || !parse_time(line.at, &at)))
        rc = RC_INVALID;
    if (rc == RC_INVALID)
        buffer_append_str(out_error, STR("--revoked-since has a line that is none of 'jeton audit "
                                         "export'"));
    if (rc == RC_OK && at >= since && choose(&line, &act, &id)) {
        rc = restore_revoke(restore, act, id, now, out_error);
        *count += 1;
    }
    json_document_free(document);
    return rc;
}

enum rc backup_trail_apply(const char *path, int64_t since, int64_t now, struct restore *restore,
                           uint64_t *out_count, struct buffer *out_error)
{
    static char bytes[LINE_BYTES_MAX];
    FILE *file = fopen(path, "re");
    uint64_t count = 0;
    enum rc rc = RC_OK;

    if (file == NULL) {
        buffer_append_format(out_error, "%s cannot be read: %s", path, strerror(errno));
        return RC_INVALID;
    }
    while (rc == RC_OK && fgets(bytes, sizeof(bytes), file) != NULL) {
        struct str line = str_trim(str_of(bytes));

        if (line.len > 0)
            rc = apply_line(line, since, now, restore, &count, out_error);
    }
    if (rc == RC_OK && ferror(file) != 0) {
        buffer_append_format(out_error, "%s cannot be read: %s", path, strerror(errno));
        rc = RC_INVALID;
    }
    fclose(file);
    if (rc == RC_OK)
        *out_count = count;
    return rc;
}
