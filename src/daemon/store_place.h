/*
 * daemon/store_place.h: a store as a command line names it that opens no house: a data folder, or a
 * database.
 */
#ifndef JETON_DAEMON_STORE_PLACE_H
#define JETON_DAEMON_STORE_PLACE_H

#include "daemon/database.h"
#include "store/move.h"

struct store_place {
    const char *folder; /* NULL: a database */
    struct database database;
    char words[MOVE_PLACE_BYTES_MAX + 1];
    struct move_place place;
};

/* A folder has the same words from wherever the command is started. RC_INVALID and a line. */
enum rc store_place_folder(const char *path, struct store_place *out_place,
                           struct buffer *out_error) MUST_CHECK;

/* As database_open. */
enum rc store_place_database(const char *uri, const char *password_file,
                             struct store_place *out_place, struct buffer *out_error) MUST_CHECK;

/* Whether a file "master.key" stands in the folder. */
bool store_place_has_key(const struct store_place *place);

/* Wipes. */
static inline void store_place_close(struct store_place *place)
{
    database_close(&place->database);
}

#endif
