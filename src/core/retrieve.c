/* SPDX-License-Identifier: ISC */
#include "core/retrieve.h"

#include <string.h>

#include "core/words.h"
#include "store/db.h"

int retrieve_passages(
	struct task *task, int64_t workspace_id, const char *question, int most, const struct passage **found)
{
	struct str *prepared = str_new(task->arena);
	struct passage *passages;
	PGresult *rows;
	int n, i;

	words_prepare(prepared, question, strlen(question));
	rows = db_rows(task, &sql_chunk_search,
		ARGS(db_int_arg(task->arena, workspace_id), prepared->at, db_int_arg(task->arena, most)));
	if (rows == NULL)
		return -1;
	n = PQntuples(rows);
	passages = arena_get(task->arena, (size_t)(n + 1) * sizeof(*passages));
	for (i = 0; i < n; i++)
		passages[i] = (struct passage){db_text(rows, i, "source"), db_text(rows, i, "title"),
			db_text(rows, i, "text"), db_text(rows, i, "cited"), db_number(rows, i, "score")};
	*found = passages;
	return n;
}

static bool among(const struct passage *passages, int n, const char *cited)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(passages[i].cited, cited) == 0)
			return true;
	return false;
}

int retrieve_earlier(struct task *task, const struct passage *found, int n, int most, const struct passage **earlier)
{
	enum { LOOK_BACK_CHATS = 20, ROWS_EACH = 8 };
	PGresult *rows = db_rows(task, &sql_chat_backfill,
		ARGS(task->identity.chat_id, db_int_arg(task->arena, LOOK_BACK_CHATS),
			db_int_arg(task->arena, (n + most) * ROWS_EACH)));
	struct passage *passages = arena_get(task->arena, (size_t)(most + 1) * sizeof(*passages));
	int i, kept = 0;

	if (rows == NULL)
		return -1;
	for (i = 0; i < PQntuples(rows) && kept < most; i++) {
		const char *cited = db_text(rows, i, "cited");

		if (!among(found, n, cited) && !among(passages, kept, cited))
			passages[kept++] = (struct passage){db_text(rows, i, "source"), db_text(rows, i, "title"),
				cited, cited, db_number(rows, i, "score")};
	}
	*earlier = passages;
	return kept;
}
