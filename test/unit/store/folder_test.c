/* The data folder by itself: names that are none, files of others, and who holds the lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder.h"

enum { NOBODY = 65534, NAME_BYTES = 300 };

struct place {
    char dir[64];
    char words[2048];
    struct buffer error;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    snprintf(place->dir, sizeof(place->dir), "/tmp/jeton-folder-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    place->error = buffer_over(place->words, sizeof(place->words));
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", place->dir);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static struct str below(const struct place *place, const char *name, char out_path[static 512])
{
    snprintf(out_path, 512, "%s/%s", place->dir, name);
    return str_of(out_path);
}

/* What was refused is told in one line. */
static void assert_told(struct place *place, const char *words)
{
    struct str told = buffer_str(&place->error);

    if (memmem(told.at, told.len, words, strlen(words)) == NULL)
        fail_msg("%.*s", STR_ARGS(told));
    place->error.len = 0;
}

static void test_names_that_are_none(void **state)
{
    static char longest[FOLDER_PATH_BYTES_MAX + 1];
    struct place *place = *state;
    char path[FOLDER_PATH_BYTES_MAX];

    memset(longest, 'a', sizeof(longest));
    assert_int_equal(folder_path(STR(""), "x", path, &place->error), RC_INVALID);
    assert_told(place, "empty or too long");
    assert_int_equal(folder_path(STR("/tmp\0/x"), "x", path, &place->error), RC_INVALID);
    assert_told(place, "empty or too long");
    for (size_t len = sizeof(longest); len > sizeof(longest) - 4; len--) {
        assert_int_equal(folder_path((struct str){ longest, len }, "x", path, &place->error),
                         RC_INVALID);
        assert_told(place, "empty or too long");
    }
    /* DIR, a slash, a name of one byte, and the NUL. */
    assert_int_equal(
        folder_path((struct str){ longest, FOLDER_PATH_BYTES_MAX - 3 }, "x", path, &place->error),
        RC_OK);
    assert_int_equal(folder_check(STR(""), true, &place->error), RC_INVALID);
    assert_int_equal(folder_file_check(STR(""), "x", true, &place->error), RC_INVALID);
}

static void test_a_folder_is_made_where_one_may_be(void **state)
{
    struct place *place = *state;
    char path[512];
    struct str inner = below(place, "inner", path);
    struct stat status;

    assert_int_equal(folder_check(inner, false, &place->error), RC_INVALID);
    assert_told(place, "cannot open the data folder");
    assert_int_equal(folder_check(inner, true, &place->error), RC_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(folder_check(inner, true, &place->error), RC_OK);
    assert_int_equal(folder_check(inner, false, &place->error), RC_OK);
    assert_int_equal(folder_check(below(place, "no/such", path), true, &place->error), RC_INVALID);
    assert_told(place, "cannot make the data folder");
}

/* LG-05: who may write into the folder may put other files in the place of ours. */
static void test_lg_05_a_folder_that_others_may_write(void **state)
{
    struct place *place = *state;

    assert_int_equal(chmod(place->dir, 0755), 0);
    assert_int_equal(folder_check(str_of(place->dir), false, &place->error), RC_OK);
    assert_int_equal(chmod(place->dir, 0720), 0);
    assert_int_equal(folder_check(str_of(place->dir), false, &place->error), RC_INVALID);
    assert_told(place, "is open to others (mode 0720): chmod 0700 it");
    assert_int_equal(chmod(place->dir, 0702), 0);
    assert_int_equal(folder_check(str_of(place->dir), false, &place->error), RC_INVALID);
}

/* A name that no file system takes is not the same as one that is not there. */
static void test_what_cannot_be_made_is_a_fault(void **state)
{
    char name[NAME_BYTES + 1] = { 0 };
    struct place *place = *state;
    char path[512];

    memset(name, 'n', NAME_BYTES);
    assert_int_equal(folder_check(below(place, name, path), true, &place->error), RC_UNAVAILABLE);
    assert_told(place, "cannot make the data folder");
    assert_int_equal(folder_check(below(place, name, path), false, &place->error), RC_UNAVAILABLE);
    assert_told(place, "cannot open the data folder");
    assert_int_equal(folder_file_check(str_of(place->dir), name, true, &place->error),
                     RC_UNAVAILABLE);
    assert_told(place, "cannot make");
    assert_int_equal(folder_file_check(str_of(place->dir), name, false, &place->error),
                     RC_UNAVAILABLE);
    assert_told(place, "cannot open");
    assert_int_equal(folder_file_check(str_of(place->dir), "none", false, &place->error),
                     RC_NOT_FOUND);
    assert_int_equal(place->error.len, 0);
}

/* When root works on a folder of another user, what it makes is that user's. */
static void test_files_belong_to_the_owner_of_the_folder(void **state)
{
    struct place *place = *state;
    struct stat status;
    char path[512];

    if (geteuid() != 0 || chown(place->dir, NOBODY, NOBODY) != 0)
        skip();
    assert_int_equal(folder_file_check(str_of(place->dir), "made", true, &place->error), RC_OK);
    below(place, "made", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_uid, NOBODY);
    assert_int_equal(status.st_gid, NOBODY);
    assert_int_equal(status.st_mode & 07777, 0600);
}

/* Who holds it says its number; where that cannot be read, the message says less and no more. */
static void test_the_holder_is_named_if_it_can_be(void **state)
{
    static const struct {
        const char *content;
        const char *told;
    } rows[] = {
        { "4711\n", "process 4711 holds /tmp/jeton-folder-" },
        { "", "another process holds /tmp/jeton-folder-" },
        { "what?\n", "another process holds" },
        { "99999999999999999999\n", "another process holds" },
    };
    struct place *place = *state;
    char path[512];
    int fd = -1;
    int holder;

    below(place, "lock", path);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        holder = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(holder >= 0);
        assert_int_equal(write(holder, rows[i].content, strlen(rows[i].content)),
                         strlen(rows[i].content));
        assert_int_equal(flock(holder, LOCK_EX | LOCK_NB), 0);
        assert_int_equal(folder_lock(str_of(place->dir), &fd, &place->error), RC_EXISTS);
        assert_told(place, rows[i].told);
        assert_int_equal(fd, -1);
        close(holder);
    }
    assert_int_equal(folder_lock(str_of(place->dir), &fd, &place->error), RC_OK);
    assert_int_equal(folder_lock(str_of(place->dir), &holder, &place->error), RC_EXISTS);
    close(fd);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(folder_lock(str_of(place->dir), &fd, &place->error), RC_INVALID);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(test_names_that_are_none),
        PLACED(test_a_folder_is_made_where_one_may_be),
        PLACED(test_lg_05_a_folder_that_others_may_write),
        PLACED(test_what_cannot_be_made_is_a_fault),
        PLACED(test_files_belong_to_the_owner_of_the_folder),
        PLACED(test_the_holder_is_named_if_it_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
