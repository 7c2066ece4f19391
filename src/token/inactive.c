#include "token/inactive.h"

const char *token_inactive_words(enum token_inactive why)
{
    switch (why) {
    case TOKEN_EXPIRED:
        return "the token has expired";
    case TOKEN_REVOKED:
        return "the token or its grant was revoked";
    case TOKEN_SESSION_MISSING:
        return "the token is tied to a session and came without it; for a SOAP client that never "
               "sends the SESSION cookie, set spectrum-soap-binding to none";
    case TOKEN_SESSION_WRONG:
        return "the token came with another session than its own";
    case TOKEN_SESSION_IDLE:
        return "the token's session was unused for longer than spectrum-session-idle";
    case TOKEN_ADDRESS_WRONG:
        return "the token came from another address than its session's; see "
               "spectrum-address-binding, and trusted-proxy when a proxy stands before this server";
    case TOKEN_UNKNOWN:
        break;
    }
    return "no token of this server, or one that is gone for long";
}
