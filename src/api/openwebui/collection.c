/* SPDX-License-Identifier: ISC */
#include "api/openwebui/collection.h"

#include <string.h>

#include "api/openwebui/file.h"
#include "base/field.h"
#include "core/workspace.h"
#include "store/db.h"

const char *openwebui_own_name(struct request *req, const char *hash)
{
	return arena_printf(req->task.arena, "%s@%lld", hash, (long long)req->task.identity.account_id);
}

static const char *slug_of(struct arena *arena, const char *name)
{
	return *name == '\0' ? "" : workspace_slug(arena, workspace_name(arena, name));
}

/* Under its slug, or the name that made it.  1, 0, or -1 with the reason in the task. */
static int find(struct request *req, const char *name, struct openwebui_target *target)
{
	const char *tries[] = {name, slug_of(req->task.arena, name)};
	size_t i;

	for (i = 0; i < 2; i++) {
		PGresult *rows = db_rows(&req->task, &sql_knowledge_show, ARGS(tries[i], db_bool_arg(false)));

		if (rows == NULL)
			return -1;
		if (PQntuples(rows) == 0)
			continue;
		*target = (struct openwebui_target){db_text(rows, 0, "id"), tries[i], NULL};
		return 1;
	}
	return 0;
}

int openwebui_read_target(struct request *req, struct openwebui_target *target)
{
	struct task *task = &req->task;
	const char *name = NULL;
	int found;

	*target = (struct openwebui_target){0};
	if (field_text(task, req->json, "collection_name", &name) < 0 || db_enter(task) < 0)
		return -1;
	if (name == NULL || *name == '\0')
		return 0;
	if (task->identity.role < MANAGER)
		return fail(task, 403, "role_too_low", "This needs the role %s.", role_name(MANAGER));
	found = find(req, name, target);
	if (found == 0)
		target->wanted = name;
	return found < 0 ? -1 : 0;
}

int openwebui_make_target(struct request *req, struct openwebui_target *target)
{
	struct arena *arena = req->task.arena;
	const char *name = target->wanted;
	int found;

	if (name == NULL)
		return 0;
	if (workspace_provide(&req->task, workspace_name(arena, name), slug_of(arena, name)) < 0)
		return -1;
	found = find(req, name, target);
	if (found == 0)
		return fail(&req->task, 409, "conflict", "The collection was deleted at the same moment.");
	return found < 0 ? -1 : 0;
}

/* ---- what is to be searched ---- */

void openwebui_scope_add(struct openwebui_scope *scope, const char *name)
{
	if (name != NULL && scope->n < OPENWEBUI_NAMES)
		scope->names[scope->n++] = name;
}

const char *openwebui_file_name(const char *name)
{
	return strncmp(name, "file-", 5) == 0 && openwebui_is_uuid(name + 5) ? name + 5 : NULL;
}

static bool is_hash(const char *name)
{
	size_t len = strspn(name, "0123456789abcdef");

	return name[len] == '\0' && (len == 63 || len == 64);
}

int openwebui_scope_find(struct request *req, struct openwebui_scope *scope)
{
	struct arena *arena = req->task.arena;
	const char *slugs[2 * OPENWEBUI_NAMES], *files[OPENWEBUI_NAMES], *own[OPENWEBUI_NAMES];
	size_t n_slugs = 0, n_files = 0, n_own = 0;
	PGresult *rows;
	int i;

	if (req->task.identity.tenant_id == 0 && db_enter(&req->task) < 0)
		return -1;
	for (i = 0; i < scope->n; i++) {
		const char *name = scope->names[i], *uuid = openwebui_file_name(name);

		if (uuid != NULL) {
			files[n_files++] = uuid;
			continue;
		}
		if (is_hash(name))
			own[n_own++] = openwebui_own_name(req, name);
		slugs[n_slugs++] = name;
		slugs[n_slugs++] = slug_of(arena, name);
	}
	rows = db_rows(&req->task, &sql_knowledge_scope,
		ARGS(db_array(arena, slugs, n_slugs), db_array(arena, files, n_files), db_array(arena, own, n_own)));
	if (rows == NULL)
		return -1;
	scope->workspaces = db_text(rows, 0, "workspaces");
	scope->files = db_text(rows, 0, "files");
	return 0;
}
