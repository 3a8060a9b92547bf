/* SPDX-License-Identifier: ISC
 * A delimiter begins with CR, and no other byte of it is one: what turns out to be no delimiter can begin another only
 * at the byte that did not fit.  So nothing is ever looked at twice, and what is held back between two pieces is a
 * number. */
#include "web/multipart.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/utf8.h"
#include "web/param.h"

/* What may be there once. */
enum seen { DISPOSITION = 1, TYPE = 2, ENCODING = 4, NAME = 8, FILENAME = 16, EXTENDED = 32 };

__attribute__((format(printf, 4, 5))) static int refuse(
	struct multipart *m, const char *code, size_t at, const char *format, ...)
{
	va_list args;

	m->state = MULTIPART_BROKEN;
	m->fault.code = code;
	m->fault.at = at;
	va_start(args, format);
	vsnprintf(m->fault.what, sizeof(m->fault.what), format, args);
	va_end(args);
	return -1;
}

/* At a place of the headers. */
static int refuse_header(struct multipart *m, const char *code, const char *at, const char *what)
{
	return refuse(m, code, m->head_at + (size_t)(at - m->head->at), "%s", what);
}

/* ---- the request's Content-Type */

/* RFC 2046 section 5.1.1. */
static int take_boundary(struct multipart *m, const struct str *value, size_t at)
{
	if (value->len == 0 || value->len > MULTIPART_MAX_BOUNDARY)
		return refuse(m, "multipart_boundary", at, "a boundary of %zu characters, not 1 to %d", value->len,
			MULTIPART_MAX_BOUNDARY);
	for (size_t i = 0; i < value->len; i++)
		if (!param_is_plain(value->at[i], "'()+_,-./:=? "))
			return refuse(m, "multipart_boundary", at, "a boundary with a character that none may have");
	if (value->at[value->len - 1] == ' ')
		return refuse(m, "multipart_boundary", at, "a boundary that ends in a space");
	m->delimiter_len = 4 + value->len;
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, value->at, value->len);
	return 0;
}

static int take_request_type(struct multipart *m, const char *text)
{
	struct param_reader in = {text, text == NULL ? NULL : text + strlen(text)};
	struct param param;
	int found;

	if (text == NULL || (size_t)(in.end - text) > m->limits.header || param_read_type(&in, m->type) < 0 ||
		strcmp(m->type->at, "multipart/form-data") != 0)
		return refuse(m, "multipart_type", 0, "a body that is no multipart/form-data");
	while ((found = param_read(&in, &param, m->value)) > 0) {
		size_t at = (size_t)(param.name - text);

		if (!param_equals(param.name, param.name_len, "boundary"))
			continue;
		if (m->delimiter_len > 0)
			return refuse(m, "multipart_boundary", at, "two boundaries");
		if (take_boundary(m, m->value, at) < 0)
			return -1;
	}
	if (found < 0)
		return refuse(m, "multipart_boundary", (size_t)(in.at - text), "a Content-Type that cannot be read");
	if (m->delimiter_len == 0)
		return refuse(m, "multipart_boundary", 0, "a Content-Type without a boundary");
	return 0;
}

/* ---- a part's headers */

static int note(struct multipart *m, enum seen what, const char *at, const char *twice)
{
	if ((m->seen & what) != 0)
		return refuse_header(m, "multipart_header", at, twice);
	m->seen |= what;
	return 0;
}

/* A field's or file's name, whatever it was written in. */
static int check_name(struct multipart *m, const struct str *name, size_t limit, const char *at)
{
	uint32_t code;
	int n;

	if (name->len > limit)
		return refuse_header(m, "multipart_name", at, "a name that is too long");
	for (size_t i = 0; i < name->len; i += (size_t)n) {
		n = utf8_read(name->at + i, name->len - i, &code);
		if (n == 0)
			return refuse_header(m, "multipart_name", at, "a name that is not UTF-8");
		if (code < 0x20 || (code >= 0x7F && code < 0xA0))
			return refuse_header(m, "multipart_name", at, "a name with a control character");
	}
	return 0;
}

static int take_filename(struct multipart *m, const char *at, bool extended)
{
	if (note(m, extended ? EXTENDED : FILENAME, at, "a file with two names") < 0)
		return -1;
	if (extended) {
		if (param_decode(m->value, m->filename) < 0)
			return refuse_header(m, "multipart_name", at, "a filename* that cannot be read");
		return check_name(m, m->filename, m->limits.filename, at);
	}
	if (check_name(m, m->value, m->limits.filename, at) < 0)
		return -1;
	if ((m->seen & EXTENDED) == 0) {
		str_clear(m->filename);
		str_add(m->filename, m->value->at, m->value->len);
	}
	return 0;
}

static int take_name(struct multipart *m, const char *at)
{
	if (note(m, NAME, at, "a part with two names") < 0 || check_name(m, m->value, m->limits.name, at) < 0)
		return -1;
	str_clear(m->name);
	str_add(m->name, m->value->at, m->value->len);
	return 0;
}

static int take_disposition(struct multipart *m, struct param_reader in)
{
	struct param param;
	size_t len = param_token(&in);
	int found;

	if (note(m, DISPOSITION, in.at, "Content-Disposition twice") < 0)
		return -1;
	if (!param_equals(in.at, len, "form-data"))
		return refuse_header(m, "multipart_header", in.at, "a Content-Disposition that is not form-data");
	in.at += len;
	while ((found = param_read(&in, &param, m->value)) > 0) {
		int taken = 0;

		if (param_equals(param.name, param.name_len, "name"))
			taken = take_name(m, param.name);
		else if (param_equals(param.name, param.name_len, "filename"))
			taken = take_filename(m, param.name, false);
		else if (param_equals(param.name, param.name_len, "filename*"))
			taken = take_filename(m, param.name, true);
		if (taken < 0)
			return -1;
	}
	if (found < 0)
		return refuse_header(m, "multipart_header", in.at, "a Content-Disposition that cannot be read");
	return 0;
}

/* A type is only what the client believes: one that cannot be read is as good as none. */
static int take_type(struct multipart *m, struct param_reader in)
{
	struct param param;

	if (note(m, TYPE, in.at, "Content-Type twice") < 0)
		return -1;
	if (!utf8_valid(in.at, (size_t)(in.end - in.at)))
		return 0;
	str_clear(m->content_type);
	for (const char *at = in.at; at < in.end; at++)
		str_putc(m->content_type, (char)((unsigned char)*at < ' ' ? ' ' : *at));
	m->part.content_type = m->content_type->at;
	if (param_read_type(&in, m->type) < 0)
		return 0;
	m->part.type = m->type->at;
	while (param_read(&in, &param, m->value) > 0) {
		struct param_reader value = {.at = m->value->at, .end = m->value->at + m->value->len};

		if (m->part.charset != NULL || !param_equals(param.name, param.name_len, "charset") ||
			m->value->len == 0 || param_token(&value) != m->value->len)
			continue;
		param_put_lower(m->charset, m->value->at, m->value->len);
		m->part.charset = m->charset->at;
	}
	return 0;
}

static int take_encoding(struct multipart *m, struct param_reader in)
{
	size_t len = param_token(&in);

	if (note(m, ENCODING, in.at, "Content-Transfer-Encoding twice") < 0)
		return -1;
	if (param_equals(in.at, len, "base64") || param_equals(in.at, len, "quoted-printable"))
		return refuse_header(m, "multipart_encoding", in.at, "a part in an encoding: it must be sent as it is");
	return 0;
}

/* One header, without its line end. */
static int take_header(struct multipart *m, struct param_reader in)
{
	const char *name = in.at;
	size_t len = param_token(&in);

	in.at += len;
	if (len == 0 || in.at == in.end || *in.at != ':')
		return refuse_header(m, "multipart_header", name, "a header that has no name");
	in.at++;
	param_skip_space(&in);
	while (in.end > in.at && param_is_space(in.end[-1]))
		in.end--;
	if (param_equals(name, len, "content-disposition"))
		return take_disposition(m, in);
	if (param_equals(name, len, "content-type"))
		return take_type(m, in);
	if (param_equals(name, len, "content-transfer-encoding"))
		return take_encoding(m, in);
	return 0;
}

/* What is behind the last slash of either kind; nothing when that names a directory. */
static const char *base_name(const char *name)
{
	const char *base = name;

	for (; *name != '\0'; name++)
		if (*name == '/' || *name == '\\')
			base = name + 1;
	return strcmp(base, ".") == 0 || strcmp(base, "..") == 0 ? "" : base;
}

/* The headers are all there, up to their empty line. */
static int take_headers(struct multipart *m)
{
	const char *at = m->head->at, *end = at + m->head->len - 2;

	m->seen = 0;
	memset(&m->part, 0, sizeof(m->part));
	while (at < end) {
		struct param_reader in = {.at = at};

		do
			at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
		while (at < end && (*at == ' ' || *at == '\t'));
		in.end = at - 2;
		if (take_header(m, in) < 0)
			return -1;
	}
	if ((m->seen & DISPOSITION) == 0)
		return refuse_header(m, "multipart_header", m->head->at, "a part without a Content-Disposition");
	if ((m->seen & NAME) == 0 || m->name->len == 0)
		return refuse_header(m, "multipart_name", m->head->at, "a part without a name");
	m->part.name = m->name->at;
	if ((m->seen & (FILENAME | EXTENDED)) != 0)
		m->part.filename = base_name(m->filename->at);
	m->state = MULTIPART_CONTENT;
	/* A part without a body has no line end of its own before the boundary. */
	m->matched = m->borrowed = 2;
	return m->events.on_part(m->events.arg, &m->part);
}

/* ---- the body */

static int give(struct multipart *m, const char *bytes, size_t len)
{
	if (m->state != MULTIPART_CONTENT || len == 0)
		return 0;
	return m->events.on_data(m->events.arg, bytes, len);
}

/* What looked like a delimiter is content after all. */
static int give_matched(struct multipart *m)
{
	size_t borrowed = m->borrowed, matched = m->matched;

	m->matched = m->borrowed = 0;
	return give(m, m->delimiter + borrowed, matched - borrowed);
}

static int end_content(struct multipart *m)
{
	bool in_part = m->state == MULTIPART_CONTENT;

	m->matched = m->borrowed = 0;
	m->state = MULTIPART_BOUNDARY;
	m->last = '\0';
	return in_part ? m->events.on_part_end(m->events.arg) : 0;
}

/* Where a delimiter begins, or may begin at the very end; `len` when nowhere. */
static size_t find_delimiter(const struct multipart *m, const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len;

	while ((at = memchr(at, '\r', (size_t)(end - at))) != NULL) {
		size_t n = (size_t)(end - at) < m->delimiter_len ? (size_t)(end - at) : m->delimiter_len;

		if ((n < 2 || at[1] == '\n') && memcmp(at, m->delimiter, n) == 0)
			return (size_t)(at - bytes);
		at++;
	}
	return len;
}

/* Content, preamble: how many bytes were taken (0: look again), or -1. */
static ssize_t take_content(struct multipart *m, const char *bytes, size_t len)
{
	size_t n = 0;

	if (m->matched == 0) {
		n = find_delimiter(m, bytes, len);
		if (give(m, bytes, n) < 0)
			return -1;
	}
	for (; n < len && m->matched < m->delimiter_len; n++) {
		if (bytes[n] != m->delimiter[m->matched])
			return give_matched(m) < 0 ? -1 : (ssize_t)n;
		m->matched++;
	}
	if (m->matched == m->delimiter_len && end_content(m) < 0)
		return -1;
	return (ssize_t)n;
}

/* At the LF that ends a boundary's line. */
static int begin_headers(struct multipart *m)
{
	if (m->n_parts == m->limits.parts)
		return refuse(m, "multipart_parts", m->offset, "more than %zu parts", m->limits.parts);
	m->n_parts++;
	m->state = MULTIPART_HEADERS;
	str_clear(m->head);
	m->head_at = m->offset + 1;
	m->line = 0;
	return 0;
}

/* Behind a boundary come two hyphens, or white space that a gateway has added, and the line's end. */
static int take_boundary_byte(struct multipart *m, char c)
{
	char last = m->last;

	m->last = c;
	if (last == '-' && c == '-') {
		m->state = MULTIPART_EPILOGUE;
		return 0;
	}
	if (last == '\r' && c == '\n')
		return begin_headers(m);
	if ((last == '\0' && c == '-') || (last != '-' && last != '\r' && (c == ' ' || c == '\t' || c == '\r')))
		return 0;
	return refuse(m, "multipart_syntax", m->offset,
		c == '\n' ? "a line that ends in LF without CR" : "a boundary with something behind it in its line");
}

static int take_header_byte(struct multipart *m, char c)
{
	char before = m->head->len == m->line ? '\n' : m->head->at[m->head->len - 1];

	if (m->head->len == m->limits.header)
		return refuse(m, "multipart_header", m->offset, "headers of more than %zu bytes", m->limits.header);
	if (c == '\n' && before != '\r')
		return refuse(m, "multipart_header", m->offset, "a line that ends in LF without CR");
	if (before == '\r' && c != '\n')
		return refuse(m, "multipart_header", m->offset, "a CR without LF");
	if (((unsigned char)c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7F)
		return refuse(m, "multipart_header", m->offset, "a control character in a header");
	str_putc(m->head, c);
	if (c != '\n')
		return 0;
	if (m->head->len - m->line == 2)
		return take_headers(m);
	m->line = m->head->len;
	return 0;
}

static ssize_t take(struct multipart *m, const char *bytes, size_t len)
{
	switch (m->state) {
	case MULTIPART_PREAMBLE:
	case MULTIPART_CONTENT:
		return take_content(m, bytes, len);
	case MULTIPART_BOUNDARY:
		return take_boundary_byte(m, *bytes) < 0 ? -1 : 1;
	case MULTIPART_HEADERS:
		return take_header_byte(m, *bytes) < 0 ? -1 : 1;
	case MULTIPART_EPILOGUE:
		return (ssize_t)len;
	case MULTIPART_BROKEN:
		break;
	}
	return -1;
}

int multipart_open(struct multipart *m, struct arena *arena, const char *content_type,
	const struct multipart_events *events, const struct multipart_limits *limits)
{
	struct str **texts[] = {&m->head, &m->value, &m->name, &m->filename, &m->content_type, &m->type, &m->charset};

	memset(m, 0, sizeof(*m));
	m->events = *events;
	if (limits != NULL)
		m->limits = *limits;
	m->limits.parts = m->limits.parts > 0 ? m->limits.parts : MULTIPART_PARTS;
	m->limits.header = m->limits.header > 0 ? m->limits.header : MULTIPART_HEADER;
	m->limits.name = m->limits.name > 0 ? m->limits.name : MULTIPART_NAME;
	m->limits.filename = m->limits.filename > 0 ? m->limits.filename : MULTIPART_FILENAME;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = str_new(arena);
	/* The first boundary may stand at the very beginning. */
	m->matched = m->borrowed = 2;
	return take_request_type(m, content_type);
}

int multipart_feed(struct multipart *m, const char *bytes, size_t len)
{
	const char *end = bytes + len;

	if (m->state == MULTIPART_BROKEN)
		return -1;
	while (bytes < end) {
		ssize_t taken = take(m, bytes, (size_t)(end - bytes));

		if (taken < 0) {
			m->state = MULTIPART_BROKEN;
			return -1;
		}
		bytes += taken;
		m->offset += (size_t)taken;
	}
	return 0;
}

int multipart_end(struct multipart *m)
{
	if (m->state == MULTIPART_BROKEN)
		return -1;
	if (m->state == MULTIPART_EPILOGUE)
		return 0;
	return refuse(m, "multipart_incomplete", m->offset,
		m->state == MULTIPART_PREAMBLE ? "the first boundary has not come"
					       : "the closing boundary has not come");
}
