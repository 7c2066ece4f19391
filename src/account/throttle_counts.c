#include "account/throttle_room.h"

/* The key of an address for what is counted: a word that no other counter has. */
static void key_of_address(const struct throttle_book *book, struct str counted,
                           const unsigned char address[static 16],
                           unsigned char out_key[static DIGEST_BYTES])
{
    unsigned char folded[16];

    throttle_fold_address(address, folded);
    hmac_sha256(book->key, counted, (struct str){ (char *)folded, sizeof folded }, out_key);
}

/* ---- mails ---- */

void throttle_count_mail(struct throttle_book *book, struct str whom,
                         const unsigned char address[static 16], int64_t now,
                         struct store_unit *unit)
{
    unsigned char key[DIGEST_BYTES];

    key_of_address(book, STR("throttle mail address:"), address, key);
    store_count_mail(unit, key, THROTTLE_MAIL_ADDRESS_COUNT_MAX, THROTTLE_MAIL_S, now,
                     RC_TOO_LARGE);
    hmac_sha256(book->key, STR("throttle mail:"), whom, key);
    store_count_mail(unit, key, THROTTLE_MAIL_COUNT_MAX, THROTTLE_MAIL_S, now, RC_SPENT);
}

/* ---- user codes ---- */

void throttle_count_guess(struct throttle_book *book, struct str whose,
                          const unsigned char address[static 16], int64_t now,
                          struct store_unit *unit)
{
    unsigned char key[DIGEST_BYTES];

    hmac_sha256(book->key, STR("throttle guess:"), whose, key);
    store_count_mail(unit, key, THROTTLE_GUESS_COUNT_MAX, THROTTLE_GUESS_S, now, RC_TOO_LARGE);
    key_of_address(book, STR("throttle guess address:"), address, key);
    store_count_mail(unit, key, THROTTLE_GUESS_ADDRESS_COUNT_MAX, THROTTLE_GUESS_S, now,
                     RC_TOO_LARGE);
    hmac_sha256(book->key, STR("throttle guess overall"), STR(""), key);
    store_count_mail(unit, key, THROTTLE_GUESS_OVERALL_COUNT_MAX, THROTTLE_GUESS_S, now,
                     RC_TOO_LARGE);
}

/* ---- registrations of clients ---- */

void throttle_count_registration(struct throttle_book *book, const unsigned char address[static 16],
                                 int64_t now, struct store_unit *unit)
{
    unsigned char key[DIGEST_BYTES];

    key_of_address(book, STR("throttle registration:"), address, key);
    store_count_mail(unit, key, THROTTLE_REGISTRATION_COUNT_MAX, THROTTLE_REGISTRATION_S, now,
                     RC_TOO_LARGE);
}

/* ---- requests of public clients ---- */

void throttle_count_request(struct throttle_book *book, const unsigned char address[static 16],
                            int64_t now, struct store_unit *unit)
{
    unsigned char key[DIGEST_BYTES];

    key_of_address(book, STR("throttle request:"), address, key);
    store_count_in_window(unit, key, THROTTLE_REQUEST_COUNT_MAX, THROTTLE_REQUEST_S, now);
}
