#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "../store/fixture.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "mail/outbox.h"

static const unsigned char key[SEAL_KEY_BYTES] = { 1, 2, 3 };
static const unsigned char other_key[SEAL_KEY_BYTES] = { 3, 2, 1 };

static struct mail_draft draft;

static struct outbox outbox_of(struct fixture *fixture)
{
    return (struct outbox){ .store = fixture->store, .master_key = key };
}

static enum rc queue(struct fixture *fixture, const struct mail_draft *what)
{
    const struct outbox outbox = outbox_of(fixture);
    struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = outbox_insert(&outbox, what, fixture->now, &fixture->arena, &unit);
    return rc == RC_OK ? store_commit(fixture->store, &unit) : rc;
}

static struct mail find_due(struct fixture *fixture)
{
    struct mail mail;

    assert_int_equal(store_find_due_mail(fixture->store, fixture->now, &fixture->arena, &mail),
                     RC_OK);
    return mail;
}

static void test_what_was_queued_comes_back(void **state)
{
    static char memory[OUTBOX_CONTENT_BYTES_MAX];
    struct fixture *fixture = *state;
    const struct outbox outbox = outbox_of(fixture);
    struct mail_content content;
    struct mail_content again;
    struct mail mail;

    assert_int_equal(queue(fixture, &draft), RC_OK);
    mail = find_due(fixture);
    assert_int_equal(mail.at, fixture->now);
    assert_int_equal(mail.until, fixture->now + OUTBOX_LIFETIME_S);
    assert_int_equal(outbox_open(&outbox, &mail, memory, &content), RC_OK);
    assert_true(str_equal(content.recipient, draft.recipient));
    assert_true(str_equal(content.subject, draft.subject));
    assert_true(str_equal(content.text, draft.text));
    /* The Message-ID is the same at every attempt, and another for another mail. */
    assert_int_equal(outbox_open(&outbox, &mail, memory, &again), RC_OK);
    assert_memory_equal(content.id, again.id, OUTBOX_ID_BYTES);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_mail, mail.id), RC_OK);
    assert_int_equal(queue(fixture, &draft), RC_OK);
    mail = find_due(fixture);
    assert_int_equal(outbox_open(&outbox, &mail, memory, &again), RC_OK);
    assert_memory_not_equal(content.id, again.id, OUTBOX_ID_BYTES);
}

static bool file_has(const struct fixture *fixture, const char *name, struct str text)
{
    char path[192];
    FILE *file;
    char *bytes;
    size_t len;
    bool has;

    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    file = fopen(path, "r");
    assert_non_null(file);
    bytes = malloc(16 << 20);
    len = fread(bytes, 1, 16 << 20, file);
    fclose(file);
    has = memmem(bytes, len, text.at, text.len) != NULL;
    free(bytes);
    return has;
}

/* LG-01: neither link nor address is in the files. */
static void test_files_do_not_show_it(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(queue(fixture, &draft), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_insert_sealed_value, STR("a-name-in-clear"), STR("x")), RC_OK);
    assert_true(file_has(fixture, "jeton.db-wal", STR("a-name-in-clear")));
    assert_false(file_has(fixture, "jeton.db-wal", STR("very-secret-link")));
    assert_false(file_has(fixture, "jeton.db-wal", draft.recipient));
    assert_false(file_has(fixture, "jeton.db-wal", draft.subject));
}

static void test_others_cannot_open_it(void **state)
{
    static char memory[OUTBOX_CONTENT_BYTES_MAX];
    struct fixture *fixture = *state;
    struct outbox outbox = outbox_of(fixture);
    struct mail_content content;
    struct mail mail;

    assert_int_equal(queue(fixture, &draft), RC_OK);
    mail = find_due(fixture);
    mail.id++; /* what was sealed for one row is nothing in another */
    assert_int_equal(outbox_open(&outbox, &mail, memory, &content), RC_INVALID);
    mail.id--;
    outbox.master_key = other_key;
    assert_int_equal(outbox_open(&outbox, &mail, memory, &content), RC_INVALID);
    outbox.master_key = key;
    mail.sealed.len--;
    assert_int_equal(outbox_open(&outbox, &mail, memory, &content), RC_INVALID);
    mail.sealed.len = 0;
    assert_int_equal(outbox_open(&outbox, &mail, memory, &content), RC_INVALID);
}

static void test_what_cannot_be_sent_is_not_queued(void **state)
{
    struct fixture *fixture = *state;
    struct mail_draft bad = draft;
    size_t count = 1;

    bad.recipient = STR("ada@example.org\r\nBcc: bob@example.org");
    assert_int_equal(queue(fixture, &bad), RC_INVALID);
    bad = draft;
    bad.subject = STR("x\nBcc: bob@example.org");
    assert_int_equal(queue(fixture, &bad), RC_INVALID);
    bad = draft;
    bad.text = STR("");
    assert_int_equal(queue(fixture, &bad), RC_INVALID);
    assert_int_equal(store_count_mails(fixture->store, &count), RC_OK);
    assert_int_equal(count, 0);
}

static void test_the_largest_is_queued(void **state)
{
    static char text[MAIL_TEXT_BYTES_MAX];
    static char memory[OUTBOX_CONTENT_BYTES_MAX];
    struct fixture *fixture = *state;
    const struct outbox outbox = outbox_of(fixture);
    struct mail_draft large = draft;
    struct mail_content content;
    struct mail mail;

    memset(text, 'x', sizeof(text));
    large.text = (struct str){ text, sizeof(text) };
    large.subject = (struct str){ text, MAIL_SUBJECT_BYTES_MAX };
    large.until = fixture->now + 60;
    assert_int_equal(queue(fixture, &large), RC_OK);
    mail = find_due(fixture);
    assert_int_equal(mail.until, fixture->now + 60);
    assert_int_equal(outbox_open(&outbox, &mail, memory, &content), RC_OK);
    assert_true(str_equal(content.text, large.text));
}

/* In one transaction with what it tells of: both or neither. */
static void test_it_goes_with_its_unit(void **state)
{
    struct fixture *fixture = *state;
    const struct outbox outbox = outbox_of(fixture);
    struct store_unit unit;
    size_t count = 1;

    store_unit_init(&unit);
    assert_int_equal(outbox_insert(&outbox, &draft, fixture->now, &fixture->arena, &unit), RC_OK);
    store_disable_account(&unit, 4711);
    assert_int_equal(store_commit(fixture->store, &unit), RC_NOT_FOUND);
    assert_int_equal(store_count_mails(fixture->store, &count), RC_OK);
    assert_int_equal(count, 0);
}

static void test_backoff_grows_to_a_day(void **state)
{
    const int64_t most_s = OUTBOX_BACKOFF_S_MAX * 4 / 5;
    int64_t middle_s = OUTBOX_BACKOFF_S;

    (void)state;
    for (int64_t attempt = 1; attempt < 100; attempt++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;

        for (int i = 0; i < 200; i++) {
            int64_t wait_s = outbox_next_at(1000, attempt) - 1000;

            least = wait_s < least ? wait_s : least;
            most = wait_s > most ? wait_s : most;
        }
        assert_true(least >= middle_s * 3 / 4 && most <= middle_s * 5 / 4);
        assert_true(most <= OUTBOX_BACKOFF_S_MAX);
        assert_true(most > least);
        middle_s = middle_s * 2 < most_s ? middle_s * 2 : most_s;
    }
}

static int setup_group(void **state)
{
    (void)state;
    crypto_init();
    draft = (struct mail_draft){
        .recipient = STR("ada@example.org"),
        .subject = STR("Reset your password"),
        .text = STR("https://tokens.example.org/reset?token=very-secret-link\n"),
    };
    return 0;
}

int main(void)
{
#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_STORE(test_what_was_queued_comes_back),
        ON_STORE(test_files_do_not_show_it),
        ON_STORE(test_others_cannot_open_it),
        ON_STORE(test_what_cannot_be_sent_is_not_queued),
        ON_STORE(test_the_largest_is_queued),
        ON_STORE(test_it_goes_with_its_unit),
        cmocka_unit_test(test_backoff_grows_to_a_day),
    };

    return cmocka_run_group_tests(tests, setup_group, NULL);
}
