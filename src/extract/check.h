/* SPDX-License-Identifier: ISC
 * Does the sandbox hold on this system?  A process that is shut in tries what a file that has taken it over would. */
#ifndef EXEDRA_EXTRACT_CHECK_H
#define EXEDRA_EXTRACT_CHECK_H

/* Prints a line for each deed, "socket: killed"; returns the program's exit status: 0 if none was done. */
int check_sandbox(void);

#endif
