/* SPDX-License-Identifier: ISC
 * The check is a single pass over the bytes with a stack of its own, so that no text, however deep or long,
 * costs more than its length.  Keys are compared by sorting each object's when it closes: no hash, so nothing
 * to collide. */
#include "base/json.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"

enum {
	/* json-c 0.16 takes 784 bytes for {}, 152 for [], 72 to 104 for a scalar (seen 2026, amd64): without
	 * these two, 8 MiB of "{}," would become 2 GB. */
	MAX_CONTAINERS = 50000,
	MAX_VALUES = 1000000,
};

struct key {
	const char *at; /* unescaped */
	size_t len;
	size_t from, to; /* as written, for the message */
};

struct level {
	bool is_object;
	size_t first_key;
};

struct check {
	struct arena *arena;
	const char *text;
	size_t len, at;
	struct json_fault *fault;
	struct level levels[JSON_MAX_DEPTH];
	int depth;
	struct key *keys; /* of all objects that are open, the innermost last */
	size_t n_keys, room_keys;
	size_t keys_seen, containers_seen, values_seen;
	struct str *unescaped;
};

/* What the text may go on with. */
enum want { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COMMA_OR_END };

__attribute__((format(printf, 4, 5))) static int refuse(
	struct check *check, const char *code, size_t at, const char *format, ...)
{
	va_list args;

	check->fault->code = code;
	check->fault->at = at;
	va_start(args, format);
	vsnprintf(check->fault->what, sizeof check->fault->what, format, args);
	va_end(args);
	return -1;
}

static int refuse_here(struct check *check)
{
	return refuse(
		check, "json_syntax", check->at, check->at < check->len ? "unexpected character" : "unexpected end");
}

/* The byte at hand, or -1 at the end. */
static int peek(const struct check *check)
{
	return check->at < check->len ? (unsigned char)check->text[check->at] : -1;
}

static bool is_space(int c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct check *check)
{
	while (is_space(peek(check)))
		check->at++;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static int pass_hex4(struct check *check, uint32_t *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, check->at++) {
		int c = peek(check);

		if (is_digit(c))
			*code = *code << 4 | (uint32_t)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			*code = *code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return refuse_here(check);
	}
	return 0;
}

/* After the u of an escape: four digits, and the other half when they are half of a pair. */
static int pass_unicode(struct check *check, uint32_t *code)
{
	size_t from = check->at - 2;
	uint32_t low = 0;

	if (pass_hex4(check, code) < 0)
		return -1;
	if (*code == 0)
		return refuse(check, "json_nul", from, "an escape that makes a NUL");
	if (*code < 0xD800 || *code > 0xDFFF)
		return 0;
	if (*code < 0xDC00 && check->len - check->at >= 2 && memcmp(check->text + check->at, "\\u", 2) == 0) {
		check->at += 2;
		if (pass_hex4(check, &low) < 0)
			return -1;
	}
	if (low < 0xDC00 || low > 0xDFFF)
		return refuse(check, "json_utf8", from, "half of a surrogate pair");
	*code = 0x10000 + ((*code - 0xD800) << 10 | (low - 0xDC00));
	return 0;
}

/* At a backslash.  The character meant goes to *code. */
static int pass_escape(struct check *check, uint32_t *code)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	int c;

	check->at++;
	c = peek(check);
	if (c == 'u') {
		check->at++;
		return pass_unicode(check, code);
	}
	found = c > 0 ? strchr(from, c) : NULL;
	if (found == NULL)
		return refuse_here(check);
	*code = (unsigned char)to[found - from];
	check->at++;
	return 0;
}

/* At a character that may not simply be copied: an escape, UTF-8, or what a string must not hold. */
static int pass_special(struct check *check, struct str *unescaped)
{
	uint32_t code;
	int n, c = peek(check);

	if (c == '\\') {
		if (pass_escape(check, &code) < 0)
			return -1;
		if (unescaped != NULL)
			utf8_put(unescaped, code);
		return 0;
	}
	if (c >= 0 && c < 0x20)
		return refuse(check, "json_syntax", check->at, "a control character in a string");
	if (c < 0)
		return refuse_here(check);
	n = utf8_read(check->text + check->at, check->len - check->at, &code);
	if (n == 0)
		return refuse(check, "json_utf8", check->at, "a byte that is not UTF-8");
	if (unescaped != NULL)
		str_add(unescaped, check->text + check->at, (size_t)n);
	check->at += (size_t)n;
	return 0;
}

/* At the opening quote, to behind the closing one.  `unescaped`, unless NULL, gets the characters meant. */
static int pass_string(struct check *check, struct str *unescaped)
{
	check->at++;
	for (;;) {
		const char *from = check->text + check->at, *end = check->text + check->len, *to = from;

		while (to < end && *to >= 0x20 && *to < 0x7F && *to != '"' && *to != '\\')
			to++;
		check->at += (size_t)(to - from);
		if (unescaped != NULL)
			str_add(unescaped, from, (size_t)(to - from));
		if (to < end && *to == '"') {
			check->at++;
			return 0;
		}
		if (pass_special(check, unescaped) < 0)
			return -1;
	}
}

static int pass_digits(struct check *check)
{
	if (!is_digit(peek(check)))
		return refuse_here(check);
	while (is_digit(peek(check)))
		check->at++;
	return 0;
}

static bool fits_int64(const char *digits, size_t len, bool is_negative)
{
	const char *limit = is_negative ? "9223372036854775808" : "9223372036854775807";

	return len < 19 || (len == 19 && memcmp(digits, limit, 19) <= 0);
}

/* json-c would make an infinity of 1e400, which no answer could say again. */
static bool fits_double(const char *number, size_t len)
{
	static _Atomic(locale_t) known; /* whose decimal point is '.' */
	locale_t c_locale = known;
	char copy[JSON_MAX_NUMBER + 1];

	if (c_locale == (locale_t)0)
		known = c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* libc's own: takes no memory */
	memcpy(copy, number, len);
	copy[len] = '\0';
	return isfinite(strtod_l(copy, NULL, c_locale));
}

static int pass_number(struct check *check)
{
	size_t from = check->at, digits, len;
	bool is_integer = true, is_negative = peek(check) == '-';

	check->at += is_negative;
	digits = check->at;
	if (peek(check) == '0')
		check->at++;
	else if (pass_digits(check) < 0)
		return -1;
	len = check->at - digits;
	if (peek(check) == '.') {
		is_integer = false;
		check->at++;
		if (pass_digits(check) < 0)
			return -1;
	}
	if (peek(check) == 'e' || peek(check) == 'E') {
		is_integer = false;
		check->at++;
		if (peek(check) == '+' || peek(check) == '-')
			check->at++;
		if (pass_digits(check) < 0)
			return -1;
	}
	if (check->at - from > JSON_MAX_NUMBER)
		return refuse(check, "json_number", from, "a number of more than %d characters", JSON_MAX_NUMBER);
	if (is_integer && !fits_int64(check->text + digits, len, is_negative))
		return refuse(check, "json_number", from, "an integer that 64 bits cannot hold");
	if (!is_integer && !fits_double(check->text + from, check->at - from))
		return refuse(check, "json_number", from, "a number too large");
	return 0;
}

static int pass_word(struct check *check, const char *word)
{
	for (; *word != '\0'; word++, check->at++)
		if (peek(check) != *word)
			return refuse_here(check);
	return 0;
}

static int open_level(struct check *check, enum want *want)
{
	bool is_object = peek(check) == '{';

	if (check->depth == JSON_MAX_DEPTH)
		return refuse(check, "json_depth", check->at, "more than %d levels", JSON_MAX_DEPTH);
	if (++check->containers_seen > MAX_CONTAINERS)
		return refuse(check, "json_keys", check->at, "more than %d arrays and objects", MAX_CONTAINERS);
	check->levels[check->depth++] = (struct level){is_object, check->n_keys};
	check->at++;
	*want = is_object ? KEY_OR_END : VALUE_OR_END;
	return 0;
}

static int pass_value(struct check *check, enum want *want)
{
	if (++check->values_seen > MAX_VALUES)
		return refuse(check, "json_keys", check->at, "more than %d values", MAX_VALUES);
	*want = COMMA_OR_END;
	switch (peek(check)) {
	case '{':
	case '[':
		return open_level(check, want);
	case '"':
		return pass_string(check, NULL);
	case 't':
		return pass_word(check, "true");
	case 'f':
		return pass_word(check, "false");
	case 'n':
		return pass_word(check, "null");
	default:
		if (peek(check) != '-' && !is_digit(peek(check)))
			return refuse_here(check);
		return pass_number(check);
	}
}

static void note_key(struct check *check, size_t from)
{
	struct key *key;

	if (check->n_keys == check->room_keys) {
		size_t room = check->room_keys == 0 ? 32 : 2 * check->room_keys;
		struct key *keys = arena_get(check->arena, room * sizeof *keys);

		if (check->n_keys > 0)
			memcpy(keys, check->keys, check->n_keys * sizeof *keys);
		check->keys = keys;
		check->room_keys = room;
	}
	key = &check->keys[check->n_keys++];
	key->from = from;
	key->to = check->at;
	key->at = check->text + from + 1;
	key->len = check->at - from - 2;
	if (memchr(key->at, '\\', key->len) != NULL) {
		key->len = check->unescaped->len;
		key->at = arena_copy(check->arena, check->unescaped->at, key->len);
	}
}

static int pass_key(struct check *check, enum want *want)
{
	size_t from = check->at;

	if (peek(check) != '"')
		return refuse_here(check);
	if (++check->keys_seen > JSON_MAX_KEYS)
		return refuse(check, "json_keys", from, "more than %d keys", JSON_MAX_KEYS);
	str_clear(check->unescaped);
	if (pass_string(check, check->unescaped) < 0)
		return -1;
	note_key(check, from);
	skip_space(check);
	if (peek(check) != ':')
		return refuse_here(check);
	check->at++;
	*want = VALUE;
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct key *one = a, *two = b;
	int order = memcmp(one->at, two->at, one->len < two->len ? one->len : two->len);

	if (order != 0)
		return order;
	if (one->len != two->len)
		return one->len < two->len ? -1 : 1;
	return one->from < two->from ? -1 : 1;
}

/* The keys of the object that closes: is one there twice?  Tells of the first that repeats another. */
static int check_twice(struct check *check, size_t first)
{
	struct key *keys;
	const struct key *again = NULL;
	size_t n = check->n_keys - first;

	if (n < 2)
		return 0;
	keys = check->keys + first;
	qsort(keys, n, sizeof *keys, compare_keys);
	for (size_t i = 1; i < n; i++)
		if (keys[i].len == keys[i - 1].len && memcmp(keys[i].at, keys[i - 1].at, keys[i].len) == 0 &&
			(again == NULL || keys[i].from < again->from))
			again = &keys[i];
	if (again == NULL)
		return 0;
	n = again->to - again->from - 2;
	return refuse(check, "json_duplicate_key", again->from, "key \"%.*s%s appears twice",
		(int)utf8_cut(check->text + again->from + 1, n, 60), check->text + again->from + 1,
		n > 60 ? "...\"" : "\"");
}

static int close_level(struct check *check, enum want *want)
{
	const struct level *level = &check->levels[--check->depth];

	if (level->is_object && check_twice(check, level->first_key) < 0)
		return -1;
	check->n_keys = level->first_key;
	check->at++;
	*want = COMMA_OR_END;
	return 0;
}

static int step(struct check *check, enum want *want)
{
	int c = peek(check);
	bool is_object = check->depth > 0 && check->levels[check->depth - 1].is_object;

	switch (*want) {
	case VALUE_OR_END:
		if (c == ']')
			return close_level(check, want);
		return pass_value(check, want);
	case VALUE:
		return pass_value(check, want);
	case KEY_OR_END:
		if (c == '}')
			return close_level(check, want);
		return pass_key(check, want);
	case KEY:
		return pass_key(check, want);
	case COMMA_OR_END:
		break;
	}
	if (c == (is_object ? '}' : ']'))
		return close_level(check, want);
	if (c != ',')
		return refuse_here(check);
	check->at++;
	*want = is_object ? KEY : VALUE;
	return 0;
}

int json_check(struct arena *arena, const char *text, size_t len, struct json_fault *fault)
{
	struct check check = {.arena = arena, .text = text, .len = len, .fault = fault};
	enum want want = VALUE;

	check.unescaped = str_new(arena);
	do {
		skip_space(&check);
		if (step(&check, &want) < 0)
			return -1;
	} while (check.depth > 0);
	skip_space(&check);
	if (check.at < check.len)
		return refuse_here(&check);
	return 0;
}

static void release_object(void *object)
{
	json_object_put(object);
}

/* json-c 0.16 masks too few bits: of an escaped U+1D800..1DFFF, 2D800..2DFFF (Han) and so on it makes U+FFFD.
 * So pairs of escapes are written out before it sees them. */
static bool has_pairs(const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		if (end - at > 4 && at[1] == 'u' && (at[2] | 0x20) == 'd' && strchr("89abAB", at[3]) != NULL)
			return true;
		at += 2;
	}
	return false;
}

static struct str *write_pairs(struct arena *arena, const char *text, size_t len)
{
	struct json_fault unused;
	struct check check = {.text = text, .len = len, .fault = &unused};
	struct str *out = str_new(arena);
	const char *escape;
	uint32_t code = 0;

	while ((escape = memchr(text + check.at, '\\', len - check.at)) != NULL) {
		size_t from = (size_t)(escape - text);

		str_add(out, text + check.at, from - check.at);
		check.at = from;
		if (pass_escape(&check, &code) == 0 && code > 0xFFFF)
			utf8_put(out, code);
		else
			str_add(out, escape, check.at - from);
	}
	str_add(out, text + check.at, len - check.at);
	return out;
}

static struct json_object *parse(struct task *task, const char *text, size_t len, enum json_tokener_error *error)
{
	/* json-c counts a scalar as a level, and wants one more than there are */
	struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 2);
	struct json_object *object;

	if (tokener == NULL)
		arena_exhausted(task->arena);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)len);
	/* a number at the very end waits for what follows it: a NUL says that nothing does */
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		object = json_tokener_parse_ex(tokener, "", 1);
	*error = json_tokener_get_error(tokener);
	json_tokener_free(tokener);
	return object;
}

/* Why json-c made nothing of a text that passed the check. */
static void explain(struct task *task, const char *text, size_t len, enum json_tokener_error error)
{
	if (error != json_tokener_success)
		fail(task, 400, "json_syntax", "The body is not valid JSON: %s.", json_tokener_error_desc(error));
	else if (len >= 4 && memcmp(text + len - 4, "null", 4) == 0)
		/* json-c's null is NULL, and a caller could not tell it from a failure */
		fail(task, 400, "json_null", "The body is null.");
	else
		arena_exhausted(task->arena);
}

struct json_object *json_read(struct task *task, const char *text, size_t len)
{
	enum json_tokener_error error;
	struct json_object *object;
	struct json_fault fault;

	while (len > 0 && is_space((unsigned char)text[len - 1]))
		len--;
	if (len > INT_MAX) {
		fail(task, 400, "json_syntax", "The body is too long.");
		return NULL;
	}
	if (json_check(task->arena, text, len, &fault) < 0) {
		fail(task, 400, fault.code, "The body is not valid JSON: %s at byte %zu.", fault.what, fault.at);
		return NULL;
	}
	if (has_pairs(text, len)) {
		struct str *written = write_pairs(task->arena, text, len);

		text = written->at;
		len = written->len;
	}
	object = parse(task, text, len, &error);
	if (object == NULL)
		explain(task, text, len, error);
	else
		arena_later(task->arena, release_object, object);
	return object;
}
