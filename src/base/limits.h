/*
 * base/limits.h: the limits that several rooms share, with unit and the reason for their size.
 *
 * Nothing that comes from outside is unbounded; what only one room bounds stands in its header.
 */
#ifndef JETON_BASE_LIMITS_H
#define JETON_BASE_LIMITS_H

enum {
    /* HTTP: the head. Browsers and proxies stay below 8 KiB; a cookie-heavy one reaches 12. */
    HTTP_TARGET_BYTES_MAX = 8 * 1024,
    HTTP_HEAD_BYTES_MAX = 16 * 1024,
    HTTP_HEADER_COUNT_MAX = 64,

    /* HTTP: the body. The largest honest one is a client's registration or a SOAP envelope. */
    HTTP_BODY_BYTES_MAX = 64 * 1024,

    /* HTTP: an answer. The largest is a metadata document or a page of a list. */
    HTTP_ANSWER_BYTES_MAX = 256 * 1024,
    /* A redirect's Location may be as long as a target, or as a client's URI with a long state. */
    HTTP_ANSWER_HEADER_BYTES_MAX = 16 * 1024,

    /* HTTP: what a request's typed forms and its answer's parts may take; pages are touched only
     * when they are used. */
    HTTP_ARENA_BYTES = 1024 * 1024,

    /* HTTP: total deadlines, not inactivity: one byte a second does not hold a connection. */
    HTTP_HANDSHAKE_TIMEOUT_MS = 10 * 1000,
    HTTP_HEAD_TIMEOUT_MS = 10 * 1000,
    HTTP_BODY_TIMEOUT_MS = 10 * 1000,
    HTTP_WRITE_TIMEOUT_MS = 10 * 1000,
    HTTP_IDLE_TIMEOUT_MS = 60 * 1000,
    HTTP_DRAIN_TIMEOUT_MS = 10 * 1000,    /* after SIGTERM, for requests under way */
    HTTP_HAND_OVER_TIMEOUT_MS = 5 * 1000, /* the same where others wait meanwhile: a restart */
    HTTP_DRAIN_GRACE_MS = 1000,           /* for who has just connected to send a request */
    HTTP_LINGER_TIMEOUT_MS = 2 * 1000,    /* for a refused client to read why */

    /* HTTP: connections. The default stays below common descriptor limits. */
    HTTP_CONNECTION_COUNT_MAX = 20000,
    HTTP_CONNECTION_PER_ADDRESS_MAX = 10000, /* a reverse proxy is one address */

    /* Lanes: requests that wait for a thread before the next one is told 503. */
    LANE_WORK_BUDGET_MS = 250,   /* what has waited longer is told 503 */
    LANE_REFUSAL_MS = 750,       /* from then to the answer, unless it has waited as long already */
    LANE_WORK_THREAD_COUNT = 32, /* they wait for commits, so more than cores: batches of 32 */
    LANE_HASH_BUDGET_MS = 500,   /* what has waited longer for a hash is told 503 */
    LANE_HASH_QUEUE_MAX = 256,   /* far more than that lets through on any machine */

    /* Parameters of a form, query or JSON object. OAuth requests have below 20. */
    FORM_FIELD_COUNT_MAX = 64,
    JSON_DEPTH_MAX = 16,

    /* Names and words of the nouns, in bytes of UTF-8. */
    ACCOUNT_NAME_BYTES_MAX = 255,
    ACCOUNT_FULL_NAME_BYTES_MAX = 255,
    ACCOUNT_EMAIL_BYTES_MAX = 254, /* RFC 5321 4.5.3.1.3 */
    CLIENT_ID_BYTES_MAX = 255,
    SERVICE_ID_BYTES_MAX = 255,
    SERVICE_NAME_BYTES_MAX = 255,
    SCOPE_BYTES_MAX = 4096,     /* a whole scope string */
    SCOPE_WORD_COUNT_MAX = 128, /* keeps every check linear and small */
    REDIRECT_URI_BYTES_MAX = 2048,
    REDIRECT_URI_COUNT_MAX = 32,
    CLIENT_METADATA_BYTES_MAX = 32 * 1024, /* JSON of what has no column */
    /* All texts of a client; names, hashes and the digest fit the last of it. */
    CLIENT_TEXTS_BYTES_MAX = SCOPE_BYTES_MAX + SCOPE_WORD_COUNT_MAX * (SERVICE_ID_BYTES_MAX + 1) +
                             REDIRECT_URI_COUNT_MAX * (REDIRECT_URI_BYTES_MAX + 1) +
                             CLIENT_METADATA_BYTES_MAX + 4 * 1024,
    PASSWORD_BYTES_MAX = 1024,
    DEVICE_BYTES_MAX = 255, /* of a User-Agent: more says nothing to its owner */
    FACTOR_NAME_BYTES_MAX = 255,
    FACTOR_COUNT_MAX = 16, /* of one account */
    RECOVERY_CODE_COUNT = 10,
    PERMANENT_NETWORK_COUNT_MAX = 32, /* that may use one token; looked at for each use */
    PERMANENT_LIVING_COUNT_MAX = 200, /* of one account */

    /* A signed token with every claim at its longest. */
    TOKEN_VALUE_BYTES_MAX = 16 * 1024,

    /* Store: one transaction's statements, and what one commit may gather. */
    STORE_UNIT_STEP_COUNT_MAX = 16,
    STORE_PARAM_COUNT_MAX = 20,
    STORE_BATCH_COUNT_MAX = 256,
    STORE_QUEUE_COUNT_MAX = 4096,
    STORE_SWEEP_ROW_COUNT = 128, /* expired rows that one commit takes along */
    STORE_LIST_ROW_COUNT_MAX = 1000,
    STORE_TRUST_MS = 1000,  /* how old the feed may be that answers from memory rest on */
    STORE_ANSWER_MS = 1900, /* after which a unit that waits is told that the store is away */
    STORE_CLOCK_OFFSET_MS_MAX = 5000, /* between a shared store's clock and this machine's */
    STORE_ERROR_BYTES = 256,          /* why it is away, for the log */

    /* Log lines. */
    LOG_VALUE_BYTES_MAX = 512,
    LOG_LINE_BYTES_MAX = 4096,
};

#endif
