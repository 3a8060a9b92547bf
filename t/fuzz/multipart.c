/* SPDX-License-Identifier: ISC
 * A form is the same whole, in pieces and byte by byte, fault and place included; what it tells is as multipart.h says;
 * and written anew it is read as the same.  The first line of an input is the Content-Type, the rest the body. */
#include "web/multipart.h"

#include "base/utf8.h"
#include "fuzz.h"

enum { MAX_PARTS = 20 };

struct told {
	char *name, *filename, *content_type; /* copies; NULL as in struct multipart_part */
	struct str *data;
};

/* What came of a form. */
struct form {
	struct arena *arena;
	struct told parts[MAX_PARTS];
	int n_parts;
	bool in_part;
	struct str *text; /* all of it, to compare */
	int result;
	struct multipart_fault fault;
};

static void check_name(const char *name, size_t limit)
{
	size_t len = strlen(name);

	must(len <= limit && utf8_valid(name, len));
	for (size_t i = 0; i < len; i++)
		must((unsigned char)name[i] >= ' ' && name[i] != 0x7F);
}

static void check_word(const char *word)
{
	must(*word != '\0');
	for (; *word != '\0'; word++)
		must(*word > ' ' && *word < 0x7F && (*word < 'A' || *word > 'Z'));
}

static void check_part(const struct multipart_part *part)
{
	must(part->name[0] != '\0');
	check_name(part->name, MULTIPART_NAME);
	if (part->filename != NULL) {
		check_name(part->filename, MULTIPART_FILENAME);
		must(strpbrk(part->filename, "/\\") == NULL);
		must(strcmp(part->filename, ".") != 0 && strcmp(part->filename, "..") != 0);
	}
	if (part->content_type != NULL)
		check_name(part->content_type, MULTIPART_HEADER);
	if (part->type != NULL)
		check_word(part->type);
	if (part->charset != NULL)
		check_word(part->charset);
	must(part->charset == NULL || part->type != NULL);
}

static int on_part(void *arg, const struct multipart_part *part)
{
	struct form *form = arg;
	struct told *told = &form->parts[form->n_parts];

	must(!form->in_part && form->n_parts < MAX_PARTS);
	check_part(part);
	form->in_part = true;
	form->n_parts++;
	told->name = arena_strdup(form->arena, part->name);
	told->filename = arena_strdup(form->arena, part->filename);
	told->content_type = arena_strdup(form->arena, part->content_type);
	told->data = str_new(form->arena);
	str_printf(form->text, "\n[%s|%s|%s|%s|%s]", part->name, part->filename == NULL ? "-" : part->filename,
		part->content_type == NULL ? "-" : part->content_type, part->type == NULL ? "-" : part->type,
		part->charset == NULL ? "-" : part->charset);
	return 0;
}

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct form *form = arg;

	must(form->in_part && len > 0);
	str_add(form->parts[form->n_parts - 1].data, bytes, len);
	str_add(form->text, bytes, len);
	return 0;
}

static int on_part_end(void *arg)
{
	struct form *form = arg;

	must(form->in_part);
	form->in_part = false;
	str_puts(form->text, "[end]");
	return 0;
}

enum how { WHOLE, PIECES, BYTES };

static struct form *read_form(struct arena *arena, const char *type, const char *body, size_t len, enum how how)
{
	struct form *form = arena_get(arena, sizeof(*form));
	const struct multipart_events events = {on_part, on_data, on_part_end, form};
	const struct multipart_limits limits = {.parts = MAX_PARTS};
	struct cuts cuts = cuts_of(body, len);
	struct multipart m;
	size_t n;

	form->arena = arena;
	form->text = str_new(arena);
	form->result = multipart_open(&m, arena, type, &events, &limits);
	for (size_t at = 0; at < len && form->result == 0; at += n) {
		char *piece;

		n = how == WHOLE ? len : how == BYTES ? 1 : next_cut(&cuts, len - at);
		piece = how == BYTES ? NULL : exact(body + at, n);
		form->result = multipart_feed(&m, piece == NULL ? body + at : piece, n);
		free(piece);
	}
	if (form->result == 0)
		form->result = multipart_end(&m);
	form->fault = m.fault;
	must(form->result != 0 || !form->in_part);
	must((form->result == 0) == (form->fault.code == NULL));
	must(form->result == 0 || form->fault.what[0] != '\0');
	return form;
}

static void check_same(const struct form *one, const struct form *two)
{
	must(one->result == two->result && same_text(one->text, two->text));
	if (one->result == 0)
		return;
	must(strcmp(one->fault.code, two->fault.code) == 0 && strcmp(one->fault.what, two->fault.what) == 0);
	must(one->fault.at == two->fault.at);
}

static void put_quoted(struct str *out, const char *name)
{
	str_putc(out, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			str_putc(out, '\\');
		str_putc(out, *name);
	}
	str_putc(out, '"');
}

/* The form with another boundary, or NULL when one of its types is too long to be written with all the rest. */
static struct str *write_form(const struct form *form, const char *boundary)
{
	struct str *out = str_new(form->arena);

	for (int i = 0; i < form->n_parts; i++) {
		const struct told *part = &form->parts[i];

		if (part->content_type != NULL && strlen(part->content_type) > MULTIPART_HEADER / 2)
			return NULL;
		str_printf(out, "--%s\r\nContent-Disposition: form-data; name=", boundary);
		put_quoted(out, part->name);
		if (part->filename != NULL) {
			str_puts(out, "; filename=");
			put_quoted(out, part->filename);
		}
		if (part->content_type != NULL)
			str_printf(out, "\r\nContent-Type: %s", part->content_type);
		str_puts(out, "\r\n\r\n");
		str_add(out, part->data->at, part->data->len);
		str_puts(out, "\r\n");
	}
	str_printf(out, "--%s--\r\n", boundary);
	return out;
}

/* A boundary that the form does not hold. */
static const char *choose_boundary(struct arena *arena, const char *body, size_t len)
{
	for (int i = 0;; i++) {
		const char *boundary = arena_printf(arena, "exedra-%d", i);

		if (memmem(body, len, boundary, strlen(boundary)) == NULL)
			return boundary;
	}
}

static void check_written(struct arena *arena, const struct form *form, const char *body, size_t len)
{
	const char *boundary = choose_boundary(arena, body, len);
	struct str *written = write_form(form, boundary);

	if (written != NULL)
		check_same(form, read_form(arena, arena_printf(arena, "multipart/form-data; boundary=%s", boundary),
					 written->at, written->len, WHOLE));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *body = (const char *)bytes, *end = body + len, *line, *type;
	struct arena *arena = arena_new();
	struct form *form;
	size_t n = 0;

	line = next_line(&body, end, &n);
	type = arena_copy(arena, line == NULL ? "" : line, n);
	len = (size_t)(end - body);
	form = read_form(arena, type, body, len, WHOLE);
	check_same(form, read_form(arena, type, body, len, PIECES));
	check_same(form, read_form(arena, type, body, len, BYTES));
	if (form->result == 0)
		check_written(arena, form, body, len);
	arena_free(arena);
	return 0;
}
