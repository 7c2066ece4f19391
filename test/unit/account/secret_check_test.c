/* Secrets of clients and services: both stored forms, and what is remembered (CA-05, CA-13). */
#include "fixture.h"

#include "account/secret_check.h"

struct checker_fixture {
    struct hmac_key *memory_key;
    struct hmac_key *stored_key;
    struct secret_checker checker;
};

static int setup(void **state)
{
    static const unsigned char one[32] = { 1 };
    static const unsigned char two[32] = { 2 };
    struct checker_fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    crypto_init();
    fixture->memory_key = hmac_key_new(one);
    fixture->stored_key = hmac_key_new(two);
    fixture->checker = (struct secret_checker){ fixture->memory_key, fixture->stored_key, CHEAP };
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct checker_fixture *fixture = *state;

    hmac_key_free(fixture->memory_key);
    hmac_key_free(fixture->stored_key);
    free(fixture);
    return 0;
}

static void test_made_secret(void **state)
{
    struct checker_fixture *fixture = *state;
    struct secret right = secret_of("BtVRkW3vbw0EqfKXn6oWgLOlm0PpXx1nHhO1S4bJ2q8");
    struct secret wrong = secret_of("BtVRkW3vbw0EqfKXn6oWgLOlm0PpXx1nHhO1S4bJ2q9");
    struct secret_memory memory = { 0 };
    char stored[PASSWORD_HASH_BYTES_MAX];

    secret_store_made(&fixture->checker, &right, stored);
    assert_int_equal(strlen(stored), 5 + 64);
    assert_memory_equal(stored, "hmac:", 5);
    assert_null(strstr(stored, "BtVRkW3v")); /* CA-13 */
    /* A right one never leaves the loop; a wrong one is never told there. */
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), &memory, false),
                     RC_OK);
    assert_int_equal(memory.state, 2);
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), &memory, false),
                     RC_OK);
    assert_int_equal(secret_check(&fixture->checker, &wrong, str_of(stored), &memory, false),
                     RC_WOULD_BLOCK);
    assert_int_equal(secret_check(&fixture->checker, &wrong, str_of(stored), &memory, true),
                     RC_REFUSED);
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), NULL, true), RC_OK);
}

static void test_chosen_secret_is_remembered(void **state)
{
    struct checker_fixture *fixture = *state;
    struct secret right = secret_of("a secret that somebody chose");
    struct secret wrong = secret_of("a secret that somebody chosf");
    struct secret_memory memory = { 0 };
    char stored[PASSWORD_HASH_BYTES_MAX];

    assert_int_equal(password_hash(&right, CHEAP, stored), RC_OK);
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), &memory, false),
                     RC_WOULD_BLOCK);
    assert_int_equal(secret_check(&fixture->checker, &wrong, str_of(stored), &memory, true),
                     RC_REFUSED);
    assert_int_equal(memory.state, 0);
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), &memory, true), RC_OK);
    assert_int_equal(memory.state, 2);
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), &memory, false),
                     RC_OK);
    assert_int_equal(secret_check(&fixture->checker, &wrong, str_of(stored), &memory, false),
                     RC_WOULD_BLOCK);
    assert_int_equal(secret_check(&fixture->checker, &wrong, str_of(stored), &memory, true),
                     RC_REFUSED);
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), NULL, true), RC_OK);
}

/* What is remembered is of no use under another process's key, nor for an entry without a hash. */
static void test_memory_is_keyed(void **state)
{
    struct checker_fixture *fixture = *state;
    struct secret right = secret_of("BtVRkW3vbw0EqfKXn6oWgLOlm0PpXx1nHhO1S4bJ2q8");
    struct secret_checker other = fixture->checker;
    struct secret_memory memory = { 0 };
    char stored[PASSWORD_HASH_BYTES_MAX];

    secret_store_made(&fixture->checker, &right, stored);
    assert_int_equal(secret_check(&fixture->checker, &right, str_of(stored), &memory, false),
                     RC_OK);
    other.memory_key = fixture->stored_key;
    stored[5] ^= 1; /* only the memory would let it in */
    assert_int_equal(secret_check(&other, &right, str_of(stored), &memory, false), RC_WOULD_BLOCK);
    assert_int_equal(secret_check(&fixture->checker, &right, STR(""), &memory, false),
                     RC_WOULD_BLOCK);
}

/* CA-05: an unknown client fails as a wrong secret does, at the same place. */
static void test_unknown_client(void **state)
{
    struct checker_fixture *fixture = *state;
    struct secret some = secret_of("whatever");
    struct secret none = { 0 };

    assert_int_equal(secret_check(&fixture->checker, &some, STR(""), NULL, false), RC_WOULD_BLOCK);
    assert_int_equal(secret_check(&fixture->checker, &some, STR(""), NULL, true), RC_REFUSED);
    assert_int_equal(secret_check(&fixture->checker, &none, STR(""), NULL, true), RC_REFUSED);
    assert_int_equal(secret_check(&fixture->checker, &some, STR("plain"), NULL, true), RC_REFUSED);
    assert_int_equal(secret_check(&fixture->checker, &some, STR("$unknown$"), NULL, true),
                     RC_REFUSED);
}

/* The keyed hash is of no use under another installation's key, and empty is no secret's hash. */
static void test_made_form_is_keyed(void **state)
{
    struct checker_fixture *fixture = *state;
    struct secret right = secret_of("BtVRkW3vbw0EqfKXn6oWgLOlm0PpXx1nHhO1S4bJ2q8");
    struct secret_checker other = fixture->checker;
    char stored[PASSWORD_HASH_BYTES_MAX];

    secret_store_made(&fixture->checker, &right, stored);
    other.stored_key = fixture->memory_key;
    assert_int_equal(secret_check(&other, &right, str_of(stored), NULL, true), RC_REFUSED);
    assert_int_equal(secret_check(&fixture->checker, &right,
                                  (struct str){ stored, strlen(stored) - 1 }, NULL, true),
                     RC_REFUSED);
}

/* The secret before is as good as the one in force; what is wrong waits for one hash (CA-05). */
static void test_either_of_two(void **state)
{
    struct checker_fixture *fixture = *state;
    struct secret chosen = secret_of("a secret that somebody chose");
    struct secret made = secret_of("BtVRkW3vbw0EqfKXn6oWgLOlm0PpXx1nHhO1S4bJ2q8");
    struct secret wrong = secret_of("neither of them");
    struct secret_memory memories[2] = { { 0 } };
    char stored[2][PASSWORD_HASH_BYTES_MAX];
    struct secret_form forms[2];

    assert_int_equal(password_hash(&chosen, CHEAP, stored[0]), RC_OK);
    secret_store_made(&fixture->checker, &made, stored[1]);
    for (int i = 0; i < 2; i++)
        forms[i] = (struct secret_form){ str_of(stored[i]), &memories[i] };
    for (int i = 0; i < 2; i++) {
        const struct secret_form *current = &forms[i];
        const struct secret_form *previous = &forms[1 - i];

        memset(memories, 0, sizeof(memories));
        assert_int_equal(secret_check_either(&fixture->checker, &made, current, previous, false),
                         RC_OK);
        assert_int_equal(secret_check_either(&fixture->checker, &chosen, current, previous, false),
                         RC_WOULD_BLOCK);
        assert_int_equal(secret_check_either(&fixture->checker, &chosen, current, previous, true),
                         RC_OK);
        assert_int_equal(secret_check_either(&fixture->checker, &chosen, current, previous, false),
                         RC_OK);
        assert_int_equal(secret_check_either(&fixture->checker, &wrong, current, previous, false),
                         RC_WOULD_BLOCK);
        assert_int_equal(secret_check_either(&fixture->checker, &wrong, current, previous, true),
                         RC_REFUSED);
    }
    assert_true(secret_may_overlap(str_of(stored[0]), str_of(stored[1])));
    assert_true(secret_may_overlap(str_of(stored[0]), STR("")));
    assert_false(secret_may_overlap(str_of(stored[0]), str_of(stored[0])));
    /* No more than one hash, even where the store says otherwise. */
    memset(memories, 0, sizeof(memories));
    assert_int_equal(password_hash(&made, CHEAP, stored[1]), RC_OK);
    forms[1].stored_hash = str_of(stored[1]);
    assert_int_equal(secret_check_either(&fixture->checker, &chosen, &forms[0], &forms[1], true),
                     RC_OK);
    assert_int_equal(secret_check_either(&fixture->checker, &made, &forms[0], &forms[1], true),
                     RC_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chosen_secret_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_keyed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_made_form_is_keyed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_either_of_two, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
