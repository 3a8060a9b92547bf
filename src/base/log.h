/* SPDX-License-Identifier: ISC
 * One line an event, key=value, to stderr: never bodies, keys or prompts. */
#ifndef EXEDRA_LOG_H
#define EXEDRA_LOG_H

#include "base/task.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines less important than this are not written.  LOG_INFO to begin with. */
void log_threshold(enum log_level);
/* Write "time=... level=... pid=... event=EVENT [id=...] FORMAT...".  One write(2), so lines of several processes do
 * not mix; cut at 4 kB.  Between quotes of the format a quote, a backslash, a line end and a tab are written \" \\ \n
 * \t; any other control character becomes '?'.  `task` may be NULL. */
void log_event(enum log_level, const struct task *, const char *event, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
