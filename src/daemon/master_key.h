/*
 * daemon/master_key.h: the key that everything sealed at rest is sealed under.
 *
 * 32 bytes from, in this order: the file that --master-key-file names; the systemd credential
 * "jeton-master-key"; "master.key" in the data folder, which is made (0600) for a new store. A file
 * that was named is never made: all servers on one database need the same key, and one that came
 * into being on a disk that goes with its server would take the store along. In memory the key has
 * a page of its own, locked and kept out of core dumps (LG-04).
 */
#ifndef JETON_DAEMON_MASTER_KEY_H
#define JETON_DAEMON_MASTER_KEY_H

#include "base/buffer.h"
#include "base/rc.h"
#include "crypto/seal.h"

enum { MASTER_KEY_BYTES = SEAL_KEY_BYTES };

struct master_key {
    unsigned char *bytes; /* MASTER_KEY_BYTES; NULL: closed */
};

/*
 * Reads or makes the key.
 *
 * data         NULL: there is no data folder, and so no place to make one
 * file         NULL: no file was named
 * may_make     the store is new, so no key can be missing
 * out_was_made true: "master.key" was made just now
 * out_error    on RC_INVALID: one line for the operator
 *
 * Answers: RC_OK · RC_INVALID missing, of another size, or open to others (LG-05)
 */
enum rc master_key_open(const char *data, const char *file, bool may_make,
                        struct master_key *out_key, bool *out_was_made,
                        struct buffer *out_error) MUST_CHECK;

/*
 * Writes a key that came with a backup: to `file`, or as "master.key" of the data folder.
 *
 * Answers: RC_OK · RC_INVALID there is a file of that name already, or it cannot be written
 */
enum rc master_key_keep(const char *data, const char *file,
                        const unsigned char bytes[static MASTER_KEY_BYTES],
                        struct buffer *out_error) MUST_CHECK;

/* Removes the "master.key" that was made just now, and that sealed nothing. */
void master_key_remove(const char *data);

/* Wipes. */
void master_key_close(struct master_key *key);

#endif
