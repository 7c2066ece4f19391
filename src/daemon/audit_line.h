/*
 * daemon/audit_line.h: an event of the audit trail as JSON, and back: the members that its
 * checkpoint covers. Other members may stand beside them (names, for people) and are not covered.
 */
#ifndef JETON_DAEMON_AUDIT_LINE_H
#define JETON_DAEMON_AUDIT_LINE_H

#include "codec/json.h"
#include "store/trail.h"

enum { AUDIT_LINE_BYTES = 128 * 1024, AUDIT_ADDRESS_BYTES = 46 };

/* "192.0.2.1", "2001:db8::1"; empty for zeros. */
struct str audit_address_text(struct str address, char out_text[static AUDIT_ADDRESS_BYTES]);

/* Appends the members: id, at, event, kind, account_id, client_id, token_id, address, detail; those
 * that are 0 or empty are left out. */
void audit_line_members(const struct trail_event *event, struct json_out *json);

/* Appends a checkpoint as an object with the one member "checkpoint". */
void audit_line_checkpoint(const struct checkpoint *checkpoint, struct buffer *to);

/* Reads what those wrote. address: 16 bytes, which the event refers to. RC_INVALID */
enum rc audit_line_read_event(const struct json_value *line, unsigned char address[static 16],
                              struct trail_event *out_event) MUST_CHECK;
enum rc audit_line_read_checkpoint(const struct json_value *object,
                                   struct checkpoint *out_checkpoint) MUST_CHECK;

/* Hexadecimal, exactly len bytes. */
bool audit_hex_read(struct str text, unsigned char *out_bytes, size_t len);
void audit_hex_append(const unsigned char *bytes, size_t len, struct buffer *to);

#endif
