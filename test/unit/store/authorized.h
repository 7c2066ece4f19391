/*
 * What people authorize, with every column set.
 */
#ifndef JETON_TEST_STORE_AUTHORIZED_H
#define JETON_TEST_STORE_AUTHORIZED_H

#include "people.h"
#include "store/authorized.h"

enum { CODE_S = 60, DEVICE_S = 600, DEVICE_INTERVAL_S = 5 };

static inline void fill_digest(int64_t id, unsigned char mark,
                               unsigned char out_digest[static DIGEST_BYTES])
{
    memset(out_digest, mark, DIGEST_BYTES);
    memcpy(out_digest, &id, sizeof(id));
}

static inline struct binding sample_binding(enum binding_kind kind)
{
    struct binding binding = { .kind = kind };

    memset(binding.thumbprint, 0xd0 + (int)kind, DIGEST_BYTES);
    return binding;
}

static inline bool is_binding(const struct binding *binding, enum binding_kind kind)
{
    struct binding like = sample_binding(kind);

    return binding->kind == kind &&
           (kind == BINDING_NONE ||
            memcmp(binding->thumbprint, like.thumbprint, DIGEST_BYTES) == 0);
}

static inline struct authorization sample_authorization(struct fixture *fixture, int64_t account_id)
{
    return (struct authorization){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                                   .account_id = account_id,
                                   .client_id = 72,
                                   .login_id = 73,
                                   .subject = STR("pairwise"),
                                   .sid = STR("session"),
                                   .acr = STR("urn:example:strong"),
                                   .amr = STR("pwd otp mfa"),
                                   .nonce = STR("n-0S6_WzA2Mj"),
                                   .claims = STR("{\"userinfo\":{\"email\":null}}"),
                                   .details = STR("[{\"type\":\"payment\"}]"),
                                   .actor = STR("{\"sub\":\"admin\"}"),
                                   .auth_time = fixture->now - 30,
                                   .created_at = fixture->now - 3,
                                   .expires_at = fixture->now + 3600 };
}

static inline struct authorization insert_authorization(struct fixture *fixture, int64_t account_id)
{
    struct authorization authorization = sample_authorization(fixture, account_id);

    if (COMMIT_ONE(fixture, store_insert_authorization, &authorization) != RC_OK)
        abort();
    return authorization;
}

static inline struct code sample_code(struct fixture *fixture, int64_t authorization_id)
{
    struct code code = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                         .client_id = 72,
                         .authorization_id = authorization_id,
                         .redirect_uri = STR("https://a.example/cb"),
                         .challenge = STR("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                         .scope = STR("openid read"),
                         .audience = STR("one.example"),
                         .binding = sample_binding(BINDING_DPOP),
                         .expires_at = fixture->now + CODE_S };

    fill_digest(code.id, 0xc0, code.digest);
    return code;
}

static inline struct code insert_code(struct fixture *fixture, int64_t authorization_id)
{
    struct code code = sample_code(fixture, authorization_id);

    if (COMMIT_ONE(fixture, store_insert_code, &code) != RC_OK)
        abort();
    return code;
}

static inline struct pushed_request sample_pushed_request(struct fixture *fixture)
{
    struct pushed_request request = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                                      .client_id = 72,
                                      .parameters = STR("response_type=code&scope=read"),
                                      .expires_at = fixture->now + CODE_S };

    fill_digest(request.id, 0xb0, request.digest);
    return request;
}

static inline struct device_request sample_device_request(struct fixture *fixture)
{
    struct device_request request = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                                      .client_id = 72,
                                      .state = DEVICE_WAITING,
                                      .scope = STR("read"),
                                      .audience = STR("one.example"),
                                      .details = STR("[{\"type\":\"tv\"}]"),
                                      .binding = sample_binding(BINDING_TLS),
                                      .interval_s = DEVICE_INTERVAL_S,
                                      .expires_at = fixture->now + DEVICE_S };

    fill_digest(request.id, 0xe0, request.digest);
    fill_digest(request.id, 0xe1, request.user_digest);
    return request;
}

static inline struct device_request insert_device_request(struct fixture *fixture)
{
    struct device_request request = sample_device_request(fixture);

    if (COMMIT_ONE(fixture, store_insert_device_request, &request) != RC_OK)
        abort();
    return request;
}

static inline struct device_request read_device_request(struct fixture *fixture,
                                                        const struct device_request *like)
{
    struct device_request found = { 0 };

    if (store_find_device_request(fixture->store, like->digest, &fixture->arena, &found) != RC_OK)
        abort();
    return found;
}

static inline enum rc find_consent(struct fixture *fixture, int64_t account_id, int64_t client_id,
                                   struct consent *out_consent)
{
    return store_find_consent(fixture->store, account_id, client_id, &fixture->arena, out_consent);
}

static inline void put_consent(struct fixture *fixture, int64_t account_id, int64_t client_id,
                               const char *scope)
{
    struct consent consent = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                               .account_id = account_id,
                               .client_id = client_id,
                               .scope = str_of(scope),
                               .details = STR("[]"),
                               .at = fixture->now };

    if (COMMIT_ONE(fixture, store_put_consent, &consent) != RC_OK)
        abort();
}

static inline struct delivery sample_delivery(struct fixture *fixture, int64_t next_at)
{
    return (struct delivery){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                              .client_id = 72,
                              .uri = STR("https://a.example/logout"),
                              .content = STR("logout_token=e30.e30.AA"),
                              .at = fixture->now - 2,
                              .until = fixture->now + 3600,
                              .next_at = next_at };
}

static inline int64_t insert_delivery(struct fixture *fixture, int64_t next_at)
{
    struct delivery delivery = sample_delivery(fixture, next_at);

    if (COMMIT_ONE(fixture, store_insert_delivery, &delivery) != RC_OK)
        abort();
    return delivery.id;
}

#endif
