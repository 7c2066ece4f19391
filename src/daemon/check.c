#include "daemon/check.h"

#include "daemon/entrance.h"
#include "daemon/house.h"
#include "fetch/helper.h"

enum { ERROR_BYTES = 512 };

static enum rc check_entrance(const struct settings *settings, const struct outside *outside,
                              struct buffer *out_error)
{
    static struct entrance entrance; /* too large for a stack */
    struct http_config config;
    char bytes[ERROR_BYTES];
    struct buffer words = buffer_over(bytes, sizeof(bytes));
    enum rc rc = entrance_open(settings, outside, &entrance, &config, out_error);

    if (rc != RC_OK)
        return rc;
    rc = http_server_check(&config, &words);
    if (rc != RC_OK) {
        entrance_blame(&entrance, settings, buffer_str(&words), out_error);
        return rc;
    }
    return entrance_check_name(settings, &entrance, out_error);
}

enum rc check_settings(const struct settings *settings, struct buffer *out_error)
{
    const struct house_config config = {
        .data = settings->data,
        .database = settings->database_settings.uri.len > 0 ? &settings->database : NULL,
        .master_key_file = settings->master_key_file,
    };
    struct outside outside;
    enum rc rc = outside_open(&settings->outside, &outside, out_error);

    if (rc == RC_OK)
        rc = check_entrance(settings, &outside, out_error);
    if (rc == RC_OK && settings->mail.smtp_password_file.at != NULL)
        rc = helper_check_login(settings->mail.smtp_password_file.at, out_error);
    outside_close(&outside);
    return rc == RC_OK ? house_check(&config, out_error) : rc;
}
