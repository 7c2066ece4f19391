/*
 * daemon/doctor.h: `jeton doctor --sandbox` proves the cage (daemon/cage.h) by trying to get out.
 */
#ifndef JETON_DAEMON_DOCTOR_H
#define JETON_DAEMON_DOCTOR_H

#include "daemon/sink.h"

/*
 * argc, argv   without the program's name and "doctor"
 *
 * Answers an exit status: STATUS_REFUSED when anything got through.
 */
int doctor_run(int argc, char *const *argv, struct sink *out, struct sink *err);

#endif
