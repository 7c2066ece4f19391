#include "mail/address.h"

#include "base/limits.h"

enum { LOCAL_BYTES_MAX = 64, LABEL_BYTES_MAX = 63 }; /* RFC 5321 4.5.3.1.1; RFC 1035 2.3.4 */

static bool is_letter_or_digit(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

/* RFC 5322 3.2.3 */
static bool is_atext(char byte)
{
    return is_letter_or_digit(byte) ||
           (byte != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", byte) != NULL);
}

static bool is_atom(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_atext(text.at[i]))
            return false;
    }
    return text.len > 0;
}

static bool is_label(struct str text)
{
    if (text.len == 0 || text.len > LABEL_BYTES_MAX || text.at[0] == '-' ||
        text.at[text.len - 1] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_letter_or_digit(text.at[i]) && text.at[i] != '-')
            return false;
    }
    return true;
}

/* Whether every part between dots is one. */
static bool are_parts(struct str text, bool (*is_part)(struct str))
{
    for (;;) {
        size_t len = str_index_of(text, '.');

        if (!is_part((struct str){ text.at, len }))
            return false;
        if (len == text.len)
            return true;
        text = str_from(text, len + 1);
    }
}

enum rc mail_address_check(struct str address)
{
    size_t local_len = str_index_of(address, '@');

    if (address.len > ACCOUNT_EMAIL_BYTES_MAX || local_len > LOCAL_BYTES_MAX ||
        local_len == address.len)
        return RC_INVALID;
    return are_parts((struct str){ address.at, local_len }, is_atom) &&
                   are_parts(str_from(address, local_len + 1), is_label)
               ? RC_OK
               : RC_INVALID;
}

enum rc mail_sender_parse(struct str text, struct mail_sender *out_sender)
{
    size_t name_len = str_index_of(text, '<');
    struct mail_sender sender = { .address = text };

    if (name_len < text.len) {
        if (!str_ends_with(text, STR(">")))
            return RC_INVALID;
        sender.name = str_trim((struct str){ text.at, name_len });
        sender.address = str_from((struct str){ text.at, text.len - 1 }, name_len + 1);
    }
    if (sender.name.len > MAIL_NAME_BYTES_MAX || str_has_control(sender.name) ||
        !str_is_utf8(sender.name) || mail_address_check(sender.address) != RC_OK)
        return RC_INVALID;
    *out_sender = sender;
    return RC_OK;
}
