/* SPDX-License-Identifier: ISC
 * Gives files to a fuzzing target, one after the other: what has once been found stays found. */
#include "fuzz.h"

#ifndef FUZZ_ENGINE

static struct str *read_file(struct arena *arena, const char *name)
{
	struct str *text = str_new(arena);
	FILE *file = fopen(name, "rb");
	char buffer[4096];
	size_t got;

	if (file == NULL) {
		perror(name);
		exit(2);
	}
	while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
		str_add(text, buffer, got);
	fclose(file);
	return text;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new();

	for (int i = 1; i < argc; i++) {
		struct str *text = read_file(arena, argv[i]);
		char *copy = exact(text->at, text->len);

		/* first, so that the last name is the one that failed */
		puts(argv[i]);
		fflush(stdout);
		LLVMFuzzerTestOneInput((const uint8_t *)copy, text->len);
		free(copy);
		arena_empty(arena);
	}
	arena_free(arena);
	return 0;
}

#endif
