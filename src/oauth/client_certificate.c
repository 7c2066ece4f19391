#include "codec/base64url.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "oauth/client_auth.h"
#include "oauth/client_keys.h"

enum { BASE64_BYTES_MAX = (CERTIFICATE_BYTES_MAX + 2) / 3 * 4 };

/* RFC 8705 2.1.2: exactly one of them is registered. */
static bool has_registered_name(const struct client_metadata *metadata, struct str certificate)
{
    const struct {
        struct str name;
        enum certificate_name kind;
    } names[] = {
        { metadata->tls_subject_dn, CERTIFICATE_SUBJECT },
        { metadata->tls_san_dns, CERTIFICATE_SAN_DNS },
        { metadata->tls_san_uri, CERTIFICATE_SAN_URI },
        { metadata->tls_san_ip, CERTIFICATE_SAN_IP },
        { metadata->tls_san_email, CERTIFICATE_SAN_EMAIL },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].name.len > 0)
            return certificate_has_name(certificate, names[i].kind, names[i].name);
    return false;
}

/* RFC 4648 4: the alphabet of x5c, with its padding. */
static struct str base64_of(struct str bytes, struct arena *arena)
{
    struct buffer text = buffer_over(arena_alloc(arena, BASE64_BYTES_MAX), BASE64_BYTES_MAX);

    base64url_encode(bytes, &text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '-')
            text.at[i] = '+';
        else if (text.at[i] == '_')
            text.at[i] = '/';
    }
    while (text.len % 4 != 0)
        buffer_append_byte(&text, '=');
    ASSERT(!text.overflow);
    return buffer_str(&text);
}

static enum rc check_pinned(struct oauth_call *call, const struct client_metadata *metadata,
                            struct str certificate)
{
    char memory[BASE64URL_TEXT_BYTES(SHA256_BYTES)];
    struct buffer thumbprint = buffer_over(memory, sizeof(memory));
    unsigned char digest[SHA256_BYTES];

    digest_sha256(certificate, digest);
    base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, &thumbprint);
    return client_keys_find_certificate(call, metadata, base64_of(certificate, call->arena),
                                        buffer_str(&thumbprint));
}

/* MT-02. What a proxy handed on had its chain looked at by nobody yet. */
static bool is_trusted(const struct oauth_call *call)
{
    const struct certificate_trust *trust = call->oauth->client_trust;

    return call->proof.is_certificate_trusted ||
           (trust != NULL && certificate_is_trusted(trust, call->proof.certificate));
}

enum rc client_certificate_check(struct oauth_call *call, const struct client *client,
                                 const char **out_why)
{
    const struct proof_presented *proof = &call->proof;
    struct client_metadata metadata;
    enum rc rc;

    if (!proof->has_certificate || proof->certificate.len > CERTIFICATE_BYTES_MAX) {
        *out_why = "no client certificate";
        return RC_REFUSED;
    }
    /* The chain was looked at when the connection began, which may be a while ago. */
    if (!certificate_is_current(proof->certificate, call->now)) {
        *out_why = "the client certificate is out of its time";
        return RC_REFUSED;
    }
    rc = client_metadata_read(client, call->arena, &metadata);
    if (rc != RC_OK)
        return rc;
    if (client->auth_method == AUTH_TLS_SELF_SIGNED) { /* RFC 8705 2.2 */
        *out_why = "the client certificate is not one of the client's";
        return check_pinned(call, &metadata, proof->certificate);
    }
    if (!is_trusted(call)) { /* RFC 8705 2.1 */
        *out_why = "the client certificate's chain is not trusted";
        return RC_REFUSED;
    }
    *out_why = "the client certificate has another name";
    return has_registered_name(&metadata, proof->certificate) ? RC_OK : RC_REFUSED;
}
