/*
 * oauth/device.h: authorization of devices without a browser of their own (RFC 8628).
 *
 * A device asks for a pair of codes, and asks again with one of them until the person who types the
 * other one at the page has answered. The answer is an authorization as any other; the device's
 * part is redeemed once, by one conditional update in the transaction of its tokens.
 *
 *     device_request_answer → the codes        (the endpoint of the device)
 *     device_find           → what is asked for, for the page
 *     device_allow, device_deny
 *     grant_device_code_answer → the tokens    (oauth/token_request.h)
 */
#ifndef JETON_OAUTH_DEVICE_H
#define JETON_OAUTH_DEVICE_H

#include "oauth/authorization.h"

enum {
    DEVICE_LIFETIME_S = 600, /* of both codes */
    DEVICE_INTERVAL_S = 5,   /* between polls; and what is added where one comes too soon */
    DEVICE_CODE_BYTES = 43,  /* 256 bits as base64url */
    DEVICE_USER_CODE_CHARS = 8,
    DEVICE_USER_CODE_BYTES = DEVICE_USER_CODE_CHARS + 1, /* "WDJB-MJHT" */
    DEVICE_USER_CODE_BYTES_MAX = 64                      /* as a person may type it */
};

/* What user codes are made of: no vowels, so no words (RFC 8628 6.1). */
#define DEVICE_USER_CODE_LETTERS "BCDFGHJKLMNPQRSTVWXZ"

/* Where people type them, behind the root. */
#define DEVICE_PAGE_PATH "/device"

/*
 * Answers a device: its codes, and where to send its person. A DPoP proof that comes with it binds
 * what is redeemed to its key.
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK · RC_NEEDS_HASH.  Faults: the store's
 * Source:  RFC 8628 3.1, 3.2
 */
enum rc device_request_answer(struct oauth_call *call, const struct client_credentials *credentials,
                              const struct form *parameters, struct buffer *out_json) MUST_CHECK;

/*
 * The user code that a person typed: letters of either case, anything but letters and digits
 * between them left out (RFC 8628 6.1). RC_INVALID when it cannot be one.
 */
enum rc device_user_code_fold(struct str typed,
                              char out_code[static DEVICE_USER_CODE_CHARS]) MUST_CHECK;

/* A request that waits for its person's answer; end it with device_put. */
struct device {
    struct device_request request;
    struct catalog_client *client;
    struct client_metadata metadata;
    char user_code[DEVICE_USER_CODE_BYTES]; /* as the device shows it */
};

/*
 * Finds what a user code stands for. Counts a try of this person and address first, whatever the
 * code (DV-02): who tries too often has to wait.
 *
 * Answers: RC_OK · RC_NOT_FOUND no such code waits for an answer · RC_REFUSED too_many_requests
 * Faults:  the store's.  Blocks.
 */
enum rc device_find(struct oauth_call *call, const struct account *account, struct str typed,
                    struct device *out_device) MUST_CHECK;

/* The same for a form that was shown after that: no try. It has to name the request's id, which
 * nobody else can (page_handle_seal). */
enum rc device_find_again(struct oauth_call *call, int64_t id, struct str user_code,
                          struct device *out_device) MUST_CHECK;
void device_put(struct device *device);

/*
 * A person's answer. An authorization is made, and remembered as a consent.
 *
 * Answers: RC_OK · RC_NOT_FOUND it was answered or has expired meanwhile.  Faults: the store's
 */
enum rc device_allow(struct oauth_call *call, const struct device *device,
                     const struct authorization_person *person) MUST_CHECK;
enum rc device_deny(struct oauth_call *call, const struct device *device,
                    const struct authorization_person *person) MUST_CHECK;

#endif
