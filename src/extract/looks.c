/* SPDX-License-Identifier: ISC */
#include "extract/looks.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "extract/charset.h"

static bool begins(const char *head, size_t len, const char *mark, size_t mark_len)
{
	return len >= mark_len && memcmp(head, mark, mark_len) == 0;
}

bool looks_zip(const char *head, size_t len)
{
	return begins(head, len, "PK\3\4", 4) || begins(head, len, "PK\5\6", 4) ||
	       begins(head, len, "PK\7\10PK\3\4", 8);
}

bool looks_compound(const char *head, size_t len)
{
	return begins(head, len, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8);
}

bool looks_pdf(const char *head, size_t len)
{
	return memmem(head, len < 1024 ? len : 1024, "%PDF-", 5) != NULL;
}

bool looks_of_pdf(const char *head, size_t len)
{
	const char *at = memmem(head, len < 1024 ? len : 1024, "%PDF-", 5);

	if (at == NULL)
		return false;
	while (at > head && at[-1] == ' ')
		at--;
	return at > head && at[-1] > ' ' && at[-1] < 0x7F;
}

/* "From me@example.org Mon May  6 07:08:09 2024", then "Name: value". */
bool looks_mbox(const char *head, size_t len)
{
	char text[1024], *next;
	const char *colon;

	len = len < sizeof(text) - 1 ? len : sizeof(text) - 1;
	memcpy(text, head, len);
	text[len] = '\0';
	next = strchr(text, '\n');
	if (strncmp(text, "From ", 5) != 0 || next == NULL)
		return false;
	*next++ = '\0';
	colon = strchr(text, ':');
	if (colon == NULL || !isdigit((unsigned char)colon[-1]) || !isdigit((unsigned char)colon[1]))
		return false;
	len = strspn(next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");
	return len > 0 && next[len] == ':';
}

/* The beginning as a string without mark and white space; what is UTF-16 loses its NULs. */
static const char *beginning(const char *head, size_t len, char *text, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < room - 1; i++)
		if (head[i] != '\0')
			text[n++] = head[i];
	text[n] = '\0';
	if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
		text += 3;
	else if (strncmp(text, "\xFF\xFE", 2) == 0 || strncmp(text, "\xFE\xFF", 2) == 0)
		text += 2;
	return text + strspn(text, " \t\r\n");
}

static bool begins_html(const char *text)
{
	return strncasecmp(text, "<!doctype html", 14) == 0 ||
	       (strncasecmp(text, "<html", 5) == 0 && (text[5] == '>' || isspace((unsigned char)text[5])));
}

bool looks_declared_xml(const char *head, size_t len)
{
	char text[4096];

	return strncmp(beginning(head, len, text, sizeof(text)), "<?xml", 5) == 0;
}

bool looks_html(const char *head, size_t len)
{
	char text[4096];
	const char *at = beginning(head, len, text, sizeof(text));

	if (strncmp(at, "<?xml", 5) == 0)
		for (at++; *at != '\0'; at++)
			if (*at == '<' && begins_html(at))
				return true;
	return begins_html(at);
}

bool looks_xml(const char *head, size_t len)
{
	char text[4096];
	const char *at = beginning(head, len, text, sizeof(text));

	return at[0] == '<' && (isalpha((unsigned char)at[1]) || at[1] == '?' || at[1] == '!' || at[1] == '_');
}

static bool is_control(unsigned c)
{
	return (c < ' ' && strchr("\t\n\r\f\b\33", (int)c) == NULL) || c == 0 || c == 0x7F;
}

/* Few units of UTF-16 are control characters: an array of small numbers has many. */
static bool looks_utf16(const unsigned char *at, size_t len, bool big)
{
	size_t controls = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		unsigned unit = big ? at[i] * 256u + at[i + 1] : at[i + 1] * 256u + at[i];

		controls += unit < 256 && is_control(unit);
	}
	return controls <= len / 2 / 50;
}

bool looks_text(const char *head, size_t len)
{
	struct charset charset = charset_guess(head, len, NULL, false);
	size_t controls = 0;

	if (strncmp(charset.name, "UTF-32", 6) == 0)
		return true;
	if (strncmp(charset.name, "UTF-16", 6) == 0)
		return looks_utf16((const unsigned char *)head, len, strcmp(charset.name, "UTF-16BE") == 0);
	for (size_t i = 0; i < len; i++)
		controls += is_control((unsigned char)head[i]);
	/* random bytes have 10 % and are no UTF-8 */
	return controls < (strcmp(charset.name, "UTF-8") == 0 ? len / 10 + 1 : len / 50 + 1);
}

/* libmagic takes any text that begins with "P1 " for a picture, written as numbers. */
static bool looks_numbers(const char *head, size_t len)
{
	size_t i = 2;

	while (i < len && isspace((unsigned char)head[i]))
		i++;
	return i < len && (isdigit((unsigned char)head[i]) || head[i] == '#');
}

bool looks_readable(const char *mime, const char *head, size_t len)
{
	if (strcmp(mime, "image/svg+xml") == 0)
		return true;
	if (strncmp(mime, "image/x-portable-", 17) == 0)
		return !looks_numbers(head, len);
	return strncmp(mime, "image/", 6) != 0 && strncmp(mime, "audio/", 6) != 0 && strncmp(mime, "video/", 6) != 0 &&
	       strncmp(mime, "font/", 5) != 0 && strncmp(mime, "application/pgp", 15) != 0 &&
	       strcmp(mime, "application/postscript") != 0;
}

uint64_t looks_pixels(const char *description)
{
	uint64_t most = 0;
	unsigned long width, height;
	const char *w = strstr(description, "width="), *h = strstr(description, "height=");

	/* TIFF has its own way to say it */
	if (w != NULL && h != NULL && sscanf(w, "width=%9lu", &width) == 1 && sscanf(h, "height=%9lu", &height) == 1)
		most = (uint64_t)width * height;
	for (const char *at = description; *at != '\0'; at++)
		if (isdigit((unsigned char)*at) && (at == description || !isdigit((unsigned char)at[-1])) &&
			sscanf(at, "%9lu x %9lu", &width, &height) == 2 && (uint64_t)width * height > most)
			most = (uint64_t)width * height;
	return most;
}
