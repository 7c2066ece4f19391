-- psql -f setup.sql, as PostgreSQL's administrator.
-- There is no standby yet that a commit could wait for.
SET synchronous_commit = local;
CREATE ROLE jeton LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 60;
CREATE DATABASE jeton TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE jeton FROM PUBLIC;
GRANT CONNECT ON DATABASE jeton TO jeton;
CREATE ROLE replicator LOGIN REPLICATION CONNECTION LIMIT 4;
\connect jeton
SET synchronous_commit = local;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA AUTHORIZATION jeton;
