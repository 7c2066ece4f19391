/*
 * daemon/doctor_cage.h: `jeton doctor --sandbox` proves the cage (daemon/cage.h) by trying to get
 * out.
 */
#ifndef JETON_DAEMON_DOCTOR_CAGE_H
#define JETON_DAEMON_DOCTOR_CAGE_H

#include "daemon/sink.h"

/*
 * A line for each attempt.
 *
 * is_caged   false: what the attempts come to without a cage
 *
 * Answers an exit status: STATUS_REFUSED when anything got through.
 */
int doctor_cage_prove(bool is_caged, struct sink *out, struct sink *err);

#endif
