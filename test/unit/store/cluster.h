/*
 * A place of one's own in a cluster of PostgreSQL: a schema for each test, dropped at its end.
 * JETON_TEST_DATABASE is the URL of a database that the tests may make schemas in; it has no
 * parameters behind a question mark.
 */
#ifndef JETON_TEST_STORE_CLUSTER_H
#define JETON_TEST_STORE_CLUSTER_H

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct cluster {
    PGconn *conn;
    char schema[32];
    char url[512]; /* of a store in that schema */
};

static inline void cluster_ignore_notice(void *context, const char *words)
{
    (void)context;
    (void)words;
}

static inline PGconn *cluster_connect(const char *url)
{
    PGconn *conn = PQconnectdb(url);

    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "JETON_TEST_DATABASE: %s\n", PQerrorMessage(conn));
        abort();
    }
    PQsetNoticeProcessor(conn, cluster_ignore_notice, NULL);
    return conn;
}

/* Runs a text; what its first column answers, 0 where nothing does. */
static inline long long cluster_run(PGconn *conn, const char *text)
{
    PGresult *result = PQexec(conn, text);
    ExecStatusType status = PQresultStatus(result);
    long long number = 0;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s\n", text, PQerrorMessage(conn));
        abort();
    }
    if (PQntuples(result) > 0)
        number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

static inline void cluster_make(struct cluster *cluster)
{
    const char *url = getenv("JETON_TEST_DATABASE");
    unsigned long long number;
    char text[128];

    if (url == NULL || getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        fprintf(stderr, "JETON_TEST_DATABASE names no database\n");
        abort();
    }
    snprintf(cluster->schema, sizeof(cluster->schema), "t%016llx", number);
    snprintf(cluster->url, sizeof(cluster->url), "%s?options=-csearch_path%%3D%s", url,
             cluster->schema);
    cluster->conn = cluster_connect(cluster->url);
    snprintf(text, sizeof(text), "CREATE SCHEMA %s", cluster->schema);
    cluster_run(cluster->conn, text);
}

static inline void cluster_drop(struct cluster *cluster)
{
    char text[128];

    snprintf(text, sizeof(text), "DROP SCHEMA %s CASCADE", cluster->schema);
    cluster_run(cluster->conn, text);
    PQfinish(cluster->conn);
}

#endif
