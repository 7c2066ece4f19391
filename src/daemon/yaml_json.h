/*
 * daemon/yaml_json.h: a YAML file as JSON, with the lines where things stand.
 *
 * For files that hold lists of things of many kinds (daemon/apply_file.h): what a member may be is
 * for the reader of the JSON to say. The parser underneath is libyaml, on which libcyaml stands,
 * too; it is used bare here because it knows the line of every key.
 *
 * Taken is plain YAML 1.2: mappings, sequences, texts. Refused, with the line: anchors, aliases,
 * tags, a second document, a key that stands twice or is no text. Without quotes, true, false,
 * null, ~ and whole numbers are what they look like, as in the core schema; everything else is a
 * text, so that no country becomes a Boolean.
 *
 * Each mapping in one of the two outer levels, the file's own and those in its lists, gets one
 * member more, YAML_LINES: an array of the lines of the mapping and of each of its keys, in order.
 */
#ifndef JETON_DAEMON_YAML_JSON_H
#define JETON_DAEMON_YAML_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rc.h"

#define YAML_LINES "@"

/*
 * Converts.
 *
 * out_json    appended to; its overflow flag is the caller's to look at
 * out_error   on RC_INVALID: "line 7: what is wrong"
 *
 * Source: YAML 1.2.2 10.3 (core schema)
 */
enum rc yaml_to_json(struct str text, struct arena *arena, struct buffer *out_json,
                     struct buffer *out_error) MUST_CHECK;

#endif
