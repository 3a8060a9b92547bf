/* SPDX-License-Identifier: ISC
 * Collections by the names that scripts give them: a workspace's slug, or any name that makes one; a single file as
 * file-ID; a text or page that was handed in by itself, by its hash. */
#ifndef EXEDRA_OPENWEBUI_COLLECTION_H
#define EXEDRA_OPENWEBUI_COLLECTION_H

#include "web/request.h"

enum { OPENWEBUI_NAMES = 64 };

/* What is to be searched: collections by name, and what the caller sees of them.  Zero it to begin. */
struct openwebui_scope {
	const char *names[OPENWEBUI_NAMES];
	int n;
	const char *workspaces, *files; /* out: ids, as arrays of SQL; "{}": none */
};

/* One more name; NULL, and those above OPENWEBUI_NAMES, are passed over. */
void openwebui_scope_add(struct openwebui_scope *, const char *name);
/* Find out what they are.  The caller's key has been looked at afterwards.  -1 with the reason in the task. */
int openwebui_scope_find(struct request *, struct openwebui_scope *);
/* The uuid in file-UUID; NULL when the name is none such. */
const char *openwebui_file_name(const char *name);

/* Where something is to be put. */
struct openwebui_target {
	const char *workspace_id; /* NULL: into no workspace, or into one that is wanted */
	const char *name;         /* its slug */
	const char *wanted;       /* the name of one that is still to be made; else NULL */
};

/* Read `collection_name` of the body.  -1 with the reason in the task: 403 unless the caller may change workspaces. The
 * caller's key has been looked at afterwards. */
int openwebui_read_target(struct request *, struct openwebui_target *);
/* Make the workspace if it is wanted: once there is something to put into it. */
int openwebui_make_target(struct request *, struct openwebui_target *);
/* How a text or page of the caller's is named that is its own collection: as a document's external id. */
const char *openwebui_own_name(struct request *, const char *hash);

#endif
