/* SPDX-License-Identifier: ISC */
#include "store/sqlstate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* The longest prefix that fits wins: five characters before the class of two. */
static const struct meaning {
	const char *prefix;
	int status;
	const char *code, *message;
} meanings[] = {
	{"23505", 409, "conflict", "Something with this name exists already."},
	{"23503", 409, "conflict", "What this refers to is gone."},
	{"23", 422, "value_refused", "A value is not allowed here."},
	{"22", 422, "value_refused", "A value is not allowed here."},
	{"25006", 503, "database_read_only", "The database takes no changes at the moment."},
	{"40", 503, "database_conflict", "Too many changed this at once; try again."},
	{"42501", 503, "database_setup", "The database is not set up for this program."},
	{"3F000", 503, "database_setup", "The database is not set up for this program."},
	{"42P01", 503, "database_setup", "The database is not set up for this program."},
	{"42883", 503, "database_setup", "The database is not set up for this program."},
	{"42703", 503, "database_setup", "The database is not set up for this program."},
	{"53", 503, "database_unavailable", "The database has run out of room at the moment."},
	{"54", 422, "value_refused", "A value is too large."},
	{"57014", 503, "database_slow", "The database took too long."},
	{"57", 503, "database_unavailable", "The database cannot be reached at the moment."},
	{"55P03", 503, "database_conflict", "Too many change this at once; try again."},
	{"08", 503, "database_unavailable", "The database cannot be reached at the moment."},
	{"", 500, "database_error", "The database could not do this."},
};

/* Codes that our own functions raise, and what a caller reads. */
static const struct {
	const char *code, *message;
} ours[] = {
	{"key_unknown", "No valid api key found."},
	{"schema_version", "The database is not set up for this program."},
	{"tenant_missing",
		"Several tenants share this server: the web server has to say which one this is (EXEDRA_TENANT)."},
	{"embed_unknown", "There is no such chat."},
	{"embed_quota", "Rate limit exceeded"},
	{"embed_session_quota",
		"Your quota for this chat has been reached. Try again later or contact the site owner."},
	{"chat_gone", "The chat was ended or deleted meanwhile."},
	{"key_read_only", "This key may only read."},
	{"key_workspaces", "This key may only be used in its workspaces."},
};

/* Limits: the detail says in how many seconds there is room again, whose limit it is and how much. */
static void fail_limit(struct task *task, int status, const char *primary, const char *detail)
{
	static const struct {
		const char *code, *of;
	} limits[] = {{"limit_requests_minute", "requests a minute"}, {"limit_chats_day", "chats a day"},
		{"limit_tokens_day", "tokens a day"}, {"limit_tokens_month", "tokens a month"}};
	char subject[16] = "", most[24] = "";
	size_t i;

	if (detail != NULL)
		sscanf(detail, "%*d %15s %23s", subject, most);
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (strcmp(primary, limits[i].code) == 0)
			fail(task, status, limits[i].code, "The limit of %s %s for this %s is reached.", most,
				limits[i].of, subject);
}

/* Is the database newer than this program?  exedra.check_version() says which versions they have. */
static bool is_newer(const char *detail)
{
	int database, program;

	return detail != NULL &&
	       sscanf(detail,
		       "The database has schema version %d and serves programs from %*d on; this program needs %d",
		       &database, &program) == 2 &&
	       database > program;
}

static void fail_ours(struct task *task, const char *sqlstate, const char *primary, const char *detail)
{
	int status = atoi(sqlstate + 2);
	size_t i;

	if (strcmp(primary, "role_too_low") == 0)
		fail(task, status, "role_too_low", "This needs the role %s.", role_name(task->identity.least));
	if (strcmp(primary, "key_group") == 0)
		fail(task, status, "key_group", "This key is not for the group %s.", task->identity.group);
	fail_limit(task, status, primary, detail);
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(primary, ours[i].code) == 0) {
			fail(task, status, ours[i].code, "%s", ours[i].message);
			break;
		}
	if (status == 429 && detail != NULL)
		task->failure.retry_after_s = atoi(detail);
	if (status == 503) {
		task->failure.retry_after_s = 30;
		log_event(LOG_ERROR, task, primary, "detail=\"%s\" remedy=\"%s\"", detail == NULL ? "" : detail,
			is_newer(detail) ? "install the newer program"
					 : "run exedractl upgrade with this program's release");
	}
	fail(task, status, "refused", "%s", primary);
}

static const struct meaning *meaning_of(const char *sqlstate)
{
	size_t i = 0;

	while (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) != 0)
		i++;
	return &meanings[i];
}

static void fail_with(struct task *task, const struct meaning *meaning)
{
	fail(task, meaning->status, meaning->code, "%s", meaning->message);
	if (meaning->status == 503)
		task->failure.retry_after_s = 5;
}

void sqlstate_fail(
	struct task *task, const char *sqlstate, const char *primary, const char *detail, const char *stmt_name)
{
	const struct meaning *meaning;

	if (sqlstate == NULL)
		sqlstate = "08006";
	if (strncmp(sqlstate, "EX", 2) == 0) {
		fail_ours(task, sqlstate, primary, detail);
		return;
	}
	meaning = meaning_of(sqlstate);
	log_event(meaning->status >= 500 ? LOG_ERROR : LOG_DEBUG, task, meaning->code,
		"statement=%s sqlstate=%s error=\"%s\"%s", stmt_name, sqlstate, primary == NULL ? "" : primary,
		strcmp(meaning->code, "database_setup") == 0
			? " remedy=\"run exedractl init or upgrade, with --runtime-role if the workers have a role of "
			  "their own\""
			: "");
	fail_with(task, meaning);
}

void sqlstate_fail_setup(struct task *task)
{
	fail_with(task, meaning_of("42501"));
}

bool sqlstate_retriable(const char *sqlstate)
{
	return sqlstate != NULL && (strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0);
}

bool sqlstate_stale(const char *sqlstate)
{
	return sqlstate != NULL && (strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0);
}
