/* SPDX-License-Identifier: ISC
 * Promised: a form is the same however its bytes are cut; what is not framed, named or ended as it should be is refused
 * with the right code and place; memory and time do not depend on what is in it (hostile-cases.md, group M). */
#include "web/multipart.h"

#include <malloc.h>
#include <stdlib.h>

#include "tap.h"

#define TYPE "multipart/form-data; boundary=b"
#define NAMED(name) "Content-Disposition: form-data; name=\"" name "\""
#define FILED(rest) "Content-Disposition: form-data; name=\"f\"; " rest
#define NL "\r\n"
#define PART(headers, value) "--b\r\n" headers "\r\n\r\n" value "\r\n"
#define FIELD(name, value) PART(NAMED(name), value)
#define HEAD(headers) PART(headers, "1") END
#define END "--b--\r\n"

#define SYNTAX "multipart_syntax"
#define HEADER "multipart_header"
#define NAME "multipart_name"
#define INCOMPLETE "multipart_incomplete"

/* What came of a form: name(filename){type;charset}=content$ for each part, and the fault. */
struct outcome {
	struct str *text;
	int stop_at; /* the callback that is to say stop, counted from 1; 0 = none */
	int calls;
	struct multipart_fault fault;
	int result;
};

static int count_call(struct outcome *outcome)
{
	return ++outcome->calls == outcome->stop_at ? -1 : 0;
}

static int on_part(void *arg, const struct multipart_part *part)
{
	struct outcome *outcome = arg;

	str_puts(outcome->text, part->name);
	if (part->filename != NULL)
		str_printf(outcome->text, "(%s)", part->filename);
	if (part->type != NULL)
		str_printf(outcome->text, "{%s%s%s}", part->type, part->charset != NULL ? ";" : "",
			part->charset != NULL ? part->charset : "");
	if (part->content_type != NULL && (part->type == NULL || strcmp(part->type, part->content_type) != 0))
		str_printf(outcome->text, "<%s>", part->content_type);
	str_putc(outcome->text, '=');
	return count_call(outcome);
}

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct outcome *outcome = arg;

	str_add(outcome->text, bytes, len);
	return len == 0 ? -1 : count_call(outcome);
}

static int on_part_end(void *arg)
{
	struct outcome *outcome = arg;

	str_putc(outcome->text, '$');
	return count_call(outcome);
}

static int open_form(struct multipart *m, struct arena *arena, const char *type, struct outcome *outcome, size_t parts)
{
	const struct multipart_events events = {on_part, on_data, on_part_end, outcome};
	const struct multipart_limits limits = {.parts = parts};

	return multipart_open(m, arena, type, &events, &limits);
}

/* A piece in memory of its own size, so that a read behind it is seen. */
static int feed_copy(struct multipart *m, const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	int result;

	result = multipart_feed(m, memcpy(copy, bytes, len), len);
	free(copy);
	return result;
}

/* Feed a body in pieces that end at `cut`, or each of one byte when `cut` is larger than the body. */
static void read_form(
	struct outcome *outcome, struct arena *arena, const char *type, const char *body, size_t len, size_t cut)
{
	size_t piece = cut > len ? 1 : cut, at = 0;
	struct multipart m;

	memset(outcome, 0, sizeof(*outcome));
	outcome->text = str_new(arena);
	outcome->result = open_form(&m, arena, type, outcome, 5);
	while (outcome->result == 0 && at < len) {
		size_t n = cut <= len && at > 0 ? len - at : piece;

		outcome->result = feed_copy(&m, body + at, n);
		at += n;
		if (n == 0)
			piece = len;
	}
	if (outcome->result == 0)
		outcome->result = multipart_end(&m);
	outcome->fault = m.fault;
}

static const struct {
	const char *body;
	size_t len;
	const char *code; /* NULL: accepted */
	size_t at;
	const char *wanted; /* what has been told until then */
	size_t wanted_len;
} rows[] = {
#define T(text) text, sizeof(text) - 1
#define GOOD(body, wanted)                                                                                             \
	{                                                                                                              \
		T(body), NULL, 0, T(wanted)                                                                            \
	}
#define BAD(body, code, before, wanted)                                                                                \
	{                                                                                                              \
		T(body), code, sizeof(before) - 1, T(wanted)                                                           \
	}
	/* as clients send it */
	GOOD(FIELD("a", "1") END, "a=1$"),
	GOOD(FIELD("a", "1") FIELD("c", "2") "--b--", "a=1$c=2$"),
	GOOD(NL FIELD("a", "1") END, "a=1$"),
	GOOD(PART(FILED("filename=\"x.txt\"") NL "Content-Type: text/plain", "hello") END,
		"f(x.txt){text/plain}=hello$"),
	GOOD(PART(FILED("filename=\"\"") NL "Content-Type: application/octet-stream", "") END,
		"f(){application/octet-stream}=$"),
	GOOD(PART(FILED("filename=x.txt") NL "Content-Length: 5" NL "X-Other: \xe9", "hello") END, "f(x.txt)=hello$"),
	GOOD(PART("Content-Type: Text/HTML; Charset=UTF-8" NL NAMED("a") NL "Content-Transfer-Encoding: binary", "1")
			END,
		"a{text/html;utf-8}<Text/HTML; Charset=UTF-8>=1$"),
	GOOD(FIELD("a", "1") FIELD("a", "2") END, "a=1$a=2$"),
	GOOD(END, ""),
	GOOD("--b--", ""),
	/* a part without a body ends in its headers' empty line */
	GOOD("--b\r\n" NAMED("a") NL "\r\n--b--", "a=$"),
	GOOD("--b\r\n" NAMED("a") NL "\r\n--b\r\n" NAMED("c") NL NL "\r\n--b--", "a=$c=$"),
	/* around it */
	GOOD("This is a preamble.\r\n--c\r\n-- b\r\n" FIELD("a", "1") END, "a=1$"),
	GOOD("x--b\r\n" NL FIELD("a", "1") END, "a=1$"),
	GOOD(FIELD("a", "1") END "an epilogue\r\n" FIELD("evil", "1") END, "a=1$"),
	GOOD(FIELD("a", "1") "--b--anything", "a=1$"),
	GOOD("--b \t \r\n" NAMED("a") "\r\n\r\n1\r\n--b \r\n" NAMED("c") "\r\n\r\n2\r\n--b--  \r\n", "a=1$c=2$"),
	/* contents that are nearly delimiters */
	GOOD(FIELD("a", "1\r\n--") END, "a=1\r\n--$"),
	GOOD(FIELD("a", "1\r") END, "a=1\r$"),
	GOOD(FIELD("a", "1\r\n") END, "a=1\r\n$"),
	GOOD(FIELD("a", "\r\n\r\n") END, "a=\r\n\r\n$"),
	GOOD(FIELD("a", "\r\r\n\r\n-\r\n--\r\n--c--b--") END, "a=\r\r\n\r\n-\r\n--\r\n--c--b--$"),
	GOOD(FIELD("a", "\n--b--\r--b--\n") END, "a=\n--b--\r--b--\n$"),
	GOOD(FIELD("a", "-") END, "a=-$"),
	GOOD(FIELD("a", "--") END, "a=--$"),
	GOOD(FIELD("a", "--\r\n--B--\r\n") END, "a=--\r\n--B--\r\n$"),
	GOOD(FIELD("a", "x\0y\xff\x01") END, "a=x\0y\xff\x01$"),
	/* how names are written */
	GOOD(HEAD("content-DISPOSITION:FORM-DATA;NAME=a"), "a=1$"),
	GOOD(HEAD("Content-Disposition: \t form-data \t ; \t name=\"a\" ; "), "a=1$"),
	GOOD(HEAD("Content-Disposition: form-data; size=1; name=a[]; x=\"y\""), "a[]=1$"),
	GOOD(HEAD(NAMED("a b;c=d, \xc3\xa9\xf0\x9f\x98\x80'")), "a b;c=d, \xc3\xa9\xf0\x9f\x98\x80'=1$"),
	GOOD(HEAD(NAMED("a\\\"b\\\\c\\d")), "a\"b\\c\\d=1$"),
	GOOD(HEAD(NAMED("a%22%0D%0A")), "a%22%0D%0A=1$"),
	GOOD(HEAD("Content-Disposition:\r\n form-data;\r\n\tname=\"a\";\r\n filename=x\r\nX:\r\n y"), "a(x)=1$"),
	GOOD(HEAD("Content-Type: text/plain;\r\n charset=\"latin1\"\r\n" NAMED("a")),
		"a{text/plain;latin1}<text/plain;   charset=\"latin1\">=1$"),
	GOOD(HEAD("Content-Type: a/b \r\n \r\n" NAMED("a")), "a{a/b}=1$"),
	/* files' names: labels, never paths */
	GOOD(HEAD(FILED("filename=\"C:\\dir\\x.txt\"")), "f(x.txt)=1$"),
	GOOD(HEAD(FILED("filename=\"..\\\\..\\\\x.txt\"")), "f(x.txt)=1$"),
	GOOD(HEAD(FILED("filename=\"../../x.txt\"")), "f(x.txt)=1$"),
	GOOD(HEAD(FILED("filename=\"/\"")), "f()=1$"),
	GOOD(HEAD(FILED("filename=\"..\"")), "f()=1$"),
	GOOD(HEAD(FILED("filename=\"x/.\"")), "f()=1$"),
	GOOD(HEAD(FILED("filename=\"...\"")), "f(...)=1$"),
	GOOD(HEAD(FILED("filename=\"--help.pdf;$(id)`x`\"")), "f(--help.pdf;$(id)`x`)=1$"),
	GOOD(HEAD(FILED("filename*=UTF-8''..%2f..%2Fx.txt")), "f(x.txt)=1$"),
	GOOD(HEAD(FILED("filename*=utf-8'en'%e2%82%ac%20rates")), "f(\xe2\x82\xac rates)=1$"),
	GOOD(HEAD(FILED("filename*=iso-8859-1''%a3%20x")), "f(\xc2\xa3 x)=1$"),
	GOOD(HEAD(FILED("filename=\"e.txt\"; filename*=utf-8''%c3%a9.txt")), "f(\xc3\xa9.txt)=1$"),
	GOOD(HEAD(FILED("filename*=utf-8''%c3%a9.txt; filename=\"e.txt\"")), "f(\xc3\xa9.txt)=1$"),
	GOOD(HEAD(FILED("filename*=utf-8''")), "f()=1$"),
	/* types that cannot be read are none */
	GOOD(HEAD(NAMED("a") NL "Content-Type: text"), "a<text>=1$"),
	GOOD(HEAD(NAMED("a") NL "Content-Type:"), "a<>=1$"),
	GOOD(HEAD(NAMED("a") NL "Content-Type: \xe9/x"), "a=1$"),
	GOOD(HEAD(NAMED("a") NL "Content-Type: a/b; charset=\"x y\""), "a{a/b}<a/b; charset=\"x y\">=1$"),
	GOOD(HEAD(NAMED("a") NL "Content-Type: a/b c"), "a{a/b}<a/b c>=1$"),
	GOOD(HEAD(NAMED("a") NL "Content-Transfer-Encoding: utf-8"), "a=1$"),
	/* five parts are allowed here */
	GOOD(FIELD("a", "") FIELD("a", "") FIELD("a", "") FIELD("a", "") FIELD("a", "") END, "a=$a=$a=$a=$a=$"),
	BAD(FIELD("a", "") FIELD("a", "") FIELD("a", "") FIELD("a", "") FIELD("a", "") FIELD("a", "") END,
		"multipart_parts", FIELD("a", "") FIELD("a", "") FIELD("a", "") FIELD("a", "") FIELD("a", "") "--b\r",
		"a=$a=$a=$a=$a=$"),
	/* the end has not come */
	BAD("", INCOMPLETE, "", ""),
	BAD("{\"a\":1}", INCOMPLETE, "{\"a\":1}", ""),
	BAD(FIELD("a", "1"), INCOMPLETE, FIELD("a", "1"), "a=1"),
	BAD(FIELD("a", "1") "--b", INCOMPLETE, FIELD("a", "1") "--b", "a=1$"),
	BAD(FIELD("a", "1") "--b-", INCOMPLETE, FIELD("a", "1") "--b-", "a=1$"),
	BAD(FIELD("a", "1") "--b\r\n", INCOMPLETE, FIELD("a", "1") "--b\r\n", "a=1$"),
	BAD(FIELD("a", "1") "--b \r", INCOMPLETE, FIELD("a", "1") "--b \r", "a=1$"),
	BAD("--b\r\n" NAMED("a"), INCOMPLETE, "--b\r\n" NAMED("a"), ""),
	BAD("--b\r\n" NAMED("a") NL, INCOMPLETE, "--b\r\n" NAMED("a") NL, ""),
	BAD("--b\r\n" NAMED("a") NL NL, INCOMPLETE, "--b\r\n" NAMED("a") NL NL, "a="),
	BAD("--b\r\n" NAMED("a") NL NL "--b", INCOMPLETE, "--b\r\n" NAMED("a") NL NL "--b", "a=$"),
	BAD("--b\r\n" NAMED("a") NL NL "1\n--b--\n", INCOMPLETE, "--b\r\n" NAMED("a") NL NL "1\n--b--\n",
		"a=1\n--b--\n"),
	BAD("--B\r\n" NAMED("a") "\r\n\r\n1\r\n--B--", INCOMPLETE, "--B\r\n" NAMED("a") "\r\n\r\n1\r\n--B--", ""),
	/* a boundary's line */
	BAD("--b\n" NAMED("a") "\n\n1\n--b--\n", SYNTAX, "--b", ""),
	BAD("--b \n", SYNTAX, "--b ", ""),
	BAD("--bb\r\n" NAMED("a") "\r\n\r\n1\r\n--b--", SYNTAX, "--b", ""),
	BAD("--b-b\r\n", SYNTAX, "--b-", ""),
	BAD("--b-\r\n", SYNTAX, "--b-", ""),
	BAD("--b --\r\n", SYNTAX, "--b ", ""),
	BAD("--b\r\r\n", SYNTAX, "--b\r", ""),
	BAD("--b\r--", SYNTAX, "--b\r", ""),
	BAD("--b\0\r\n", SYNTAX, "--b", ""),
	BAD(FIELD("a", "1") "--bx\r\n", SYNTAX, FIELD("a", "1") "--b", "a=1$"),
	/* headers */
	BAD("--b\r\n\r\n1\r\n" END, HEADER, "--b\r\n", ""),
	BAD(HEAD("Content-Type: text/plain"), HEADER, "--b\r\n", ""),
	BAD("--b\r\n" NAMED("a") "\n\r\n1\r\n" END, HEADER, "--b\r\n" NAMED("a"), ""),
	BAD("--b\r\n" NAMED("a") "\r\n\n1\r\n" END, HEADER, "--b\r\n" NAMED("a") NL, ""),
	BAD("--b\r\n" NAMED("a") "\r\r\n\r\n1\r\n" END, HEADER, "--b\r\n" NAMED("a") "\r", ""),
	BAD("--b\r\n" NAMED("a\0") NL, HEADER, "--b\r\nContent-Disposition: form-data; name=\"a", ""),
	BAD("--b\r\nX: \x1b[2J\r\n", HEADER, "--b\r\nX: ", ""),
	BAD("--b\r\nX: \x7f\r\n", HEADER, "--b\r\nX: ", ""),
	BAD(HEAD("X y: z\r\n" NAMED("a")), HEADER, "--b\r\n", ""),
	BAD(HEAD("X : z\r\n" NAMED("a")), HEADER, "--b\r\n", ""),
	BAD(HEAD(NAMED("a") "\r\n: z"), HEADER, "--b\r\n" NAMED("a") NL, ""),
	BAD(HEAD(NAMED("a") "\r\nX"), HEADER, "--b\r\n" NAMED("a") NL, ""),
	BAD(HEAD("\xc3\xa9: z"), HEADER, "--b\r\n", ""),
	BAD(HEAD(" " NAMED("a")), HEADER, "--b\r\n", ""),
	BAD(FIELD("a", "1") "--b\r\n" NAMED("c") "\r\n--b--\r\n\r\n", HEADER, FIELD("a", "1") "--b\r\n" NAMED("c") NL,
		"a=1$"),
	BAD(HEAD(NAMED("a") NL NAMED("c")), HEADER, "--b\r\n" NAMED("a") "\r\nContent-Disposition: ", ""),
	BAD(HEAD("Content-Type: a/b\r\nContent-type: c/d\r\n" NAMED("a")), HEADER,
		"--b\r\nContent-Type: a/b\r\nContent-type: ", ""),
	BAD(HEAD(NAMED("a") "\r\nContent-Transfer-Encoding: base64"), "multipart_encoding",
		"--b\r\n" NAMED("a") "\r\nContent-Transfer-Encoding: ", ""),
	BAD(HEAD("Content-Transfer-Encoding: Quoted-Printable"), "multipart_encoding",
		"--b\r\nContent-Transfer-Encoding: ", ""),
#define DISPOSITION "Content-Disposition: "
	BAD(HEAD(DISPOSITION "attachment; name=a"), HEADER, "--b\r\n" DISPOSITION, ""),
	BAD(HEAD(DISPOSITION), HEADER, "--b\r\n" DISPOSITION, ""),
	BAD(HEAD(DISPOSITION "form-data name=a"), HEADER, "--b\r\n" DISPOSITION "form-data ", ""),
	BAD(HEAD(DISPOSITION "form-data; name"), HEADER, "--b\r\n" DISPOSITION "form-data; name", ""),
	BAD(HEAD(DISPOSITION "form-data; name="), HEADER, "--b\r\n" DISPOSITION "form-data; name=", ""),
	BAD(HEAD(DISPOSITION "form-data; name = a"), HEADER, "--b\r\n" DISPOSITION "form-data; name", ""),
	BAD(HEAD(DISPOSITION "form-data; =a"), HEADER, "--b\r\n" DISPOSITION "form-data; ", ""),
	BAD(HEAD(DISPOSITION "form-data;; name=a"), HEADER, "--b\r\n" DISPOSITION "form-data;", ""),
	BAD(HEAD(DISPOSITION "form-data; name=\"a"), HEADER, "--b\r\n" DISPOSITION "form-data; name=\"a", ""),
	BAD(HEAD(DISPOSITION "form-data; name=\"a\\\""), HEADER, "--b\r\n" DISPOSITION "form-data; name=\"a\\\"", ""),
	BAD(HEAD(DISPOSITION "form-data; name=\"a\"b"), HEADER, "--b\r\n" DISPOSITION "form-data; name=\"a\"", ""),
	BAD(HEAD(DISPOSITION "form-data; name=a b"), HEADER, "--b\r\n" DISPOSITION "form-data; name=a ", ""),
	BAD(HEAD(DISPOSITION "form-data; name=a\"b\""), HEADER, "--b\r\n" DISPOSITION "form-data; name=a", ""),
	BAD(HEAD(NAMED("a") "; name=c"), HEADER, "--b\r\n" NAMED("a") "; ", ""),
	BAD(HEAD(FILED("filename=a; filename=b")), HEADER, "--b\r\n" FILED("filename=a; "), ""),
	BAD(HEAD(FILED("filename*=utf-8''a; filename*=utf-8''b")), HEADER, "--b\r\n" FILED("filename*=utf-8''a; "), ""),
	/* names */
	BAD(HEAD(DISPOSITION "form-data"), NAME, "--b\r\n", ""),
	BAD(HEAD(DISPOSITION "form-data; filename=x"), NAME, "--b\r\n", ""),
	BAD(HEAD(NAMED("")), NAME, "--b\r\n", ""),
	BAD(HEAD(NAMED("a\tb")), NAME, "--b\r\n" DISPOSITION "form-data; ", ""),
	BAD(HEAD(NAMED("a\r\n b")), NAME, "--b\r\n" DISPOSITION "form-data; ", ""),
	BAD(HEAD(NAMED("a\xc2\x85")), NAME, "--b\r\n" DISPOSITION "form-data; ", ""),
	BAD(HEAD(NAMED("\xe9")), NAME, "--b\r\n" DISPOSITION "form-data; ", ""),
	BAD(HEAD(NAMED("\xc0\xaf")), NAME, "--b\r\n" DISPOSITION "form-data; ", ""),
	BAD(HEAD(NAMED("\xed\xa0\x80")), NAME, "--b\r\n" DISPOSITION "form-data; ", ""),
	BAD(HEAD(FILED("filename=\"\xe9.txt\"")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename=\"\xe9.txt\"; filename*=utf-8''x")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=utf-8''%e9")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=utf-8''a%00b")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=utf-8''a%0d%0ab")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=iso-8859-1''%80")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=utf-8''%4")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=utf-8''%")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=utf-8''%4x")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=utf-8'x")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=x")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=''x")), NAME, "--b\r\n" FILED(""), ""),
	BAD(HEAD(FILED("filename*=koi8-r''x")), NAME, "--b\r\n" FILED(""), ""),
};

static bool is_right(const struct outcome *got, size_t row)
{
	const char *code = rows[row].code;

	if (got->text->len != rows[row].wanted_len ||
		memcmp(got->text->at, rows[row].wanted, rows[row].wanted_len) != 0)
		return false;
	if (code == NULL)
		return got->result == 0 && got->fault.code == NULL;
	return got->result == -1 && got->fault.code != NULL && strcmp(got->fault.code, code) == 0 &&
	       got->fault.at == rows[row].at && got->fault.what[0] != '\0';
}

/* In one piece, in two with the cut anywhere, and byte by byte. */
static void test_table(struct arena *arena)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome outcome;
		size_t cut = 0;

		do {
			arena_empty(arena);
			read_form(&outcome, arena, TYPE, rows[i].body, rows[i].len, cut++);
		} while (is_right(&outcome, i) && cut <= rows[i].len + 1);
		if (ok(is_right(&outcome, i), "row %zu: %s", i, rows[i].code == NULL ? "accepted" : rows[i].code))
			continue;
		printf("# cut at %zu: %d %s at %zu, not %zu: %s\n", cut - 1, outcome.result, outcome.fault.code,
			outcome.fault.at, rows[i].at, outcome.fault.what);
		tap_bytes("body", rows[i].body, rows[i].len);
		tap_bytes("got", outcome.text->at, outcome.text->len);
		tap_bytes("wanted", rows[i].wanted, rows[i].wanted_len);
	}
	arena_empty(arena);
}

#define C35 "0123456789'()+_,-./:=?ABCXYZabcxyz0"
#define TYPE_FAULT "multipart_type"
#define BOUNDARY_FAULT "multipart_boundary"

static const struct {
	const char *type;
	const char *code; /* NULL: accepted */
	const char *boundary;
} types[] = {
	{"multipart/form-data; boundary=b", NULL, "b"},
	{"Multipart/Form-Data;BOUNDARY=b", NULL, "b"},
	{"multipart/form-data ;  boundary=\"b\" ; ", NULL, "b"},
	{"multipart/form-data; charset=utf-8; boundary=b", NULL, "b"},
	{"multipart/form-data; boundary=\"a b\"; x=y", NULL, "a b"},
	{"multipart/form-data; boundary=----WebKitFormBoundaryAbC0", NULL, "----WebKitFormBoundaryAbC0"},
	{"multipart/form-data; boundary=----=_Part_1_2.3", NULL, "----=_Part_1_2.3"},
	{"multipart/form-data; boundary=\"" C35 C35 "\"", NULL, C35 C35},
	{"multipart/form-data; boundary=" C35 C35, NULL, C35 C35},
	{NULL, TYPE_FAULT, NULL},
	{"", TYPE_FAULT, NULL},
	{"multipart", TYPE_FAULT, NULL},
	{"multipart/", TYPE_FAULT, NULL},
	{"multipart/mixed; boundary=b", TYPE_FAULT, NULL},
	{"multipart/form-data2; boundary=b", TYPE_FAULT, NULL},
	{" multipart/form-data; boundary=b", TYPE_FAULT, NULL},
	{"application/json", TYPE_FAULT, NULL},
	{"multipart/form-data", BOUNDARY_FAULT, NULL},
	{"multipart/form-data;", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"\"", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"b", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"b ", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"b \"", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=a b", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=b, multipart/form-data; boundary=c", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=b; boundary=c", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=b; Boundary=\"b\"", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=b;; x=y", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=b; x", BOUNDARY_FAULT, NULL},
	{"multipart/form-data, boundary=b", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary*=utf-8''b", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=" C35 C35 "1", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"" C35 C35 "1\"", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=b*", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"b\\c\"", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"b\\\"c\"", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=b\xc3\xa9", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"b\r\nc\"", BOUNDARY_FAULT, NULL},
	{"multipart/form-data; boundary=\"b\tc\"", BOUNDARY_FAULT, NULL},
};

static void test_types(struct arena *arena)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct outcome outcome = {.text = str_new(arena)};
		struct multipart m;
		int result = open_form(&m, arena, types[i].type, &outcome, 0);

		if (types[i].code == NULL)
			is_text(result == 0 ? m.delimiter + 4 : m.fault.what, types[i].boundary, types[i].type);
		else
			ok(result == -1 && m.fault.code != NULL && strcmp(m.fault.code, types[i].code) == 0 &&
					m.fault.what[0] != '\0' && multipart_feed(&m, "x", 1) == -1 &&
					multipart_end(&m) == -1,
				"type %zu: %s", i, types[i].code);
	}
	arena_empty(arena);
}

/* What a callback stops, stays stopped, and is no fault of the form. */
static void test_stop(struct arena *arena)
{
	static const char body[] = FIELD("a", "1") END;

	for (int stop_at = 1; stop_at <= 3; stop_at++) {
		struct outcome outcome = {.text = str_new(arena), .stop_at = stop_at};
		struct multipart m;
		bool stopped = open_form(&m, arena, TYPE, &outcome, 0) == 0 &&
			       multipart_feed(&m, body, sizeof(body) - 1) == -1 && m.fault.code == NULL;

		ok(stopped && multipart_feed(&m, body, 1) == -1 && multipart_end(&m) == -1 && m.fault.code == NULL &&
				outcome.calls == stop_at,
			"stopped by callback %d", stop_at);
	}
	arena_empty(arena);
}

static struct str *repeat(struct arena *arena, const char *first, const char *middle, size_t len, const char *last)
{
	struct str *text = str_new(arena);
	size_t middle_len = strlen(middle);

	str_puts(text, first);
	while (text->len < len)
		str_add(text, middle, middle_len);
	str_puts(text, last);
	return text;
}

static void is_limited(struct arena *arena, const char *before, size_t n, const char *after, const char *code)
{
	struct str *body = repeat(arena, before, "x", strlen(before) + n, after);
	struct outcome outcome;

	read_form(&outcome, arena, TYPE, body->at, body->len, 0);
	ok(code == NULL ? outcome.result == 0
			: outcome.result == -1 && outcome.fault.code != NULL && strcmp(outcome.fault.code, code) == 0,
		"%zu characters behind %.20s: %s", n, before + strlen(before) - 10, code == NULL ? "accepted" : code);
	arena_empty(arena);
}

static void test_limits(struct arena *arena)
{
	static const char named[] = "--b\r\nContent-Disposition: form-data; name=\"";
	static const char filed[] = "--b\r\nContent-Disposition: form-data; name=a; filename=\"";
	static const char other[] = "--b\r\nContent-Disposition: form-data; name=a; other=";
	static const char end[] = "\"\r\n\r\n1\r\n--b--";
	const size_t others = MULTIPART_HEADER - (sizeof(other) - 1 - 5) - 4;

	is_limited(arena, named, MULTIPART_NAME, end, NULL);
	is_limited(arena, named, MULTIPART_NAME + 1, end, NAME);
	is_limited(arena, filed, MULTIPART_FILENAME, end, NULL);
	is_limited(arena, filed, MULTIPART_FILENAME + 1, end, NAME);
	is_limited(arena, other, others, "\r\n\r\n1\r\n--b--", NULL);
	is_limited(arena, other, others + 1, "\r\n\r\n1\r\n--b--", HEADER);
	is_limited(arena, other, 1 << 20, "\r\n\r\n1\r\n--b--", HEADER);
}

/* `n` times `middle` as a file's content: its length is told, the time is that of a plain one, and nothing is kept. */
static void is_passed(struct arena *arena, const char *type, const char *boundary, const char *middle, size_t piece)
{
	struct str *body = repeat(arena, "", middle, 8 << 20, "");
	struct outcome outcome = {.text = str_new(arena)};
	const char *head = arena_printf(arena, "--%s\r\n" NAMED("a") "\r\n\r\n", boundary);
	const char *end = arena_printf(arena, "\r\n--%s--", boundary);
	double since_s = tap_cpu_s();
	struct multipart m;
	int result = open_form(&m, arena, type, &outcome, 0);

	if (result == 0)
		result = multipart_feed(&m, head, strlen(head));
	for (size_t at = 0; result == 0 && at < body->len; at += piece) {
		result = multipart_feed(&m, body->at + at, at + piece < body->len ? piece : body->len - at);
		/* only the count matters */
		if (outcome.text->len > 1 << 20) {
			outcome.stop_at += (int)outcome.text->len;
			str_clear(outcome.text);
		}
		outcome.calls = 0;
	}
	if (result == 0)
		result = multipart_feed(&m, end, strlen(end));
	if (result == 0)
		result = multipart_end(&m);
	is_quick(since_s, piece == 1 ? 1.0 : 0.3, arena_printf(arena, "8 MiB in pieces of %zu", piece));
	tap_bytes("of", middle, strlen(middle));
	is_int(result == 0 ? (intmax_t)outcome.stop_at + (intmax_t)outcome.text->len : -1, (intmax_t)body->len + 3,
		"all of it was told");
	arena_empty(arena);
}

static void test_near_boundaries(struct arena *arena)
{
	static const char type[] = "multipart/form-data; boundary=" C35 C35;
	static const char *const middles[] = {"x", "\r", "\r\n", "\r\r\n", "\r\n--", "\r\n--" C35};

	for (size_t i = 0; i < sizeof(middles) / sizeof(middles[0]); i++) {
		is_passed(arena, type, C35 C35, middles[i], 65536);
		is_passed(arena, type, C35 C35, middles[i], 1);
	}
}

static void test_memory(struct arena *arena)
{
	struct outcome outcome = {.text = str_new(arena)};
	struct multipart m;
	int result = open_form(&m, arena, TYPE, &outcome, 0);
	size_t before = 0, grown;
	char part[600];

	for (int i = 0; result == 0 && i < MULTIPART_PARTS; i++) {
		int len = snprintf(part, sizeof(part),
			"--b\r\nContent-Disposition: form-data; name=\"%0200d\"; filename=\"%0200d\"\r\n\r\n%d\r\n", i,
			i, i);

		result = multipart_feed(&m, part, (size_t)len);
		str_clear(outcome.text);
		if (i == 0)
			before = mallinfo2().uordblks;
	}
	grown = mallinfo2().uordblks - before;
	is_int(result, 0, "a thousand parts");
	ok(grown < 1024, "take no more memory than one: %zu bytes", grown);
	result = multipart_feed(&m, "--b\r\n", 5);
	ok(result == -1 && m.fault.code != NULL && strcmp(m.fault.code, "multipart_parts") == 0,
		"one more is too many");
	arena_empty(arena);
}

int main(void)
{
	struct arena *arena = arena_new();

	test_table(arena);
	test_types(arena);
	test_stop(arena);
	test_limits(arena);
	test_near_boundaries(arena);
	test_memory(arena);
	arena_free(arena);
	return done_testing();
}
