/* SPDX-License-Identifier: ISC */
#include "base/field.h"

#include <math.h>

struct json_object *field_get(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value;
}

bool field_given(struct json_object *object, const char *name)
{
	return json_object_object_get_ex(object, name, NULL);
}

int field_refuse(struct task *task, const char *name, const char *what)
{
	return fail_field(task, 422, "field_type", name, "%s must be %s.", name, what);
}

int field_text(struct task *task, struct json_object *object, const char *name, const char **value)
{
	struct json_object *member = field_get(object, name);

	if (member == NULL)
		return 0;
	if (!json_object_is_type(member, json_type_string))
		return field_refuse(task, name, "a string");
	*value = json_object_get_string(member);
	return 0;
}

int field_bool(struct task *task, struct json_object *object, const char *name, bool *value)
{
	struct json_object *member = field_get(object, name);

	if (member == NULL)
		return 0;
	if (!json_object_is_type(member, json_type_boolean))
		return field_refuse(task, name, "true or false");
	*value = json_object_get_boolean(member);
	return 0;
}

int field_number(struct task *task, struct json_object *object, const char *name, double *value)
{
	struct json_object *member = field_get(object, name);

	if (member == NULL)
		return 0;
	if (!json_object_is_type(member, json_type_int) && !json_object_is_type(member, json_type_double))
		return field_refuse(task, name, "a number");
	*value = json_object_get_double(member);
	if (!isfinite(*value))
		return fail_field(task, 422, "field_range", name, "%s is out of range.", name);
	return 0;
}

int field_array(struct task *task, struct json_object *object, const char *name, struct json_object **value)
{
	struct json_object *member = field_get(object, name);

	if (member == NULL)
		return 0;
	if (!json_object_is_type(member, json_type_array))
		return field_refuse(task, name, "an array");
	*value = member;
	return 0;
}

int field_texts(struct task *task, struct json_object *object, const char *name, const char *const **items, size_t *n)
{
	struct json_object *array = NULL;
	const char **list;
	size_t i;

	*n = 0;
	if (field_array(task, object, name, &array) < 0)
		return -1;
	if (array == NULL)
		return 0;
	list = arena_get(task->arena, (json_object_array_length(array) + 1) * sizeof(*list));
	for (i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (!json_object_is_type(item, json_type_string))
			return field_refuse(task, name, "an array of strings");
		list[i] = json_object_get_string(item);
	}
	*items = list;
	*n = i;
	return 0;
}
