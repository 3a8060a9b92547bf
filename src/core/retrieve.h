/* SPDX-License-Identifier: ISC
 * Passages for a question: by words and by vectors, in one list.  All dialects ask here. */
#ifndef EXEDRA_RETRIEVE_H
#define EXEDRA_RETRIEVE_H

#include "base/config.h"
#include "base/task.h"
#include "core/embed.h"
#include "llm/provider.h"

enum { RETRIEVE_MOST = 1000 };

/* Where to look: in all documents of these workspaces and of these files (ids, as arrays of SQL: "{1,2}", "{}"), as far
 * as the task's tenant has them.  Whether the caller may see them has been asked before. */
struct retrieve_scope {
	const char *workspaces, *files;
};

struct retrieve_wishes {
	int top_n;                 /* passages at most, 1 .. RETRIEVE_MOST */
	double threshold;          /* least score, 0 .. 1, of what is found by its vector; words find without one */
	bool without_pinned;       /* nothing out of documents that are pinned in these workspaces */
	struct embed_asked *asked; /* what was made of the question before, where it is asked several times; or NULL */
};

/* The best passages, best first; they belong to the task's arena.  Returns how many, or -1 with the reason in the task.
 * *out is NULL when there is no passage at all to look in.  A service ranks them where a workspace among these wants
 * it. */
int retrieve(struct task *, const struct config *, const struct retrieve_scope *, const char *question,
	const struct retrieve_wishes *, const struct passage **out);

/* One workspace. */
struct retrieve_scope retrieve_workspace(struct arena *, int64_t workspace_id);

/* The documents that are pinned in a workspace, as passages without id and score whose text is the document's: of all
 * together about so many bytes, then none, '' (they are listed all the same).  As above. */
int retrieve_pinned(struct task *, int64_t workspace_id, size_t bytes, const struct passage **out);

/* Passages that earlier answers of an open chat's conversation were based on, for a question that found too few of its
 * own: up to `most` that are not among the `n` of `found`, nor in a pinned document.  They are shown to the model, not
 * cited.  As above. */
int retrieve_earlier(struct task *, const struct passage *found, int n, int most, const struct passage **);

#endif
