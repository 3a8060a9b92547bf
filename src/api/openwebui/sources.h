/* SPDX-License-Identifier: ISC
 * Passages as Open WebUI's API tells them: lists side by side (contract/openwebui.md sections 5.3 and 8). */
#ifndef EXEDRA_OPENWEBUI_SOURCES_H
#define EXEDRA_OPENWEBUI_SOURCES_H

#include "core/chat.h"

/* The sources of a chat whose passages have been found, one for each item: a JSON array, or NULL when there are none.
 */
const char *openwebui_sources(const struct chat *);

/* `"name":[...]` of what `put` writes of each passage. */
typedef void openwebui_put_one(struct str *, const struct passage *);
void openwebui_put_list(struct str *, const char *name, const struct passage *const *, int n, openwebui_put_one *put);
openwebui_put_one openwebui_put_id, openwebui_put_passage, openwebui_put_meta, openwebui_put_score;

#endif
