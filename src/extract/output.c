/* SPDX-License-Identifier: ISC */
#include "extract/output.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/utf8.h"
#include "extract/job.h"

enum {
	BUFFER_BYTES = 64 << 10,
	MAX_META_BYTES = 2000,
};

static struct {
	struct arena *arena;
	const char *mime;
	const char *meta[N_META];
	long pages;
	bool head_out;    /* the first line has been printed */
	bool any;         /* something else than white space came */
	bool after_cr;    /* the last byte was one: a \n that follows belongs to it */
	bool begun;       /* a byte of text came */
	char last;        /* the last byte printed */
	uint64_t n_bytes; /* of text, so far */
	int n_parts;
	struct utf8_stream utf8;
	struct str *clean; /* the piece at hand */
	size_t n;
	char buffer[BUFFER_BYTES];
} out;

static void print(const char *at, size_t len)
{
	while (len > 0) {
		ssize_t wrote = write(STDOUT_FILENO, at, len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			refuse(OUTPUT_GONE, "Nobody reads the text any more.");
		at += wrote;
		len -= (size_t)wrote;
	}
}

static void print_head(void)
{
	static const char *const names[N_META] = {"title", "author", "description", "published", "language"};
	struct str *head = str_new(out.arena);

	str_puts(head, "{\"kind\":");
	str_json_text(head, out.mime);
	for (int i = 0; i < N_META; i++)
		if (out.meta[i] != NULL) {
			str_printf(head, ",\"%s\":", names[i]);
			str_json_text(head, out.meta[i]);
		}
	if (out.pages > 0)
		str_printf(head, ",\"pages\":%ld", out.pages);
	str_puts(head, "}\n");
	print(head->at, head->len);
	out.head_out = true;
}

static void flush(void)
{
	if (!out.head_out)
		print_head();
	print(out.buffer, out.n);
	out.n = 0;
}

/* Clean text goes into the buffer. */
static void put(const char *at, size_t len)
{
	if (len == 0)
		return;
	out.n_bytes += len;
	if (out.n_bytes > job.max_bytes)
		refuse(FILE_TOO_LARGE, "Its text is longer than %llu bytes.", (unsigned long long)job.max_bytes);
	out.last = at[len - 1];
	while (len > 0) {
		size_t fits = BUFFER_BYTES - out.n < len ? BUFFER_BYTES - out.n : len;

		memcpy(out.buffer + out.n, at, fits);
		out.n += fits;
		at += fits;
		len -= fits;
		if (out.n == BUFFER_BYTES)
			flush();
	}
}

static bool has_ink(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)at[i] > ' ')
			return true;
	return false;
}

static void put_control(char c)
{
	if (c == '\r' || c == '\v')
		put("\n", 1);
	else if (c == '\f')
		put("\n\n", out.last == '\n' ? 1 : 2);
	out.after_cr = c == '\r';
}

static bool is_plain(char c)
{
	return ((unsigned char)c >= ' ' && c != 0x7F) || c == '\n' || c == '\t';
}

/* Valid UTF-8: only control characters are left to be dealt with. */
static void put_lines(const char *at, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t from = i += out.after_cr && at[i] == '\n';

		while (i < len && is_plain(at[i]))
			i++;
		out.after_cr = false;
		put(at + from, i - from);
		if (i < len)
			put_control(at[i++]);
	}
}

void output_begin(const char *mime)
{
	out.arena = job_arena();
	out.clean = str_new(out.arena);
	out.mime = mime;
}

struct arena *output_arena(void)
{
	return out.arena;
}

/* One line, without white space around it, of sane length. */
static const char *tidy(const char *value, size_t len)
{
	struct utf8_stream utf8 = {0};
	struct str *tidied = str_new(out.arena);
	size_t begin = 0;

	utf8_clean(&utf8, value, len < 4 * MAX_META_BYTES ? len : 4 * MAX_META_BYTES, true, tidied);
	for (size_t i = 0; i < tidied->len; i++)
		if ((unsigned char)tidied->at[i] < ' ' || tidied->at[i] == 0x7F)
			tidied->at[i] = ' ';
	while (begin < tidied->len && tidied->at[begin] == ' ')
		begin++;
	len = utf8_cut(tidied->at + begin, tidied->len - begin, MAX_META_BYTES);
	while (len > 0 && tidied->at[begin + len - 1] == ' ')
		len--;
	tidied->at[begin + len] = '\0';
	return len > 0 ? tidied->at + begin : NULL;
}

void output_meta(enum meta meta, const char *value, size_t len)
{
	if (out.meta[meta] == NULL && !out.head_out)
		out.meta[meta] = tidy(value, len);
}

void output_meta_text(enum meta meta, const char *value)
{
	if (value != NULL)
		output_meta(meta, value, strlen(value));
}

void output_pages(long pages)
{
	out.pages = pages;
}

static void add_member(struct str *line, const char *name, const char *value)
{
	const char *tidied = value != NULL ? tidy(value, strlen(value)) : NULL;

	if (tidied == NULL)
		return;
	str_printf(line, ",\"%s\":", name);
	str_json_text(line, tidied);
}

void output_part(const struct part *part)
{
	struct str *line;

	if (!job.parts) {
		if (out.begun)
			output_puts(out.last == '\n' ? "\n" : "\n\n");
		return;
	}
	line = str_new(out.arena);
	str_printf(line, "\f{\"part\":%d", ++out.n_parts);
	add_member(line, "title", part->title);
	add_member(line, "author", part->author);
	add_member(line, "published", part->published);
	str_puts(line, "}\n");
	if (out.begun && out.last != '\n')
		put("\n", 1);
	put(line->at, line->len);
	out.begun = false;
}

void output_text(const char *at, size_t len)
{
	if (len == 0)
		return;
	str_clear(out.clean);
	utf8_clean(&out.utf8, at, len, false, out.clean);
	if (!out.any)
		out.any = has_ink(out.clean->at, out.clean->len);
	out.begun = true;
	put_lines(out.clean->at, out.clean->len);
}

void output_puts(const char *text)
{
	output_text(text, strlen(text));
}

bool output_any(void)
{
	return out.any;
}

static void end_text(void)
{
	str_clear(out.clean);
	utf8_clean(&out.utf8, "", 0, true, out.clean);
	put_lines(out.clean->at, out.clean->len);
	if (!out.any)
		refuse(FILE_NO_TEXT, "There is no text in it.");
}

void output_end(void)
{
	end_text();
	if (out.last != '\n')
		put("\n", 1);
	flush();
}

void output_end_as_is(void)
{
	end_text();
	flush();
}
