/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 4096 }; /* bytes of one */

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

/* A byte that the text does not have. */
static char unused_byte(const char *text)
{
	char byte = 1;

	while (byte < 0x1f && strchr(text, byte) != NULL)
		byte++;
	return byte;
}

/* Print with `mark` for the quotes of the format, so that those of a value can be told from them. */
static char print_marked(char *text, size_t room, const char *format, va_list args)
{
	char marked[512], mark, *at;
	va_list again;

	va_copy(again, args);
	vsnprintf(text, room, format, again);
	va_end(again);
	mark = unused_byte(text);
	snprintf(marked, sizeof(marked), "%s", format);
	for (at = marked; (at = strchr(at, '"')) != NULL; at++)
		*at = mark;
	vsnprintf(text, room, marked, args);
	return mark;
}

/* A byte of a value as it may stand there: its own, or an escape of two. */
static size_t put_byte(char *line, char byte, bool quoted)
{
	const char *name = !quoted        ? ""
			   : byte == '\n' ? "n"
			   : byte == '\t' ? "t"
			   : byte == '"'  ? "\""
			   : byte == '\\' ? "\\"
					  : "";

	line[0] = *name != '\0' ? '\\' : (unsigned char)byte < 0x20 || byte == 0x7f ? '?' : byte;
	line[1] = *name;
	return *name != '\0' ? 2 : 1;
}

/* What has no room is cut off; a value that is, is ended all the same. */
static size_t put_text(char *line, size_t room, const char *text, char mark)
{
	size_t len = 0;
	bool quoted = false;

	for (; *text != '\0' && len + 4 <= room; text++)
		if (*text == mark) {
			quoted = !quoted;
			line[len++] = '"';
		} else {
			len += put_byte(line + len, *text, quoted);
		}
	if (quoted)
		line[len++] = '"';
	return len;
}

void log_event(enum log_level level, const struct task *task, const char *event, const char *format, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[LINE], text[LINE], mark;
	size_t len;
	va_list args;

	if (level > threshold)
		return;
	va_start(args, format); /* first of all: there may be an %m */
	mark = print_marked(text, sizeof(text), format, args);
	va_end(args);
	len = put_time(line, sizeof(line));
	len += (size_t)snprintf(
		line + len, sizeof(line) - len, " level=%s pid=%d event=%s", names[level], (int)getpid(), event);
	if (task != NULL && task->id != NULL) {
		len += (size_t)snprintf(line + len, sizeof(line) - len, " id=");
		len += put_text(line + len, sizeof(line) / 2 - len, task->id, '\0');
	}
	if (*text != '\0')
		line[len++] = ' ';
	len += put_text(line + len, sizeof(line) - 1 - len, text, mark);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say it */
}
