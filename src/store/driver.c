#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "store/room.h"

/* Where our own program is; the module is near it, or in the build. */
static bool find_module(char out_path[static PATH_MAX])
{
    static const char *const places[] = { "/jeton-postgres.so", "/../lib/jeton/jeton-postgres.so",
                                          "/../store/jeton-postgres.so",
                                          "/../src/store/jeton-postgres.so" };
    char own[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    size_t index;

    while (len > 0 && own[len - 1] != '/')
        len--;
    for (index = 0; len > 0 && index < sizeof(places) / sizeof(places[0]); index++) {
        int written = snprintf(out_path, PATH_MAX, "%.*s%s", (int)len - 1, own, places[index]);

        if (written < PATH_MAX && access(out_path, R_OK) == 0)
            return true;
    }
    return false;
}

/* Loaded once, and kept to the end. */
static enum rc load_postgres(const struct driver **out_driver, struct buffer *out_error)
{
    char path[PATH_MAX];
    void *module;
    const struct driver *driver;

    if (!find_module(path)) {
        buffer_append_str(out_error, STR("the module jeton-postgres.so, which speaks to "
                                         "PostgreSQL, is not where jeton is"));
        return RC_INVALID;
    }
    module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    driver = module == NULL ? NULL : dlsym(module, DRIVER_POSTGRES_SYMBOL);
    if (driver == NULL) {
        buffer_append_format(out_error, "cannot load the module for PostgreSQL: %s", dlerror());
        return RC_INVALID;
    }
    *out_driver = driver;
    return RC_OK;
}

enum rc driver_choose(const struct store_config *config, const struct driver **out_driver,
                      struct buffer *out_error)
{
    if (config->database.len > 0)
        return load_postgres(out_driver, out_error);
    *out_driver = &driver_sqlite;
    return RC_OK;
}
