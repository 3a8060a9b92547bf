/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level threshold = LOG_INFO;

void log_threshold(enum log_level level)
{
	threshold = level;
}

static size_t put_time(char *line, size_t room)
{
	struct timespec now;
	struct tm utc;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	len = strftime(line, room, "time=%Y-%m-%dT%H:%M:%S", &utc);
	return len + (size_t)snprintf(line + len, room - len, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_event(enum log_level level, const struct task *task, const char *event, const char *format, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[4096];
	size_t len, i;
	int wrote;
	va_list args;

	if (level > threshold)
		return;
	len = put_time(line, sizeof(line));
	len += (size_t)snprintf(
		line + len, sizeof(line) - len, " level=%s pid=%d event=%s", names[level], (int)getpid(), event);
	if (task != NULL && task->id != NULL)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " id=%s", task->id);
	if (*format != '\0') {
		line[len++] = ' ';
		va_start(args, format);
		wrote = vsnprintf(line + len, sizeof(line) - len, format, args);
		va_end(args);
		len += wrote < 0 ? 0 : (size_t)wrote;
	}
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say it */
}
