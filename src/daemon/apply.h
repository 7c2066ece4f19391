/*
 * daemon/apply.h: a configuration file on its way: what its nouns are to be against what they are.
 *
 * A file is looked through once, and only then, and only if nothing was wrong, a second time to
 * apply it. Each noun is all or nothing; what is broken off goes on with the next run. For
 * daemon/command_apply.c, which walks, and daemon/apply.c, which looks at one noun.
 */
#ifndef JETON_DAEMON_APPLY_H
#define JETON_DAEMON_APPLY_H

#include "daemon/apply_noun.h"

struct apply {
    struct command_context *context;
    const struct json_value *root;
    struct str source;
    struct str file;
    struct admin admin;
    bool is_apply;
    bool is_writing; /* the second time through */
    bool is_json;
    bool prunes;
    bool takes_over;
    bool *has_new_secret;             /* by the number of the noun: found the first time */
    int64_t *ids[MANAGED_KIND_COUNT]; /* of what the file names and the store has */
    size_t id_counts[MANAGED_KIND_COUNT];
    size_t number; /* of the noun that is looked at */
    size_t change_count;
    size_t unchanged_count;
    size_t fault_count;
};

/* One noun while it is looked at. */
struct visit {
    struct apply_noun noun;
    struct str owner; /* before; empty: nobody */
    int64_t id;       /* 0: it is to be made */
    bool has_new_secret;
    const struct json_value *section; /* of the file, and its place there */
    size_t index;
    struct buffer changes; /* lines, or members of an array in JSON */
    size_t change_count;
};

/* "accounts", "services", "clients" */
extern const struct str apply_section_names[MANAGED_KIND_COUNT];

/* One line of output. action: "create", "change", "remove" or "left"; visit may be NULL. */
void apply_tell(struct apply *apply, const char *action, enum managed_kind kind, struct str id,
                const struct visit *visit);

/* The last line: how much is as it is to be. */
void apply_tell_end(struct apply *apply);

/* What the store answered to a change. An exit status; the line has been written. */
int apply_answer(struct visit *visit, enum rc rc);

/* Looks at one of a section, and where apply->is_writing makes it so. An exit status; what is wrong
 * in the file is told and counted in apply->fault_count. */
int apply_visit(struct apply *apply, enum managed_kind kind, const struct json_value *section,
                size_t index);

#endif
