/*
 * vector_file.h: reads a file of test/vectors for a unit test.
 */
#ifndef JETON_TEST_VECTOR_FILE_H
#define JETON_TEST_VECTOR_FILE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/rc.h"
#include "base/str.h"

/*
 * The whole file, on the heap for the caller to free. The name stands below test/vectors, as in
 * "rfc/base64url.json"; Meson tells where the sources are. Aborts when it cannot be read.
 */
static inline struct str vector_file_read(const char *name)
{
    const char *root = getenv("JETON_SOURCE_ROOT");
    char path[4096];
    FILE *file;
    char *bytes;
    long len;

    ASSERT(root != NULL);
    ASSERT((size_t)snprintf(path, sizeof(path), "%s/test/vectors/%s", root, name) < sizeof(path));
    file = fopen(path, "rb");
    ASSERT(file != NULL);
    ASSERT(fseek(file, 0, SEEK_END) == 0);
    len = ftell(file);
    ASSERT(len > 0);
    rewind(file);
    bytes = malloc((size_t)len);
    ASSERT(bytes != NULL && fread(bytes, 1, (size_t)len, file) == (size_t)len);
    fclose(file);
    return (struct str){ bytes, (size_t)len };
}

#endif
