#!/bin/sh
# db2, once, as the user postgres, with an empty data directory. The password of `replicator` is in ~/.pgpass.
# application_name is the name in synchronous_standby_names.
set -eu
pg_basebackup --pgdata "$PGDATA" --wal-method stream --checkpoint fast --write-recovery-conf \
    --dbname "host=db1 user=replicator sslmode=verify-full sslrootcert=$HOME/db-ca.pem application_name=db2"
pg_ctl start -D "$PGDATA" -w

# When db1 is lost for good, and surely takes no more writes:
#   pg_ctl promote -D "$PGDATA"
#   psql -c "ALTER SYSTEM SET synchronous_standby_names = ''" -c "SELECT pg_reload_conf()"   # until there is a standby again
