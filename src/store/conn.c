/* SPDX-License-Identifier: ISC */
#include "store/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "statements.h"
#include "store/sqlstate.h"

void conn_free(struct conn *conn)
{
	if (conn == NULL)
		return;
	PQfinish(conn->pg);
	free(conn->prepared);
	free(conn);
}

int conn_flush(struct conn *conn, int64_t deadline_ms)
{
	struct pollfd wait = {.fd = PQsocket(conn->pg), .events = POLLIN | POLLOUT};
	int flushed;

	while ((flushed = PQflush(conn->pg)) == 1) {
		int ready = poll(&wait, 1, clock_left_ms(deadline_ms));

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return -1;
		/* Reading what came lets a server that is itself stuck on writing go on. */
		if ((wait.revents & ~POLLOUT) != 0 && !PQconsumeInput(conn->pg))
			return -1;
	}
	return flushed;
}

PGresult *conn_result(struct conn *conn, int64_t deadline_ms, bool *late)
{
	struct pollfd wait = {.fd = PQsocket(conn->pg), .events = POLLIN};

	while (PQisBusy(conn->pg)) {
		int ready = poll(&wait, 1, clock_left_ms(deadline_ms));

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0 || !PQconsumeInput(conn->pg)) {
			*late = true;
			return NULL;
		}
	}
	return PQgetResult(conn->pg);
}

/* While the database is away each request tries, and a chat that has ended several times a second: a line a second
 * tells it. */
static void tell_refused(struct task *task, const struct conn *conn)
{
	static int64_t told_s = -1;

	if (clock_new_second(&told_s))
		log_event(LOG_ERROR, task, "database_connect", "error=\"%s\"", PQerrorMessage(conn->pg));
}

static void quiet(void *arg, const PGresult *notice)
{
	(void)arg;
	(void)notice;
}

/* PQexecParams() that does not wait for ever: a server may take a connection and then fall silent. */
static PGresult *ask_first(struct conn *conn, const char *text, const char *arg, int64_t deadline_ms)
{
	PGresult *rows = NULL, *more;
	bool late = false;

	if (!PQsendQueryParams(conn->pg, text, 1, NULL, &arg, NULL, NULL, 0) || conn_flush(conn, deadline_ms) != 0)
		return NULL;
	while ((more = conn_result(conn, deadline_ms, &late)) != NULL) {
		PQclear(rows);
		rows = more;
	}
	if (!late)
		return rows;
	PQclear(rows);
	return NULL;
}

/* The session's settings, and the check that row-level security binds us. */
static int start_session(struct task *task, struct conn *conn, int timeout_s, int64_t deadline_ms)
{
	char timeout[16];
	PGresult *rows;
	int result = -1;

	snprintf(timeout, sizeof(timeout), "%ds", timeout_s);
	rows = ask_first(conn, sql_session_start.text, timeout, deadline_ms);
	if (PQresultStatus(rows) != PGRES_TUPLES_OK || PQntuples(rows) != 1) {
		log_event(LOG_ERROR, task, "database_start", "error=\"%s\"",
			rows == NULL ? PQerrorMessage(conn->pg) : PQresultErrorMessage(rows));
	} else if (strcmp(PQgetvalue(rows, 0, 0), "t") != 0) {
		log_event(LOG_ERROR, task, "database_role",
			"role=%s problem=\"the role is a superuser or has BYPASSRLS, so nothing would keep tenants "
			"apart; set db.url to a plain role\"",
			PQuser(conn->pg));
		sqlstate_fail_setup(task);
	} else if (!PQgetisnull(rows, 0, 1)) {
		log_event(LOG_ERROR, task, "database_rls",
			"tables=\"%s\" problem=\"row-level security is not forced; run exedractl upgrade\"",
			PQgetvalue(rows, 0, 1));
		sqlstate_fail_setup(task);
	} else {
		result = 0;
	}
	PQclear(rows);
	return result;
}

struct conn *conn_open(struct task *task, const struct config *config, int64_t deadline_ms)
{
	/* dbname is expanded first, so that what it says itself about the rest is kept: later keywords win. */
	const char *const keywords[] = {
		"connect_timeout", "tcp_user_timeout", "fallback_application_name", "dbname", NULL};
	const char *const values[] = {"5", "30000", "exedra", config->db_url, NULL};
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL || (conn->prepared = calloc(N_STATEMENTS, 1)) == NULL) {
		conn_free(conn);
		return NULL;
	}
	conn->pg = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(conn->pg) != CONNECTION_OK) {
		tell_refused(task, conn);
		conn_free(conn);
		return NULL;
	}
	PQsetNoticeReceiver(conn->pg, quiet, NULL);
	if (PQsetnonblocking(conn->pg, 1) != 0 || start_session(task, conn, config->db_timeout_s, deadline_ms) < 0 ||
		!PQenterPipelineMode(conn->pg)) {
		conn_free(conn);
		return NULL;
	}
	return conn;
}

/* An idle connection has nothing to say: if its socket is readable, the server has closed it (or sent a notice). */
bool conn_alive(struct conn *conn)
{
	struct pollfd look = {.fd = PQsocket(conn->pg), .events = POLLIN};

	if (poll(&look, 1, 0) == 0)
		return true;
	return PQconsumeInput(conn->pg) && PQstatus(conn->pg) == CONNECTION_OK && poll(&look, 1, 0) == 0;
}
