/* SPDX-License-Identifier: ISC */
#include "extract/tool.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "extract/job.h"
#include "extract/sandbox.h"

static char path[PATH_MAX];
static const struct kind *kind;

bool tool_find(const struct kind *wanted)
{
	const char *dirs = getenv("PATH");

	kind = wanted;
	if (dirs == NULL)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	while (*dirs != '\0') {
		size_t len = strcspn(dirs, ":");

		if (*dirs == '/' &&
			(size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, wanted->tool) < sizeof(path) &&
			access(path, X_OK) == 0)
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

/* They get nothing of our environment but where tesseract's languages are. */
static char **make_environment(void)
{
	static char tessdata[PATH_MAX + 32], *environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
						     "OMP_THREAD_LIMIT=1", NULL, NULL};
	const char *prefix = getenv("TESSDATA_PREFIX");

	if (prefix != NULL) {
		snprintf(tessdata, sizeof(tessdata), "TESSDATA_PREFIX=%s", prefix);
		environment[4] = tessdata;
	}
	return environment;
}

void tool_run(void)
{
	static char languages[64];
	static char *const unrtf[] = {"unrtf", "--html", "--nopict", "--quiet", NULL};
	static char *const tesseract[] = {"tesseract", "stdin", "stdout", "-l", languages, NULL};
	char **environment = make_environment();
	char *prefix = getenv("TESSDATA_PREFIX");
	const char *const trees[] = {"/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache",
		"/etc/alternatives", path, prefix != NULL ? prefix : "/usr", NULL};

	snprintf(languages, sizeof(languages), "%s", job.ocr);
	lseek(STDIN_FILENO, 0, SEEK_SET);
	sandbox_seal(SEAL_TOOL, trees);
	execve(path, strcmp(kind->tool, "unrtf") == 0 ? unrtf : tesseract, environment);
	_exit(127);
}
