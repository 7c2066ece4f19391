#include "daemon/doctor.h"

#include <errno.h>
#include <limits.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "crypto/tls.h"

enum {
    ERROR_BYTES = 512,
    MIB = 1024 * 1024,
    DISK_MIB_MIN = 64, /* less is a matter of minutes */
    DISK_MIB_GOOD = 1024,
    DAY_S = 86400,
    CERTIFICATE_DAYS_GOOD = 14 /* who renews by itself does so a month before */
};

static void look_at_user(struct doctor *doctor)
{
    if (geteuid() == 0)
        doctor_say(doctor, FINDING_WARN, "user",
                   "this is root; a server should run as a user of its own, as the systemd unit "
                   "does");
    else
        doctor_say(doctor, FINDING_OK, "user", "this is user %u", geteuid());
}

static void look_at_disk(struct doctor *doctor, const char *data)
{
    struct statvfs disk;
    unsigned long long free_mib;

    if (statvfs(data, &disk) != 0)
        return; /* a folder that is not there yet */
    free_mib = (unsigned long long)disk.f_bavail * disk.f_frsize / MIB;
    if (free_mib < DISK_MIB_MIN)
        doctor_say(doctor, FINDING_FAIL, "disk",
                   "%llu MiB are free: when there are none, nothing new can be issued", free_mib);
    else if (free_mib < DISK_MIB_GOOD)
        doctor_say(doctor, FINDING_WARN, "disk", "%llu MiB are free", free_mib);
    else
        doctor_say(doctor, FINDING_OK, "disk", "%llu MiB are free", free_mib);
    if (disk.f_favail < 1000 && disk.f_files > 0)
        doctor_say(doctor, FINDING_WARN, "inodes", "%llu are free",
                   (unsigned long long)disk.f_favail);
}

/* The server itself refuses files that others may read (LG-05). */
static void look_at_folder(struct doctor *doctor)
{
    const char *data = doctor->settings.data;
    struct passwd *owner;
    struct stat status;

    if (data == NULL)
        return;
    if (stat(data, &status) != 0) {
        doctor_say(doctor, errno == ENOENT ? FINDING_WARN : FINDING_FAIL, "data folder",
                   errno == ENOENT ? "%s is not there yet: the first start makes it" : "%s: %s",
                   data, strerror(errno));
        return;
    }
    owner = getpwuid(status.st_uid);
    doctor_say(doctor, (status.st_mode & 077) == 0 ? FINDING_OK : FINDING_WARN, "data folder",
               (status.st_mode & 077) == 0
                   ? "%s is %s's alone"
                   : "%s is %s's, and others may look into it: chmod 700 closes it",
               data, owner != NULL ? owner->pw_name : "an unnamed user");
    look_at_disk(doctor, data);
}

static void look_at_master_key(struct doctor *doctor)
{
    const struct settings *settings = &doctor->settings;
    char path[PATH_MAX];

    if (settings->master_key_file != NULL) {
        doctor_say(doctor, FINDING_OK, "master key", "is in %s, apart from the data",
                   settings->master_key_file);
        return;
    }
    if (settings->data == NULL)
        return;
    snprintf(path, sizeof(path), "%s/master.key", settings->data);
    if (access(path, F_OK) == 0)
        doctor_say(doctor, FINDING_WARN, "master key",
                   "is in the data folder: whoever copies that has it too, and whoever loses it "
                   "loses both; --master-key-file or a systemd credential keeps it apart");
}

static void look_at_issuer(struct doctor *doctor)
{
    const struct settings *settings = &doctor->settings;

    if (settings->issuer == NULL)
        doctor_say(doctor, FINDING_WARN, "issuer",
                   "is made from the first address; clients remember it for good, so say it with "
                   "--issuer");
    else if (strncmp(settings->issuer, "https://", strlen("https://")) != 0)
        doctor_say(doctor, FINDING_WARN, "issuer", "%s is for trying out: clients want https",
                   settings->issuer);
    else
        doctor_say(doctor, FINDING_OK, "issuer", "%s", settings->issuer);
}

static void judge_certificate(struct doctor *doctor, int64_t expires_at)
{
    long long days = (long long)(expires_at - clock_now_s()) / DAY_S;

    if (expires_at == 0)
        doctor_say(doctor, FINDING_WARN, "certificate", "does not say when it expires");
    else if (expires_at <= clock_now_s())
        doctor_say(doctor, FINDING_FAIL, "certificate", "expired %lld days ago", -days);
    else
        doctor_say(doctor, days < CERTIFICATE_DAYS_GOOD ? FINDING_WARN : FINDING_OK, "certificate",
                   days < CERTIFICATE_DAYS_GOOD
                       ? "expires in %lld days: renew it, then SIGHUP or systemctl reload"
                       : "expires in %lld days",
                   days);
}

static void look_at_certificate(struct doctor *doctor)
{
    const struct settings *settings = &doctor->settings;
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    struct tls_context *context;

    if (settings->tls_certificate == NULL || settings->tls_key == NULL)
        return;
    if (tls_context_new(settings->tls_certificate, settings->tls_key, &context, &error) != RC_OK) {
        doctor_say(doctor, FINDING_FAIL, "certificate", "%.*s", STR_ARGS(buffer_str(&error)));
        return;
    }
    judge_certificate(doctor, tls_context_expires_at(context));
    tls_context_free(context);
}

/* Those of the server where one runs; else of whoever asks, which may differ from the unit's. */
static void look_at_limits(struct doctor *doctor)
{
    struct rlimit files;
    struct rlimit locked;
    bool may_swap;

    if (prlimit(doctor->server_pid, RLIMIT_NOFILE, NULL, &files) != 0 ||
        prlimit(doctor->server_pid, RLIMIT_MEMLOCK, NULL, &locked) != 0)
        return; /* another user's server */
    doctor_say(doctor, files.rlim_max < HTTP_CONNECTION_COUNT_MAX ? FINDING_WARN : FINDING_OK,
               "descriptors", "%llu at most; %d connections want as many",
               (unsigned long long)files.rlim_max, (int)HTTP_CONNECTION_COUNT_MAX);
    may_swap = locked.rlim_cur != RLIM_INFINITY;
    doctor_say(doctor, may_swap ? FINDING_WARN : FINDING_OK, "locked memory",
               may_swap ? "is limited: only keys and requests are kept out of swap, as far as it "
                          "goes; LimitMEMLOCK=infinity in the unit keeps all of it"
                        : "is not limited: nothing reaches swap");
}

static void look_at_cage(struct doctor *doctor)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (doctor->settings.sandbox == SANDBOX_OFF)
        doctor_say(doctor, FINDING_WARN, "sandbox",
                   "is off; a server that was taken over could do "
                   "all that its user can");
    else if (abi <= 0)
        doctor_say(doctor,
                   doctor->settings.sandbox == SANDBOX_REQUIRED ? FINDING_FAIL : FINDING_WARN,
                   "sandbox", "the kernel has no Landlock: files are not fenced, calls are");
    else
        doctor_say(doctor, FINDING_OK, "sandbox",
                   "Landlock %ld and seccomp; 'jeton doctor --sandbox' proves it", abi);
}

static void look_at_mail(struct doctor *doctor)
{
    if (doctor->settings.mail.smtp_url.len == 0)
        doctor_say(doctor, FINDING_WARN, "mail",
                   "is not set up: nobody can be told of a new password, or reset a lost one");
    else
        doctor_say(doctor, FINDING_OK, "mail", "is sent; 'jeton mail test' tries it");
}

void doctor_look_at_machine(struct doctor *doctor)
{
    look_at_user(doctor);
    look_at_folder(doctor);
    look_at_master_key(doctor);
    look_at_issuer(doctor);
    look_at_certificate(doctor);
    look_at_limits(doctor);
    look_at_cage(doctor);
    look_at_mail(doctor);
}
