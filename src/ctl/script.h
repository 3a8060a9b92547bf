/* SPDX-License-Identifier: ISC
 * The files of sql/schema and sql/function, built in by sql/embed.awk. */
#ifndef EXEDRA_SCRIPT_H
#define EXEDRA_SCRIPT_H

struct script {
	const char *folder; /* schema, function; NULL ends the list */
	const char *name;   /* 001-start */
	const char *text;
};

extern const struct script scripts[];

#endif
