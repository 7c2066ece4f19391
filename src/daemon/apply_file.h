/*
 * daemon/apply_file.h: the file of `jeton plan` and `jeton apply`, as the command line's own
 * process reads it.
 *
 * YAML with four keys: `name`, the file's own name for what it owns, else its base name;
 * `services`, `clients` and `accounts`, lists of mappings. What stands in those is for
 * daemon/command_apply.c to judge, in the process that has the store; here secrets are read, which
 * a file names and never holds: `secret: { file: PATH }` or `{ env: NAME }`, relative to the file.
 */
#ifndef JETON_DAEMON_APPLY_FILE_H
#define JETON_DAEMON_APPLY_FILE_H

#include "base/buffer.h"
#include "daemon/options.h"
#include "daemon/sink.h"

enum { APPLY_FILE_BYTES_MAX = 4 * 1024 * 1024 };

/* A whole file of at most bytes_max, to be freed; of a command, for messages. An exit status; the
 * line has been written. */
int apply_file_read_whole(const char *command, const char *path, size_t bytes_max, struct sink *err,
                          struct buffer *out_text);

/* For struct command.read_document: JSON of { "source", "file", "services", … }, with lines
 * (daemon/yaml_json.h) and secrets in it. */
int apply_file_read(const struct options *options, struct sink *err, struct buffer *out_document);

/* The same for `user import`: the file as it is. */
int import_file_read(const struct options *options, struct sink *err, struct buffer *out_document);

#endif
