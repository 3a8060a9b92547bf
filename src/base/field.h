/* SPDX-License-Identifier: ISC
 * Typed reads from a JSON object.  null and absent are the same: the value is left as it was.  A wrong type is a 422
 * that names the field. */
#ifndef EXEDRA_FIELD_H
#define EXEDRA_FIELD_H

#include <json-c/json.h>

#include "base/task.h"

/* The member, or NULL when it is absent or null. */
struct json_object *field_get(struct json_object *, const char *name);
/* Whether the member is there, null or not. */
bool field_given(struct json_object *, const char *name);

/* Each: 0, or -1 with the reason in the task.  Text lives as long as the object. */
int field_text(struct task *, struct json_object *, const char *name, const char **value);
int field_bool(struct task *, struct json_object *, const char *name, bool *value);
int field_number(struct task *, struct json_object *, const char *name, double *value);
int field_array(struct task *, struct json_object *, const char *name, struct json_object **value);
/* An array of strings as a list in the arena; absent: none. */
int field_texts(struct task *, struct json_object *, const char *name, const char *const **items, size_t *n);
/* A 422 for a field whose value has the wrong type: "NAME must be WHAT." */
int field_refuse(struct task *, const char *name, const char *what);

#endif
