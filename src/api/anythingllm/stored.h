/* SPDX-License-Identifier: ISC
 * What the calls that store documents have in common: what comes with a document, and the answer that shows it. */
#ifndef EXEDRA_ANYTHINGLLM_STORED_H
#define EXEDRA_ANYTHINGLLM_STORED_H

#include "core/read.h"
#include "web/request.h"

/* The workspaces of addToWorkspaces. */
struct slugs {
	const char *const *at;
	size_t n;
};

/* `metadata` as an object: it itself, or a string that holds one; NULL stays NULL.  -1 with a 422 in the task. */
int stored_metadata(struct request *, struct json_object *value, struct json_object **metadata);
int stored_metadata_text(struct request *, const char *text, size_t len, struct json_object **metadata);
/* A text of the metadata; the preset when it is absent or empty. */
int stored_text(
	struct request *, struct json_object *metadata, const char *name, const char *preset, const char **value);
/* What metadata says of a file or page. */
int stored_reading(struct request *, struct json_object *metadata, struct reading *);
/* Slugs separated by commas: trimmed, in lower case; NULL: none. */
void stored_slugs(struct request *, const char *text, struct slugs *);
/* A 422: addToWorkspaces was something else, as JavaScript calls it. */
int stored_refuse_slugs(struct request *, const char *type);
int stored_json_slugs(struct request *, struct slugs *);

/* Store a file that has come, read it, and have its documents' texts at hand; on failure nothing of it is left. */
int stored_read(struct request *, struct file *, struct reading *);
/* Put documents that stand into workspaces.  That it could not be done shows in the workspaces' lists. */
void stored_place(struct request *, const struct document *, int n, const struct slugs *);
/* Answer with them.  Their texts are sent as they are read, however long.  `moved`: they were put into a folder by
 * name. */
int stored_reply(struct request *, const struct document *, int n, bool moved);
/* Say of a file or page without text what the original says. */
void stored_reword(struct task *, const char *no_text, const char *name);

#endif
