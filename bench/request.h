/*
 * bench/request.h: what the load generator sends: a template, and values to put into it.
 *
 * The template is a file with a whole request, head and body, in which `{value}` stands for a line
 * of the values file and `{length}` for the length of the body. Both files are mapped and stay so.
 * Whatever is wrong with them ends the program: there is nothing to measure then.
 */
#ifndef JETON_BENCH_REQUEST_H
#define JETON_BENCH_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum {
    REQUEST_BYTES_MAX = 64 * 1024,
};

struct text {
    const char *at;
    size_t bytes;
};

/* Says why on stderr and ends the program with status 1. */
_Noreturn void die(const char *what);

void request_open(const char *path);

/* Writes the request with this value; its length. */
size_t request_format(struct text value, char out_request[static REQUEST_BYTES_MAX]);

void values_open(const char *path);

/* Lines of the values file; 0 when none was opened. */
extern uint64_t value_count;

/* The line `index`, below value_count, without its end. */
struct text value_at(uint64_t index);

#endif
