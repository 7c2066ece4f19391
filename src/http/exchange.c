#include "http/exchange.h"

#include <sys/mman.h>

#include "crypto/certificate.h"
#include "http/message.h"

enum {
    PAGE_BYTES = 4096,
    /* What serve() may allocate: copies of head and body, and typed forms of both. */
    ARENA_BYTES = HTTP_ARENA_BYTES,
    SELF_BYTES = (sizeof(struct exchange) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
    INPUT_AT = SELF_BYTES,
    CERTIFICATE_AT = INPUT_AT + PARSE_INPUT_BYTES_MAX,
    HEADERS_AT = CERTIFICATE_AT + CERTIFICATE_BYTES_MAX,
    BODY_ROOM_AT = HEADERS_AT + HTTP_ANSWER_HEADER_BYTES_MAX,
    /* The head is put in front of the body. */
    BODY_AT = BODY_ROOM_AT + 5 * PAGE_BYTES,
    ARENA_AT = BODY_AT + HTTP_ANSWER_BYTES_MAX,
    EXCHANGE_BYTES = ARENA_AT + ARENA_BYTES
};

_Static_assert(MESSAGE_HEAD_BYTES_MAX <= BODY_AT - BODY_ROOM_AT, "a head fits before the body");

struct exchange *exchange_new(void)
{
    char *memory = mmap(NULL, EXCHANGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct exchange *exchange = (struct exchange *)(void *)memory;

    if (memory == MAP_FAILED)
        return NULL;
    /* Passwords and token values pass through here: out of swap, as far as the limit lets, and out
       of dumps (LG-04). */
    (void)mlock2(memory, EXCHANGE_BYTES, MLOCK_ONFAULT);
    (void)madvise(memory, EXCHANGE_BYTES, MADV_DONTDUMP);
    exchange->input = memory + INPUT_AT;
    exchange->certificate_memory = memory + CERTIFICATE_AT;
    exchange->body_memory = memory + BODY_AT;
    exchange->arena = (struct arena){ .slab = memory + ARENA_AT, .slab_bytes = ARENA_BYTES };
    exchange->public.arena = &exchange->arena;
    exchange->public.response.headers =
        buffer_over(memory + HEADERS_AT, HTTP_ANSWER_HEADER_BYTES_MAX);
    exchange->public.response.body = buffer_over(exchange->body_memory, HTTP_ANSWER_BYTES_MAX);
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    exchange_wipe(exchange);
    munmap(exchange, EXCHANGE_BYTES);
}

static void wipe_answer(struct exchange *exchange)
{
    http_reset_response(&exchange->public);
    arena_reset(&exchange->arena);
    exchange->public.request.method = HTTP_OTHER;
    exchange->public.note = NULL;
    exchange->public.lane = LANE_LOOP;
    exchange->public.arrived_ns = 0;
    exchange->output = (struct str){ NULL, 0 };
    exchange->closes = false;
    exchange->lingers = false;
    exchange->lane_was_full = false;
    exchange->sent_continue = false;
}

void exchange_write_unavailable(struct exchange *exchange)
{
    http_reset_response(&exchange->public);
    exchange->public.response.status = 503;
    http_add_header(&exchange->public, STR("Content-Type"), STR("application/json"));
    http_add_header(&exchange->public, STR("Cache-Control"), STR("no-store"));
    http_add_header(&exchange->public, STR("Retry-After"), STR("1"));
    buffer_append_str(&exchange->public.response.body,
                      STR("{\"error\":\"temporarily_unavailable\"}"));
}

void exchange_next(struct exchange *exchange)
{
    wipe_answer(exchange);
    exchange->input_len -= exchange->parser.at;
    if (exchange->input_len > 0)
        memmove(exchange->input, exchange->input + exchange->parser.at, exchange->input_len);
    exchange->parser = (struct request_parser){ 0 };
}

void exchange_wipe(struct exchange *exchange)
{
    wipe_answer(exchange);
    explicit_bzero(exchange->input, exchange->input_high);
    exchange->input_len = 0;
    exchange->input_high = 0;
    exchange->parser = (struct request_parser){ 0 };
}
