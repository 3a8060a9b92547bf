/* SPDX-License-Identifier: ISC
 * What json_check() accepts json_read() reads, and what is printed of it is accepted and means the same; what it
 * refuses it explains, and nobody reads. */
#include "base/json.h"

#include "fuzz.h"

static void check_fault(const struct json_fault *fault, size_t len)
{
	static const char *const codes[] = {
		"json_syntax", "json_utf8", "json_depth", "json_keys", "json_number", "json_nul", "json_duplicate_key"};
	bool known = false;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		known = known || strcmp(fault->code, codes[i]) == 0;
	must(known);
	must(fault->at <= len);
	must(fault->what[0] != '\0' && memchr(fault->what, '\0', sizeof(fault->what)) != NULL);
}

static void check_printed(struct task *task, struct json_object *object)
{
	struct json_fault fault;
	struct json_object *again;
	size_t len, again_len;
	const char *text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN, &len), *again_text;

	must(json_check(task->arena, text, len, &fault) == 0);
	again = json_read(task, text, len);
	must(again != NULL && json_object_equal(object, again));
	again_text = json_object_to_json_string_length(again, JSON_C_TO_STRING_PLAIN, &again_len);
	must(again_len == len && memcmp(text, again_text, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	struct arena *arena = arena_new();
	struct task task = {.arena = arena};
	struct json_fault fault = {0};
	int result = json_check(arena, text, len, &fault);
	struct json_object *object = json_read(&task, text, len);

	if (result < 0) {
		check_fault(&fault, len);
		must(object == NULL && task.failure.status == 400);
		must(strcmp(task.failure.code, fault.code) == 0);
	} else if (object == NULL) {
		must(task.failure.status == 400 && strcmp(task.failure.code, "json_null") == 0);
	} else {
		check_printed(&task, object);
		if (memchr(text, '\0', len) == NULL)
			must(json_object_equal(object, json_ours(arena, arena_copy(arena, text, len))));
	}
	arena_free(arena);
	return 0;
}
