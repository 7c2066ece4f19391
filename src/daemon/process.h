/*
 * daemon/process.h: what the process tells the kernel and the service manager about itself.
 */
#ifndef JETON_DAEMON_PROCESS_H
#define JETON_DAEMON_PROCESS_H

/*
 * Before anything secret is read: no core dumps, not dumpable, files for this user alone, as many
 * descriptors as the hard limit allows, broken pipes as errors instead of signals (LG-04, LG-05).
 */
void process_harden(void);

/* When a server has all its memory and threads: keeps both out of swap where the limits allow it.
 */
void process_lock_memory(void);

/* Tells the service manager (NOTIFY_SOCKET of sd_notify(3)), when there is one: "READY=1". */
void process_notify(const char *state);

/* Tells it that the program is about to be replaced in this process: READY=1 will follow. */
void process_notify_reloading(void);

#endif
