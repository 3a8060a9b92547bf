/* SPDX-License-Identifier: ISC
 * The file on descriptor 0, whatever that is: what cannot be read twice is copied. */
#ifndef EXEDRA_EXTRACT_SPOOL_H
#define EXEDRA_EXTRACT_SPOOL_H

/* Make descriptor 0 a regular file and note its length in the job.  A pipe or socket is copied into a file without a
 * name (or memory, where none can be made).  -1 with the refusal and its message in the finding. */
int spool_input(void);

#endif
