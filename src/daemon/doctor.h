/*
 * daemon/doctor.h: `jeton doctor`: what an operator should know of a server's settings, its machine
 * and its store. Nothing is changed, and a server that runs is not disturbed.
 *
 * Each finding is a line: "ok", "warn" or "fail", what was looked at, and in words what is so and
 * what to do. Something that failed makes the exit status 1.
 */
#ifndef JETON_DAEMON_DOCTOR_H
#define JETON_DAEMON_DOCTOR_H

#include "daemon/settings.h"
#include "daemon/sink.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL };

/* An examination under way. */
struct doctor {
    struct settings settings;
    struct sink *out;
    bool is_json;
    bool is_deep; /* reads the whole store */
    bool has_failed;
    int server_pid; /* of the server that runs on the data folder; 0: none */
};

/* Writes a finding; the words in the manner of printf, at most 400 bytes. */
void doctor_say(struct doctor *doctor, enum finding finding, const char *what, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* doctor_machine.c: files, keys, limits, certificate, cage. */
void doctor_look_at_machine(struct doctor *doctor);

/* doctor_store.c: what stands in the store, which is there. */
void doctor_look_at_store(struct doctor *doctor);

/*
 * argc, argv   without the program's name and "doctor"
 *
 * Answers an exit status.
 */
int doctor_run(int argc, char *const *argv, struct sink *out, struct sink *err);

#endif
