#include "daemon/store_place.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum rc store_place_folder(const char *path, struct store_place *out_place,
                           struct buffer *out_error)
{
    char here[PATH_MAX] = "";
    int len;

    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        here[0] = '\0';
    len = snprintf(out_place->words, sizeof(out_place->words), "%s%s%s", here,
                   here[0] == '\0' ? "" : "/", path);
    if (path[0] == '\0' || len < 0 || (size_t)len >= sizeof(out_place->words)) {
        buffer_append_str(out_error, STR("the name of a data folder is empty or too long"));
        return RC_INVALID;
    }
    out_place->folder = path;
    out_place->place = (struct move_place){ .config = { .data_dir = str_of(path) },
                                            .words = str_of(out_place->words) };
    return RC_OK;
}

enum rc store_place_database(const char *uri, const char *password_file,
                             struct store_place *out_place, struct buffer *out_error)
{
    enum rc rc = database_open(uri, password_file, &out_place->database, out_error);

    if (rc != RC_OK)
        return rc;
    snprintf(out_place->words, sizeof(out_place->words), "postgresql://%s",
             out_place->database.place);
    out_place->place =
        (struct move_place){ .config = { .database = str_of(out_place->database.uri) },
                             .words = str_of(out_place->words) };
    return RC_OK;
}

bool store_place_has_key(const struct store_place *place)
{
    char path[PATH_MAX];

    return place->folder != NULL &&
           (size_t)snprintf(path, sizeof(path), "%s/master.key", place->folder) < sizeof(path) &&
           access(path, F_OK) == 0;
}
