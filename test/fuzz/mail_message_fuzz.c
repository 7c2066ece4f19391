/*
 * Whatever is put into a message, it has nine headers, a body, lines of 7-bit ASCII that are not
 * too long, and no line that begins with a dot.
 */
#include "fuzz.h"
#include "mail/message.h"

static char memory[MAIL_MESSAGE_BYTES_MAX];

/* The text up to a byte, which goes too. */
static struct str take_until(struct str *rest, char byte)
{
    size_t len = str_index_of(*rest, byte);
    struct str part = { rest->at, len };

    *rest = str_from(*rest, len < rest->len ? len + 1 : len);
    return part;
}

static void check_line(struct str line, bool is_head, size_t *head_count)
{
    ASSERT(line.len <= 78);
    for (size_t i = 0; i < line.len; i++)
        ASSERT((line.at[i] >= ' ' && line.at[i] <= '~') || line.at[i] == '\t');
    if (is_head)
        *head_count += line.at[0] != ' ';
    else
        ASSERT(line.len == 0 || line.at[0] != '.');
}

static void check_message(struct str text)
{
    size_t head_count = 0;
    bool is_head = true;

    ASSERT(str_ends_with(text, STR("\r\n")));
    while (text.len > 0) {
        struct str line = take_until(&text, '\n');

        ASSERT(line.len > 0 && line.at[line.len - 1] == '\r');
        line.len--;
        if (is_head && line.len == 0)
            is_head = false;
        else
            check_line(line, is_head, &head_count);
    }
    ASSERT(head_count == 9 && !is_head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = fuzz_input(data, size);
    struct mail_message message = { .at = 1751367157, .id = STR("id"), .host = STR("[::1]") };
    struct buffer text = buffer_over(memory, sizeof(memory));

    if (mail_sender_parse(take_until(&rest, '\n'), &message.sender) != RC_OK ||
        message.sender.address.len > 60)
        message.sender.address = STR("noreply@example.org");
    message.recipient = take_until(&rest, '\n');
    if (message.recipient.len > 60)
        message.recipient.len = 60;
    message.subject = take_until(&rest, '\n');
    message.text = rest;
    if (mail_message_format(&message, &text) == RC_OK) {
        ASSERT(mail_address_check(message.recipient) == RC_OK);
        check_message(buffer_str(&text));
    } else {
        ASSERT(text.len == 0);
    }
    return 0;
}
