/* SPDX-License-Identifier: ISC
 * A single pass over the bytes with a stack of its own, so that no text, however deep or long, costs more than its
 * length; what is wanted of it is made as it goes.  Keys are compared by sorting each object's when it closes: no hash,
 * so nothing to collide.  json-c's own parser is not asked: it takes glibc's lock for locales several times a text,
 * which a thousand streams fought over (seen: 300 ms at a time), and mistakes some pairs of escapes (0.16). */
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
	DEEPEST = 2 * JSON_MAX_DEPTH, /* of our own: what came as deep as may be can lie inside */
};

struct key {
	const char *at; /* unescaped */
	size_t len;
	size_t from, to; /* as written, for the message */
};

struct level {
	bool is_object;
	size_t first_key;
	struct json_object *made;
};

struct check {
	struct arena *arena;
	const char *text;
	size_t len, at;
	struct json_fault *fault;
	struct level levels[DEEPEST];
	int depth;
	struct key *keys; /* of all objects that are open, the innermost last */
	size_t n_keys, room_keys;
	size_t keys_seen, containers_seen, values_seen;
	struct str *unescaped;
	bool ours;                 /* no limit but the depth */
	bool makes;                /* objects, besides the check */
	struct json_object **root; /* the arena's */
	struct str *key;           /* of the value that comes next */
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

/* The same, and what it says: a piece of the text itself, or until the next string. */
static int take_string(struct check *check, const char **says, size_t *len)
{
	size_t from = check->at;

	if (pass_string(check, NULL) < 0)
		return -1;
	*says = check->text + from + 1;
	*len = check->at - from - 2;
	if (memchr(*says, '\\', *len) == NULL)
		return 0;
	check->at = from;
	str_clear(check->unescaped);
	pass_string(check, check->unescaped);
	*says = check->unescaped->at;
	*len = check->unescaped->len;
	return 0;
}

/* Put a value where it belongs.  NULL is json-c's null, or that it had no memory. */
static void add_value(struct check *check, struct json_object *value, bool is_null)
{
	const struct level *level = check->depth == 0 ? NULL : &check->levels[check->depth - 1];
	int added = 0;

	if (value == NULL && !is_null)
		arena_exhausted(check->arena);
	if (level == NULL)
		*check->root = value;
	else if (level->is_object)
		/* Should it be there already, the object is refused when it closes. */
		added = json_object_object_add_ex(level->made, check->key->at, value, JSON_C_OBJECT_ADD_KEY_IS_NEW);
	else
		added = json_object_array_add(level->made, value);
	if (added < 0) {
		json_object_put(value);
		arena_exhausted(check->arena);
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

static double read_double(const char *number)
{
	static _Atomic(locale_t) known; /* whose decimal point is '.' */
	locale_t c_locale = known;

	if (c_locale == (locale_t)0)
		known = c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* libc's own: takes no memory */
	return strtod_l(number, NULL, c_locale);
}

/* A double keeps its text, to be written as it came. */
static void add_number(struct check *check, const char *number, bool is_integer)
{
	if (check->makes)
		add_value(check,
			is_integer ? json_object_new_int64(strtoll(number, NULL, 10))
				   : json_object_new_double_s(read_double(number), number),
			false);
}

static int pass_number(struct check *check)
{
	size_t from = check->at, digits, len;
	bool is_integer = true, is_negative = peek(check) == '-';
	char number[JSON_MAX_NUMBER + 1];

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
	memcpy(number, check->text + from, check->at - from);
	number[check->at - from] = '\0';
	/* an infinity is something that no answer could say again */
	if (!is_integer && !isfinite(read_double(number)))
		return refuse(check, "json_number", from, "a number too large");
	add_number(check, number, is_integer);
	return 0;
}

static int pass_word(struct check *check, const char *word)
{
	const char *at;

	for (at = word; *at != '\0'; at++, check->at++)
		if (peek(check) != *at)
			return refuse_here(check);
	if (check->makes)
		add_value(check, *word == 'n' ? NULL : json_object_new_boolean(*word == 't'), *word == 'n');
	return 0;
}

static int pass_text(struct check *check)
{
	const char *says;
	size_t len;

	if (!check->makes)
		return pass_string(check, NULL);
	if (take_string(check, &says, &len) < 0)
		return -1;
	add_value(check, json_object_new_string_len(says, (int)len), false);
	return 0;
}

static int open_level(struct check *check, enum want *want)
{
	struct level level = {.is_object = peek(check) == '{', .first_key = check->n_keys};

	if (check->depth == (check->ours ? DEEPEST : JSON_MAX_DEPTH))
		return refuse(check, "json_depth", check->at, "more than %d levels", JSON_MAX_DEPTH);
	if (++check->containers_seen > MAX_CONTAINERS && !check->ours)
		return refuse(check, "json_keys", check->at, "more than %d arrays and objects", MAX_CONTAINERS);
	if (check->makes) {
		level.made = level.is_object ? json_object_new_object() : json_object_new_array();
		add_value(check, level.made, false);
	}
	check->levels[check->depth++] = level;
	check->at++;
	*want = level.is_object ? KEY_OR_END : VALUE_OR_END;
	return 0;
}

static int pass_value(struct check *check, enum want *want)
{
	if (++check->values_seen > MAX_VALUES && !check->ours)
		return refuse(check, "json_keys", check->at, "more than %d values", MAX_VALUES);
	*want = COMMA_OR_END;
	switch (peek(check)) {
	case '{':
	case '[':
		return open_level(check, want);
	case '"':
		return pass_text(check);
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

static void note_key(struct check *check, size_t from, const char *says, size_t len)
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
	key->len = len;
	key->at = says == check->unescaped->at ? arena_copy(check->arena, says, len) : says;
	if (check->makes) {
		str_clear(check->key);
		str_add(check->key, says, len);
	}
}

static int pass_key(struct check *check, enum want *want)
{
	size_t from = check->at, len;
	const char *says;

	if (peek(check) != '"')
		return refuse_here(check);
	if (!check->ours && check->n_keys - check->levels[check->depth - 1].first_key == JSON_MAX_KEYS)
		return refuse(check, "json_keys", from, "more than %d keys in one object", JSON_MAX_KEYS);
	if (!check->ours && ++check->keys_seen > JSON_MOST_KEYS)
		return refuse(check, "json_keys", from, "more than %d keys", JSON_MOST_KEYS);
	if (take_string(check, &says, &len) < 0)
		return -1;
	note_key(check, from, says, len);
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

static int pass_all(struct check *check)
{
	enum want want = VALUE;

	check->unescaped = str_new(check->arena);
	do {
		skip_space(check);
		if (step(check, &want) < 0)
			return -1;
	} while (check->depth > 0);
	skip_space(check);
	return check->at < check->len ? refuse_here(check) : 0;
}

int json_check(struct arena *arena, const char *text, size_t len, struct json_fault *fault)
{
	struct check check = {.arena = arena, .text = text, .len = len, .fault = fault};

	return pass_all(&check);
}

static void release_root(void *root)
{
	json_object_put(*(struct json_object **)root);
}

/* Make what the text says; the arena's.  -1 with the fault, and no object. */
static int make(struct check *check)
{
	check->makes = true;
	check->key = str_new(check->arena);
	check->root = arena_get(check->arena, sizeof(*check->root));
	arena_later(check->arena, release_root, check->root);
	if (pass_all(check) == 0)
		return 0;
	json_object_put(*check->root);
	*check->root = NULL;
	return -1;
}

struct json_object *json_read(struct task *task, const char *text, size_t len)
{
	struct json_fault fault;
	struct check check = {.arena = task->arena, .text = text, .len = len, .fault = &fault};

	if (len > INT_MAX) {
		fail(task, 400, "json_syntax", "The body is too long.");
		return NULL;
	}
	if (make(&check) < 0)
		fail(task, 400, fault.code, "The body is not valid JSON: %s at byte %zu.", fault.what, fault.at);
	else if (*check.root == NULL) /* json-c's null is NULL, and a caller could not tell it from a failure */
		fail(task, 400, "json_null", "The body is null.");
	return *check.root;
}

struct json_object *json_ours(struct arena *arena, const char *text)
{
	struct json_fault fault;
	struct check check = {.arena = arena, .text = text, .len = strlen(text), .fault = &fault, .ours = true};

	make(&check);
	return *check.root;
}

static void release(void *object)
{
	json_object_put(object);
}

struct json_object *json_keep(struct arena *arena, struct json_object *object)
{
	if (object == NULL)
		arena_exhausted(arena);
	arena_later(arena, release, object);
	return object;
}

const char *json_text(struct arena *arena, struct json_object *value)
{
	const char *text =
		json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text == NULL)
		arena_exhausted(arena);
	return arena_strdup(arena, text);
}

struct json_object *json_member(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &value))
		return NULL;
	return json_object_is_type(value, type) ? value : NULL;
}
