/*
 * daemon/audit_file.h: `jeton audit verify --file`: an exported trail against the public key alone,
 * without a store.
 */
#ifndef JETON_DAEMON_AUDIT_FILE_H
#define JETON_DAEMON_AUDIT_FILE_H

#include "daemon/options.h"
#include "daemon/sink.h"
#include "store/trail.h"

/* Of `jeton audit verify`, with a file or a store. */
extern const struct option_spec audit_verify_options[];

/* What those say: each is optional. */
struct audit_verify_wish {
    bool has_checkpoint;
    int64_t number;
    unsigned char digest[DIGEST_BYTES];
    bool has_key;
    unsigned char public_key[TRAIL_KEY_BYTES];
};

/* RC_INVALID with the reason. */
enum rc audit_verify_read(const struct options *options, struct audit_verify_wish *out_wish,
                          struct buffer *out_error) MUST_CHECK;

/* Whether argv, behind the program's name, asks for a file. */
bool audit_file_is_asked(int argc, char *const *argv);

/* An exit status. argv is what follows "audit verify". */
int audit_file_run(int argc, char *const *argv, struct sink *out, struct sink *err);

#endif
