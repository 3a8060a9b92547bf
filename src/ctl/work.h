/* SPDX-License-Identifier: ISC
 * exedractl work: what a pool does in the background, done once, where there is none. */
#ifndef EXEDRA_WORK_H
#define EXEDRA_WORK_H

/* Do all jobs that are due, and end what CGI processes have left.  `path` is the configuration's, `conninfo` stands
 * before its db.url (NULL: does not).  The status to exit with. */
int work(const char *path, const char *conninfo);

#endif
