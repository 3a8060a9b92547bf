/* SPDX-License-Identifier: ISC
 * Promised: exactly RFC 8259 in UTF-8 within the limits, the right code and place for all else, and never
 * more time than the length deserves (hostile-cases.md, group J). */
#include "base/json.h"

#include <stdlib.h>

#include "base/str.h"
#include "base/utf8.h"
#include "tap.h"

#define T(text) text, sizeof(text) - 1

static const char *const good = NULL;
#define SYNTAX "json_syntax"
#define UTF8 "json_utf8"
#define NUMBER "json_number"
#define NUL "json_nul"
#define TWICE "json_duplicate_key"
#define D8 "[[[[[[[["
#define E8 "]]]]]]]]"

static const struct {
	const char *text;
	size_t len;
	const char *code; /* NULL: accepted */
	size_t at;
} rows[] = {
	/* values, alone and in company */
	{T("{}"), good, 0},
	{T("[]"), good, 0},
	{T("\"\""), good, 0},
	{T("\"name\""), good, 0},
	{T("true"), good, 0},
	{T("false"), good, 0},
	{T("null"), good, 0},
	{T("0"), good, 0},
	{T("123"), good, 0},
	{T("-1"), good, 0},
	{T(" [] "), good, 0},
	{T("\t\r\n {\t\r\n }\t\r\n "), good, 0},
	{T("[1]"), good, 0},
	{T("[1,2]"), good, 0},
	{T("[ 1 , 2 ]"), good, 0},
	{T("[[],{},\"\",0,true,false,null]"), good, 0},
	{T("{\"a\":1}"), good, 0},
	{T("{\"a\" : 1 , \"b\" : [ ] }"), good, 0},
	{T("{\"\":0}"), good, 0},
	{T("{\"a\":{\"a\":{\"a\":[{\"a\":1}]}}}"), good, 0},
	{T("[{\"a\":1},{\"a\":2}]"), good, 0},
	{T("{\"name\":\"x\",\"__proto__\":{\"role\":\"admin\"},\"constructor\":1}"), good, 0},
	{T(D8 D8 D8 D8 E8 E8 E8 E8), good, 0},
	{T(D8 D8 D8 D8 "1" E8 E8 E8 E8), good, 0},
	/* numbers */
	{T("[-0]"), good, 0},
	{T("[0.0]"), good, 0},
	{T("[-0.0]"), good, 0},
	{T("[0e1]"), good, 0},
	{T("[0e+1]"), good, 0},
	{T("[0E-1]"), good, 0},
	{T("[1.5]"), good, 0},
	{T("[1E22]"), good, 0},
	{T("[1e-2]"), good, 0},
	{T("[1e+2]"), good, 0},
	{T("[20e1]"), good, 0},
	{T("[123.456e78]"), good, 0},
	{T("[123.456789012345678901234567890]"), good, 0},
	{T("[1e-400]"), good, 0},
	{T("[1.7976931348623157e308]"), good, 0},
	{T("[9223372036854775807]"), good, 0},
	{T("[-9223372036854775808]"), good, 0},
	{T("[9223372036854775808.0]"), good, 0},
	{T("[18446744073709551616e0]"), good, 0},
	/* strings */
	{T("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), good, 0},
	{T("[\"\\u0001\\u001f\\u007f\\u0080\\uFFFF\\uffff\"]"), good, 0},
	{T("[\"\\ud83d\\ude00\"]"), good, 0},
	{T("[\"\\uD800\\uDC00\\uDBFF\\uDFFF\"]"), good, 0},
	{T("[\"\\ud7ff\\ue000\"]"), good, 0},
	{T("[\"\\\\u0000\"]"), good, 0},
	{T("[\"\\u002c\\u005C\\u0022\"]"), good, 0},
	{T("[\"\x7f\"]"), good, 0},
	{T("[\"é π 漢 😀\"]"), good, 0},
	{T("[\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"]"), good, 0},
	{T("[\"\xef\xbb\xbf\"]"), good, 0},
	{T("[\"\u2028\u2029\"]"), good, 0},
	{T("[\"/* no comment */ // none\"]"), good, 0},
	{T("[\"'\"]"), good, 0},
	{T("{\"é\":1,\"e\":2}"), good, 0},
	{T("{\"a\":1,\"A\":2,\"a \":3,\"\":4,\"aa\":5}"), good, 0},
	{T("{\"a\":\"a\",\"b\":\"a\"}"), good, 0},
	{T("{\"\\u0061\":1,\"\\u0062\":2}"), good, 0},
	/* nothing, or not all of it */
	{T(""), SYNTAX, 0},
	{T(" "), SYNTAX, 1},
	{T("\n\t "), SYNTAX, 3},
	{T("{"), SYNTAX, 1},
	{T("["), SYNTAX, 1},
	{T("[1"), SYNTAX, 2},
	{T("[1,"), SYNTAX, 3},
	{T("{\"name\""), SYNTAX, 7},
	{T("{\"name\":"), SYNTAX, 8},
	{T("{\"name\":\"x\""), SYNTAX, 11},
	{T("{\"name\":\"x\","), SYNTAX, 12},
	{T("\""), SYNTAX, 1},
	{T("\"abc"), SYNTAX, 4},
	{T("\"\\"), SYNTAX, 2},
	{T("\"\\u"), SYNTAX, 3},
	{T("\"\\u00"), SYNTAX, 5},
	{T("t"), SYNTAX, 1},
	{T("nul"), SYNTAX, 3},
	{T("-"), SYNTAX, 1},
	{T("[[[]]"), SYNTAX, 5},
	/* too much of it */
	{T("{\"name\":\"x\"} {\"name\":\"y\"}"), SYNTAX, 13},
	{T("{\"name\":\"x\"}\0{\"name\":\"evil\"}"), SYNTAX, 12},
	{T("{}\0"), SYNTAX, 2},
	{T("\0"), SYNTAX, 0},
	{T("[]\0\0"), SYNTAX, 2},
	{T("[]]"), SYNTAX, 2},
	{T("{}}"), SYNTAX, 2},
	{T("[][]"), SYNTAX, 2},
	{T("[],"), SYNTAX, 2},
	{T("1 2"), SYNTAX, 2},
	{T("1]"), SYNTAX, 1},
	{T("\"\"\"\""), SYNTAX, 2},
	{T("truefalse"), SYNTAX, 4},
	{T("{}#"), SYNTAX, 2},
	{T("{}//"), SYNTAX, 2},
	{T("{}/**/"), SYNTAX, 2},
	/* commas and brackets */
	{T("[1,]"), SYNTAX, 3},
	{T("[,1]"), SYNTAX, 1},
	{T("[,]"), SYNTAX, 1},
	{T("[1,,2]"), SYNTAX, 3},
	{T("[1 2]"), SYNTAX, 3},
	{T("[1:2]"), SYNTAX, 2},
	{T("[1}"), SYNTAX, 2},
	{T("{]"), SYNTAX, 1},
	{T("{\"name\":\"x\",}"), SYNTAX, 12},
	{T("{,}"), SYNTAX, 1},
	{T("{\"a\":1]"), SYNTAX, 6},
	{T("{\"a\":1 \"b\":2}"), SYNTAX, 7},
	{T("{\"a\":1,,\"b\":2}"), SYNTAX, 7},
	{T("{\"a\",1}"), SYNTAX, 4},
	{T("{\"a\" 1}"), SYNTAX, 5},
	{T("{\"a\"::1}"), SYNTAX, 5},
	{T("{\"a\":}"), SYNTAX, 5},
	{T("{\"a\"}"), SYNTAX, 4},
	{T("{:1}"), SYNTAX, 1},
	{T("}"), SYNTAX, 0},
	{T("]"), SYNTAX, 0},
	{T(","), SYNTAX, 0},
	{T(":"), SYNTAX, 0},
	{T("[\"a\",\n4\n,1,"), SYNTAX, 11},
	/* keys that are no strings */
	{T("{a:1}"), SYNTAX, 1},
	{T("{'name':\"x\"}"), SYNTAX, 1},
	{T("{'name\":\"x\"}"), SYNTAX, 1},
	{T("{1:1}"), SYNTAX, 1},
	{T("{null:1}"), SYNTAX, 1},
	{T("{[]:1}"), SYNTAX, 1},
	{T("{\"a\":1,b:2}"), SYNTAX, 7},
	/* words that are none */
	{T("['a']"), SYNTAX, 1},
	{T("[`a`]"), SYNTAX, 1},
	{T("[True]"), SYNTAX, 1},
	{T("[TRUE]"), SYNTAX, 1},
	{T("[tRue]"), SYNTAX, 2},
	{T("[nulL]"), SYNTAX, 4},
	{T("[nan]"), SYNTAX, 2},
	{T("{\"openAiTemp\":NaN}"), SYNTAX, 14},
	{T("[Infinity]"), SYNTAX, 1},
	{T("[-Infinity]"), SYNTAX, 2},
	{T("[-NaN]"), SYNTAX, 2},
	{T("[undefined]"), SYNTAX, 1},
	{T("[a]"), SYNTAX, 1},
	{T("[*]"), SYNTAX, 1},
	{T("[/**/1]"), SYNTAX, 1},
	{T("<null>"), SYNTAX, 0},
	{T("[\\u0061]"), SYNTAX, 1},
	/* numbers that are none */
	{T("[+1]"), SYNTAX, 1},
	{T("[.5]"), SYNTAX, 1},
	{T("[-.5]"), SYNTAX, 2},
	{T("[5.]"), SYNTAX, 3},
	{T("[5.e1]"), SYNTAX, 3},
	{T("[5.5.5]"), SYNTAX, 4},
	{T("[01]"), SYNTAX, 2},
	{T("[-01]"), SYNTAX, 3},
	{T("[00]"), SYNTAX, 2},
	{T("[0x10]"), SYNTAX, 2},
	{T("[1e]"), SYNTAX, 3},
	{T("[1e+]"), SYNTAX, 4},
	{T("[1E-]"), SYNTAX, 4},
	{T("[1e1.5]"), SYNTAX, 4},
	{T("[1e+-2]"), SYNTAX, 4},
	{T("[0e]"), SYNTAX, 3},
	{T("[1_000]"), SYNTAX, 2},
	{T("[1,000]"), SYNTAX, 4},
	{T("[--1]"), SYNTAX, 2},
	{T("[- 1]"), SYNTAX, 2},
	{T("[1-2]"), SYNTAX, 2},
	{T("[1a]"), SYNTAX, 2},
	{T("[1L]"), SYNTAX, 2},
	{T("[1\xe5]"), SYNTAX, 2},
	{T("[\xef\xbc\x91]"), SYNTAX, 1},
	{T("[-]"), SYNTAX, 2},
	{T("1e"), SYNTAX, 2},
	{T("1."), SYNTAX, 2},
	{T("-a"), SYNTAX, 1},
	{T("{\"a\":18446744073709551616}"), NUMBER, 5},
	{T("[9223372036854775808]"), NUMBER, 1},
	{T("[-9223372036854775809]"), NUMBER, 1},
	{T("[10000000000000000000]"), NUMBER, 1},
	{T("[1e400]"), NUMBER, 1},
	{T("[-1e999999999999]"), NUMBER, 1},
	{T("[1.8e308]"), NUMBER, 1},
	/* strings that are none */
	{T("[\"a\nb\"]"), SYNTAX, 3},
	{T("[\"a\tb\"]"), SYNTAX, 3},
	{T("[\"\x01\"]"), SYNTAX, 2},
	{T("[\"\x1f\"]"), SYNTAX, 2},
	{T("[\"a\0b\"]"), SYNTAX, 3},
	{T("{\"a\0\":1}"), SYNTAX, 3},
	{T("[\"\\a\"]"), SYNTAX, 3},
	{T("[\"\\'\"]"), SYNTAX, 3},
	{T("[\"\\x41\"]"), SYNTAX, 3},
	{T("[\"\\0\"]"), SYNTAX, 3},
	{T("[\"\\\0\"]"), SYNTAX, 3},
	{T("[\"\\U0041\"]"), SYNTAX, 3},
	{T("[\"\\\n\"]"), SYNTAX, 3},
	{T("[\"\\\xe9\"]"), SYNTAX, 3},
	{T("[\"\\u\"]"), SYNTAX, 4},
	{T("[\"\\u12\"]"), SYNTAX, 6},
	{T("[\"\\u123g\"]"), SYNTAX, 7},
	{T("[\"\\u-123\"]"), SYNTAX, 4},
	{T("[\"\\u 123\"]"), SYNTAX, 4},
	{T("[\"\\u{41}\"]"), SYNTAX, 4},
	{T("[\"\\ud800\\u12\"]"), SYNTAX, 12},
	{T("{\"name\":\"a\\u0000b\"}"), NUL, 10},
	{T("{\"\\u0000\":1}"), NUL, 2},
	{T("{\"name\":\"\\ud800\"}"), UTF8, 9},
	{T("[\"\\udc00\"]"), UTF8, 2},
	{T("[\"\\udfff\\ud800\"]"), UTF8, 2},
	{T("[\"\\ud83d\\u0041\"]"), UTF8, 2},
	{T("[\"\\ud83d\\ud83d\"]"), UTF8, 2},
	{T("[\"\\ud83dx\"]"), UTF8, 2},
	{T("[\"\\ud83d\\n\"]"), UTF8, 2},
	{T("[\"\\ud83d\\ue000\"]"), UTF8, 2},
	{T("\"\\ud83d"), UTF8, 1},
	{T("{\"\\ud800\":1}"), UTF8, 2},
	/* bytes that are no UTF-8 */
	{T("{\"name\":\"\xff\"}"), UTF8, 9},
	{T("[\"\x80\"]"), UTF8, 2},
	{T("[\"\xc0\x80\"]"), UTF8, 2},
	{T("[\"\xc0\xaf\"]"), UTF8, 2},
	{T("[\"\xe2\x82\"]"), UTF8, 2},
	{T("[\"\xe9\"]"), UTF8, 2},
	{T("[\"abc\xe9t\xe9\"]"), UTF8, 5},
	{T("[\"\xed\xa0\x80\"]"), UTF8, 2},
	{T("[\"\xed\xa0\xbd\xed\xb8\x80\"]"), UTF8, 2},
	{T("[\"\xf0\x8f\xbf\xbf\"]"), UTF8, 2},
	{T("[\"\xf4\x90\x80\x80\"]"), UTF8, 2},
	{T("[\"\xf8\x88\x80\x80\x80\"]"), UTF8, 2},
	{T("[\"\xfe\xff\"]"), UTF8, 2},
	{T("\"\xe2\x82"), UTF8, 1},
	{T("\"\xc3"), UTF8, 1},
	{T("{\"\xff\":1}"), UTF8, 2},
	{T("[\"\\n\xbf\"]"), UTF8, 4},
	{T("[\xff]"), SYNTAX, 1},
	{T("[\xc2\xa0]"), SYNTAX, 1},
	{T("\xe2\x80\xa8[]"), SYNTAX, 0},
	/* other encodings, other spaces */
	{T("\xef\xbb\xbf{}"), SYNTAX, 0},
	{T("\xef\xbb"), SYNTAX, 0},
	{T("\xff\xfe{\0}\0"), SYNTAX, 0},
	{T("\xfe\xff\0{\0}"), SYNTAX, 0},
	{T("{\0\"\0n\0\"\0:\0"
	   "1\0}\0"),
		SYNTAX, 1},
	{T("\0{\0}"), SYNTAX, 0},
	{T("[\f]"), SYNTAX, 1},
	{T("[\v]"), SYNTAX, 1},
	{T("\x1b[]"), SYNTAX, 0},
	{T("[]\x1a"), SYNTAX, 2},
	{T("[\x7f]"), SYNTAX, 1},
	/* a key twice */
	{T("{\"name\":\"a\",\"name\":\"b\"}"), TWICE, 12},
	{T("{\"a\":1,\"a\":1}"), TWICE, 7},
	{T("{\"\":1,\"\":2}"), TWICE, 6},
	{T("{\"a\":1,\"b\":2,\"a\":3}"), TWICE, 13},
	{T("{\"a\":1,\"\\u0061\":2}"), TWICE, 7},
	{T("{\"\\u006eame\":1,\"n\\u0061me\":2}"), TWICE, 15},
	{T("{\"\\/\":1,\"/\":2}"), TWICE, 8},
	{T("{\"\\ud83d\\ude00\":1,\"😀\":2}"), TWICE, 18},
	{T("[{\"x\":{\"a\":1,\"a\":2}}]"), TWICE, 13},
	{T("{\"a\":{\"b\":1,\"c\":2},\"b\":3,\"a\":4}"), TWICE, 25},
	{T("{\"c\":1,\"b\":1,\"a\":1,\"b\":2,\"c\":2}"), TWICE, 19},
	{T("{\"a\":1,\"a\":2}}"), TWICE, 7},
	/* too deep */
	{T(D8 D8 D8 D8 "["), "json_depth", 32},
	{T(D8 D8 D8 D8 "["
		       "]" E8 E8 E8 E8),
		"json_depth", 32},
	{T(D8 D8 D8 D8 "{}" E8 E8 E8 E8), "json_depth", 32},
	{T("{\"a\":{\"a\":" D8 D8 D8 D8), "json_depth", 40},
};

static void test_table(struct arena *arena)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_fault fault = {0};
		/* of its own size, so that a read behind it is seen */
		char *copy = malloc(rows[i].len + (rows[i].len == 0));
		bool is_right;
		int rc;

		memcpy(copy, rows[i].text, rows[i].len);
		rc = json_check(arena, copy, rows[i].len, &fault);
		if (rows[i].code == NULL)
			is_right = rc == 0;
		else
			is_right = rc == -1 && fault.code != NULL && strcmp(fault.code, rows[i].code) == 0 &&
				   fault.at == rows[i].at && fault.what[0] != '\0';
		if (!ok(is_right, "row %zu: %s", i, rows[i].code == NULL ? "accepted" : rows[i].code)) {
			tap_bytes("text", rows[i].text, rows[i].len);
			printf("#      got: %d %s at %zu: %s\n", rc, fault.code, fault.at, fault.what);
		}
		free(copy);
		arena_empty(arena);
	}
}

/* What the check accepts, json-c accepts too, and refuses with a 400 what it does not. */
static void test_read_table(struct arena *arena)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct task task = {.arena = arena};
		struct json_object *object = json_read(&task, rows[i].text, rows[i].len);
		const char *code = rows[i].code;

		if (code == NULL && strcmp(rows[i].text, "null") == 0)
			code = "json_null";
		ok((object == NULL) == (code != NULL) && task.failure.status == (code == NULL ? 0 : 400) &&
				(code == NULL || strcmp(task.failure.code, code) == 0),
			"json_read of row %zu", i);
		arena_empty(arena);
	}
}

static void is_message(struct arena *arena, const char *text, const char *wanted)
{
	struct task task = {.arena = arena};

	json_read(&task, text, strlen(text));
	is_text(task.failure.message, wanted, wanted);
	arena_empty(arena);
}

static void test_messages(struct arena *arena)
{
	char text[500], wanted[500];

	is_message(arena, "{\"name\":\"x\",\"n\": }", "The body is not valid JSON: unexpected character at byte 17.");
	is_message(arena, "", "The body is not valid JSON: unexpected end at byte 0.");
	is_message(arena, "{\"name\":\"a\",   \"name\":1}",
		"The body is not valid JSON: key \"name\" appears twice at byte 15.");
	is_message(arena, "[\"\xff\"]", "The body is not valid JSON: a byte that is not UTF-8 at byte 2.");
	is_message(arena, "[\"\\u0000\"]", "The body is not valid JSON: an escape that makes a NUL at byte 2.");
	is_message(arena, "[\"\n\"]", "The body is not valid JSON: a control character in a string at byte 2.");
	is_message(arena, "[9223372036854775808]",
		"The body is not valid JSON: an integer that 64 bits cannot hold at byte 1.");
	is_message(arena, "null", "The body is null.");
	is_message(arena, "{\"a\\nb\":1,\"a\\u000ab\":2}",
		"The body is not valid JSON: key \"a\\u000ab\" appears twice at byte 10.");
	/* a long key is cut between characters: 59 bytes, then one of three */
	snprintf(text, sizeof text, "{\"%059d漢字漢字\":1,\"%059d漢字漢字\":2}", 0, 0);
	snprintf(wanted, sizeof wanted, "The body is not valid JSON: key \"%059d...\" appears twice at byte 77.", 0);
	is_message(arena, text, wanted);
}

static void test_values(struct arena *arena)
{
	static const char text[] =
		"  {\"name\":\"\\ud83d\\ude00 é\",\"list\":[1,-9223372036854775808,0.5],\"no\":null} \n";
	struct task task = {.arena = arena};
	struct json_object *object = json_read(&task, text, sizeof text - 1), *list;

	is_text(json_object_get_string(json_object_object_get(object, "name")), "😀 é", "a string is read");
	list = json_object_object_get(object, "list");
	is_int(json_object_get_int64(json_object_array_get_idx(list, 1)), INT64_MIN, "an integer is read");
	ok(json_object_get_double(json_object_array_get_idx(list, 2)) == 0.5, "a number is read");
	arena_empty(arena);
	object = json_read(&task, "  12", 4);
	is_int(json_object_get_int(object), 12, "a number at the very end is read whole");
	arena_empty(arena);
}

/* json-c 0.16 garbles some of them. */
static void test_escaped(struct arena *arena)
{
	struct str *wanted = str_new(arena), *text = str_new(arena);
	struct arena *inner = arena_new();
	int wrong = 0;

	for (uint32_t code = 1; code < 0x110000; code += 61) {
		struct task task = {.arena = inner};
		unsigned pair = code - 0x10000;

		if (code >= 0xD800 && code < 0xE000)
			continue;
		str_clear(wanted);
		utf8_put(wanted, code);
		str_clear(text);
		if (code < 0x10000)
			str_printf(text, "\"\\u%04x\"", (unsigned)code);
		else
			str_printf(text, "\"\\u%04x\\u%04X\"", 0xD800 + (pair >> 10), 0xDC00 + (pair & 0x3FF));
		wrong += strcmp(json_object_get_string(json_read(&task, text->at, text->len)), wanted->at) != 0;
		arena_empty(inner);
	}
	arena_free(inner);
	is_int(wrong, 0, "escaped characters of all planes are read");
}

static void is_string(struct arena *arena, const char *text, const char *wanted)
{
	struct task task = {.arena = arena};

	is_text(json_object_get_string(json_read(&task, text, strlen(text))), wanted, text);
}

static void test_pairs(struct arena *arena)
{
	is_string(arena, "\"a\\ud836\\ude00b\\n\"", "a\U0001DA00b\n");
	is_string(arena, "\"\\uD876\\uDE21\\uD876\\uDE21\"", "\U0002DA21\U0002DA21");
	is_string(arena, "\"\\\\ud836\\\\ude00\"", "\\ud836\\ude00");
	is_string(arena, "\"\\\\\\ud836\\ude00\\\"\"", "\\\U0001DA00\"");
	is_string(arena, "\"\\ud7ff\"", "\xed\x9f\xbf");
	is_string(arena, "\"\\u00e9\\/\\ud83d\\ude00\\\\\"", "é/😀\\");
}

static void is_refused(struct arena *arena, const struct str *text, const char *code, double limit_s, const char *name)
{
	struct json_fault fault = {.code = "accepted"};
	double since_s = tap_cpu_s();

	json_check(arena, text->at, text->len, &fault);
	is_quick(since_s, limit_s, name);
	is_text(fault.code, code, "its code");
}

static struct str *repeat(struct arena *arena, const char *first, const char *middle, size_t times, const char *last)
{
	struct str *text = str_new(arena);

	str_puts(text, first);
	for (size_t i = 0; i < times; i++)
		str_puts(text, middle);
	str_puts(text, last);
	return text;
}

static void test_hostile(struct arena *arena)
{
	struct str *text = repeat(arena, "", "{\"a\":", 100000, "1");

	str_add(text, repeat(arena, "", "}", 100000, "")->at, 100000);
	is_refused(arena, text, "json_depth", 0.1, "100000 objects deep");
	is_refused(arena, repeat(arena, "", "[", 8000000, ""), "json_depth", 0.1, "8 MB of brackets");
	is_refused(arena, repeat(arena, "", " ", 7 << 20, "{}"), "accepted", 0.2, "7 MiB of spaces, then {}");
	is_refused(arena, repeat(arena, "{}", " ", 7 << 20, "x"), SYNTAX, 0.2, "7 MiB of spaces behind");
	is_refused(arena, repeat(arena, "{\"n\":", "9", 100000, "}"), NUMBER, 0.1, "100000 digits");
	is_refused(arena, repeat(arena, "[1e", "9", 100000, "]"), NUMBER, 0.1, "an exponent of 100000 digits");
	is_refused(arena, repeat(arena, "[0.", "0", 397, "1]"), "accepted", 0.1, "a number of 400 characters");
	is_refused(arena, repeat(arena, "[0.", "0", 398, "1]"), NUMBER, 0.1, "a number of 401 characters");
	is_refused(arena, repeat(arena, "\"", "a", 8000000, "\""), "accepted", 0.1, "8 MB of string");
	is_refused(arena, repeat(arena, "\"", "漢", 2700000, "\""), "accepted", 0.2, "8 MB of Han");
	is_refused(arena, repeat(arena, "\"", "\\u0041", 1300000, "\""), "accepted", 0.2, "8 MB of escapes");
	is_refused(arena, repeat(arena, "{\"", "\\u0041", 1300000, "\":1}"), "accepted", 0.5, "a key of escapes");
	is_refused(arena, repeat(arena, "[0", ",0", 999998, "]"), "accepted", 0.2, "1000000 values");
	is_refused(arena, repeat(arena, "[0", ",0", 999999, "]"), "json_keys", 0.2, "a value more");
	is_refused(arena, repeat(arena, "[{}", ",{}", 49998, "]"), "accepted", 0.1, "50000 arrays and objects");
	is_refused(arena, repeat(arena, "[{}", ",{}", 2700000, "]"), "json_keys", 0.1, "8 MB of {}");
}

/* An object of `n` keys, each `prefix` and a number; the last one repeats the first when `twice`. */
static struct str *object_of(struct arena *arena, const char *prefix, size_t n, bool twice)
{
	struct str *text = str_new(arena);

	str_putc(text, '{');
	for (size_t i = 0; i < n; i++) {
		str_puts(text, i > 0 ? ",\"" : "\"");
		str_puts(text, prefix);
		str_printf(text, "%zu\":1", twice && i == n - 1 ? 0 : i);
	}
	str_putc(text, '}');
	return text;
}

/* 17-letter keys that collide in the hash of 31s and, each pair of letters by itself, in its relatives: "Aa"
 * and "BB" are equal there. */
static struct str *colliding(struct arena *arena, size_t n)
{
	struct str *text = str_new(arena);

	for (size_t i = 0; i < n; i++) {
		str_puts(text, i > 0 ? ",\"" : "{\"");
		for (int bit = 16; bit >= 0; bit--)
			str_puts(text, i >> bit & 1 ? "Aa" : "BB");
		str_puts(text, "\":1");
	}
	str_putc(text, '}');
	return text;
}

static void test_keys(struct arena *arena)
{
	char prefix[801];

	memset(prefix, 'p', sizeof prefix - 1);
	prefix[sizeof prefix - 1] = '\0';
	is_refused(arena, object_of(arena, "k", 10000, false), "accepted", 0.1, "10000 keys");
	is_refused(arena, object_of(arena, "k", 10001, false), "json_keys", 0.1, "10001 keys");
	is_refused(arena, object_of(arena, "k", 10000, true), TWICE, 0.1, "10000 keys, the last one twice");
	is_refused(arena, object_of(arena, prefix, 10000, false), "accepted", 0.3, "10000 keys alike for 800 bytes");
	is_refused(arena, object_of(arena, "\\u0041", 10000, true), TWICE, 0.1, "10000 escaped keys, one twice");
	is_refused(arena, colliding(arena, 10000), "accepted", 0.1, "10000 keys that collide");
	is_refused(arena, colliding(arena, 100000), "json_keys", 0.1, "100000 keys that collide");
	is_refused(arena, repeat(arena, "[{\"a\":1,\"b\":1}", ",{\"a\":1,\"b\":1}", 24999, "]"), "accepted", 0.1,
		"25000 objects of two keys");
	is_refused(arena, repeat(arena, "[{\"a\":1,\"b\":1}", ",{\"a\":1,\"b\":1}", 25000, "]"), "json_keys", 0.1,
		"and one more");
}

/* Whatever a byte becomes, the check ends, within the text, and json-c agrees with a yes. */
static void test_mutations(struct arena *arena)
{
	static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\n\",true,null,{\"b\":\"é\"}],\"c\":{}}";
	static const char bytes[] = "\0\"\\{}[]:,0.-+eEu x\x01\x7f\x80\xc3\xff/*'tfn";
	char copy[sizeof text];
	int wrong = 0;

	for (size_t at = 0; at < sizeof text - 1; at++)
		for (size_t byte = 0; byte < sizeof bytes - 1; byte++)
			for (size_t cut = 0; cut < 2; cut++) {
				struct task task = {.arena = arena};
				struct json_fault fault = {0};
				size_t len = cut ? at + 1 : sizeof text - 1;
				int rc;

				memcpy(copy, text, sizeof text);
				copy[at] = bytes[byte];
				rc = json_check(arena, copy, len, &fault);
				wrong += rc < 0 && (fault.code == NULL || fault.at > len);
				wrong += (json_read(&task, copy, len) != NULL) != (rc == 0);
				arena_empty(arena);
			}
	is_int(wrong, 0, "every byte of a text replaced, and the text cut there");
}

/* Our own may be deeper and larger than a stranger's, but is no less JSON. */
static void test_ours(struct arena *arena)
{
	struct str *keys = str_new(arena);
	int i;

	ok(json_ours(arena, D8 D8 D8 D8 "[1]" E8 E8 E8 E8) != NULL, "deeper than what comes");
	ok(json_ours(arena, D8 D8 D8 D8 D8 D8 D8 D8 "[1]" E8 E8 E8 E8 E8 E8 E8 E8) == NULL,
		"but not as deep as one likes");
	ok(json_ours(arena, "[1") == NULL, "half a text is none");
	ok(json_ours(arena, "null") == NULL, "null");
	str_puts(keys, "[{}");
	for (i = 0; i <= JSON_MOST_KEYS; i++)
		str_puts(keys, ",{\"a\":1}");
	str_puts(keys, "]");
	is_int((long)json_object_array_length(json_ours(arena, keys->at)), JSON_MOST_KEYS + 2,
		"as many keys as there are");
	is_text(json_text(arena, json_ours(arena, "{\"u\": \"a/b\", \"n\": [ 1.50 ]}")), "{\"u\":\"a/b\",\"n\":[1.50]}",
		"and as text again");
}

int main(void)
{
	struct arena *arena = arena_new();

	test_table(arena);
	test_read_table(arena);
	test_messages(arena);
	test_values(arena);
	test_escaped(arena);
	test_pairs(arena);
	arena_empty(arena);
	test_hostile(arena);
	arena_empty(arena);
	test_keys(arena);
	arena_empty(arena);
	test_ours(arena);
	arena_empty(arena);
	test_mutations(arena);
	arena_free(arena);
	return done_testing();
}
