/* SPDX-License-Identifier: ISC */
#include "extract/job.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

struct job job;

const char *refusal_code(enum refusal refusal)
{
	static const char *const names[N_REFUSALS] = {"", "file_empty", "file_unknown_kind", "file_broken",
		"file_encrypted", "file_too_large", "file_too_slow", "file_too_hungry", "file_no_text",
		"file_tool_missing", "file_audio", "input_unreadable", "output_gone", "sandbox_missing"};

	assert(refusal > WHOLE && refusal < N_REFUSALS);
	return names[refusal];
}

void refuse(enum refusal refusal, const char *format, ...)
{
	struct finding *finding = job.finding;
	va_list args;

	va_start(args, format);
	vsnprintf(finding->message, sizeof(finding->message), format, args);
	va_end(args);
	finding->refusal = refusal;
	/* no handlers of exit: the libraries' state may be anything */
	_exit(1);
}

struct arena *job_arena(void)
{
	struct arena *arena = arena_new();

	if (arena == NULL)
		refuse(FILE_TOO_HUNGRY, "There is no memory for it.");
	return arena;
}
