/* SPDX-License-Identifier: ISC
 * The walls around a process that reads a stranger's file.  They need no privilege and no namespaces: limits of the
 * system, a filter of system calls that whatever is executed later inherits, and Landlock where the kernel has it. */
#ifndef EXEDRA_EXTRACT_SANDBOX_H
#define EXEDRA_EXTRACT_SANDBOX_H

enum seal {
	SEAL_READER, /* memory, and the descriptors it has: it opens nothing */
	SEAL_LOOKUP, /* besides, it reads files below the directories named, if Landlock can hold it to them; else as
			above */
	SEAL_TOOL,   /* it may execute, and open files for reading: /usr and below, if Landlock can hold it to that */
};

/* Shut the calling process in, for good.  `trees` ends with NULL; it may be NULL itself. */
void sandbox_seal(enum seal, const char *const *trees);
/* Limits only: before the seal, and before anything is mapped.  They cover what is executed later. */
void sandbox_limit(void);

#endif
