/*
 * What is remembered of other servers' documents stays within its bounds, whatever URLs clients
 * name (fault class 41). In place of the helper program stands one that answers at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../memory_use.h"
#include "crypto/digest.h"
#include "fetch/helper.h"
#include "oauth/fetcher.h"

enum {
    DOCUMENT_BYTES = 4096,
    KNOWN_BYTES_MAX = 64 * FETCHER_BYTES_MAX, /* as many documents as are remembered */
    SLACK_BYTES = 1 << 20
};

struct helper {
    char body[DOCUMENT_BYTES];
};

static struct helper the_helper;
static unsigned asked_count;

enum rc helper_open(const struct helper_config *config, struct helper **out_helper,
                    struct buffer *out_error)
{
    (void)config;
    (void)out_error;
    *out_helper = &the_helper;
    return RC_OK;
}

void helper_close(struct helper *helper)
{
    (void)helper;
}

/* Every third one has a document, and of the others every other a server at all. */
void helper_fetch(struct helper *helper, struct str url, const struct str *form,
                  struct helper_answer *out_answer)
{
    static const enum fetch_outcome outcomes[] = { FETCH_DONE, FETCH_AWAY, FETCH_NEVER };

    (void)url;
    (void)form;
    *out_answer = (struct helper_answer){ .outcome = outcomes[asked_count++ % 3] };
    if (out_answer->outcome == FETCH_DONE)
        out_answer->content = (struct str){ helper->body, sizeof(helper->body) };
}

static void fc_41_documents(void **state)
{
    const struct fetcher_config config = { .networks = STR("") };
    char words[256];
    struct buffer error = buffer_over(words, sizeof(words));
    struct fetcher *fetcher;
    struct arena arena;
    unsigned got_count = 0;
    size_t before;

    (void)state;
    assert_int_equal(fetcher_new(&config, &fetcher, &error), RC_OK);
    arena_init(&arena, 1 << 20);
    before = memory_in_use();
    for (int i = 0; i < VALUE_COUNT; i++) {
        char url[64];
        struct str body;

        arena_reset(&arena);
        snprintf(url, sizeof(url), "https://h%d.example/document", i);
        got_count += fetcher_get(fetcher, str_of(url), 3600, 1000 + i, &arena, &body) == RC_OK;
    }
    assert_true(got_count > VALUE_COUNT / 4);
    assert_true(memory_in_use() < before + KNOWN_BYTES_MAX + SLACK_BYTES);
    arena_deinit(&arena);
    fetcher_free(fetcher);
    assert_true(memory_in_use() < before + SLACK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(fc_41_documents) };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
