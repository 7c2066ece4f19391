#include "oauth/pkce.h"

#include "codec/base64url.h"
#include "crypto/digest.h"

/* RFC 7636 4.1: 43 to 128 of RFC 3986's unreserved characters. */
static bool is_sound(struct str verifier)
{
    if (verifier.len < PKCE_VERIFIER_BYTES_MIN || verifier.len > PKCE_VERIFIER_BYTES_MAX)
        return false;
    for (size_t i = 0; i < verifier.len; i++) {
        char c = verifier.at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '.' || c == '_' || c == '~'))
            return false;
    }
    return true;
}

bool pkce_verify(const struct secret *verifier, struct str challenge)
{
    unsigned char digest[SHA256_BYTES];
    char text[PKCE_CHALLENGE_BYTES];
    struct buffer encoded = buffer_over(text, sizeof(text));

    if (!is_sound(secret_expose(verifier)) || challenge.len != PKCE_CHALLENGE_BYTES)
        return false;
    digest_sha256(secret_expose(verifier), digest);
    base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, &encoded);
    return secret_bytes_equal(text, challenge.at, sizeof(text));
}
