/* SPDX-License-Identifier: ISC
 * What a caller may say of a workspace, normalised as AnythingLLM does it. */
#ifndef EXEDRA_WORKSPACE_H
#define EXEDRA_WORKSPACE_H

#include <json-c/json.h>

#include "base/task.h"

/* The prompt of a workspace that names none, in a tenant that has none. */
extern const char workspace_default_prompt[];

/* Turn the writable members of a body into columns: a JSON object for sql/workspace/create.sql and update.sql; "{}"
 * when there is none.  NULL with a 422 that names the field when a type is wrong.  `updating`: an empty prompt means
 * NULL, and "default" as provider takes the model away too. */
const char *workspace_columns(struct task *, struct json_object *body, bool updating);

/* The slug that a name makes, if it is free; a uuid where it has nothing that a slug may hold, such as a name in
 * Chinese, and always the same one.  The words search and list get a number: Open WebUI's routes have them where ids
 * stand, so a collection that went by one could not be asked for. */
const char *workspace_slug(struct arena *, const char *name);

/* Make a workspace with a slug of its own.  Returns it as JSON and its slug; NULL with the reason in the task. */
const char *workspace_create(struct task *, const char *name, const char *columns, const char **slug);

/* See that there is a workspace of this slug: make it, unless somebody has, or does at the same moment. */
int workspace_provide(struct task *, const char *name, const char *slug);

/* A name cut to 255 characters; "My Workspace" when there is none. */
const char *workspace_name(struct arena *, const char *name);

#endif
