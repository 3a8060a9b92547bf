/* SPDX-License-Identifier: ISC */
#include "core/retrieve.h"

#include <string.h>

#include "core/words.h"
#include "store/db.h"

int retrieve_passages(struct task *task, int64_t workspace_id, const char *question, int most, const struct passage **found)
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
		passages[i] = (struct passage){db_text(rows, i, "source"), db_text(rows, i, "title"), db_text(rows, i, "text"), db_text(rows, i, "cited"),
			db_number(rows, i, "score")};
	*found = passages;
	return n;
}
