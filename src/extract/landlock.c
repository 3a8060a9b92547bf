/* SPDX-License-Identifier: ISC */
#include "extract/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	/* all that its first version knows: the bits up to MAKE_SYM */
	RIGHTS = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
	OF_FILES = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE,
	OF_TREES = OF_FILES | LANDLOCK_ACCESS_FS_READ_DIR,
};

static bool allow(int rules, const char *path)
{
	struct landlock_path_beneath_attr beneath = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
	struct stat st;
	long result;

	if (beneath.parent_fd < 0)
		return true;
	beneath.allowed_access = fstat(beneath.parent_fd, &st) == 0 && S_ISDIR(st.st_mode) ? OF_TREES : OF_FILES;
	result = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	close(beneath.parent_fd);
	return result == 0;
}

bool landlock_seal(const char *const *trees)
{
	struct landlock_ruleset_attr all = {.handled_access_fs = RIGHTS};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all.handled_access_fs), 0);
	bool sealed = rules >= 0;

	for (size_t i = 0; sealed && trees != NULL && trees[i] != NULL; i++)
		sealed = allow(rules, trees[i]);
	if (sealed)
		sealed = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	if (rules >= 0)
		close(rules);
	return sealed;
}
