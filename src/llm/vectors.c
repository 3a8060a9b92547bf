/* SPDX-License-Identifier: ISC
 * The text is checked first (base/json.h); what walks over it afterwards may believe that it is JSON. */
#include "llm/vectors.h"

#include <endian.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

struct walk {
	const char *at; /* in a text that is valid JSON and ends with a NUL */
	struct arena *arena;
	struct vectors *out;
	bool *seen;   /* which of the texts have their vector */
	float *one;   /* the vector at hand */
	int one_n;    /* its length */
	int position; /* of the vector at hand in the answer */
	bool any;     /* a list of vectors was there */
	enum vectors_fault fault;
};

/* The first fault stays; always returns false. */
static bool wrong(struct walk *walk, enum vectors_fault fault)
{
	if (walk->fault == VECTORS_GOOD)
		walk->fault = fault;
	return false;
}

static char peek(struct walk *walk)
{
	walk->at += strspn(walk->at, " \t\r\n");
	return *walk->at;
}

/* A string, from quote to quote: what is between, as it is written. */
static const char *pass_string(struct walk *walk, size_t *len)
{
	const char *from = ++walk->at;

	while (*walk->at != '"')
		walk->at += *walk->at == '\\' ? 2 : 1;
	*len = (size_t)(walk->at++ - from);
	return from;
}

static void pass_value(struct walk *walk)
{
	size_t len;
	int depth = 0;

	do {
		char c = peek(walk);

		if (c == '"') {
			pass_string(walk, &len);
			continue;
		}
		depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
		if (strchr("{}[]:,", c) != NULL)
			walk->at++;
		else
			walk->at += strcspn(walk->at, "{}[]:, \t\r\n\"");
	} while (depth > 0);
}

/* Go to the next member of an object (begin with *first true): its name, with the walk at its value; NULL at the end.
 */
static const char *next_member(struct walk *walk, bool *first, size_t *len)
{
	const char *name;

	if (*first)
		walk->at++;
	*first = false;
	if (peek(walk) == ',')
		walk->at++;
	if (peek(walk) == '}') {
		walk->at++;
		return NULL;
	}
	name = pass_string(walk, len);
	if (peek(walk) == ':')
		walk->at++;
	peek(walk);
	return name;
}

/* The same for an array. */
static bool next_item(struct walk *walk, bool *first)
{
	if (*first)
		walk->at++;
	*first = false;
	if (peek(walk) == ',')
		walk->at++;
	if (peek(walk) != ']')
		return true;
	walk->at++;
	return false;
}

static bool is(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

static int64_t whole_number(struct walk *walk)
{
	char *end;
	double number = strtod(walk->at, &end);
	bool whole = end != walk->at && number >= 0 && number <= 1000000000 && number == floor(number);

	pass_value(walk);
	return whole ? (int64_t)number : -1;
}

static bool read_numbers(struct walk *walk)
{
	bool first = true;

	while (next_item(walk, &first)) {
		char *end;

		if (walk->one_n == VECTORS_MAX_DIMENSION)
			return wrong(walk, VECTORS_DIMENSION);
		walk->one[walk->one_n++] = strtof(walk->at, &end);
		if (end == walk->at) /* null stands for what is no number */
			return wrong(walk, *walk->at == 'n' ? VECTORS_VALUE : VECTORS_INVALID);
		walk->at = end;
	}
	return true;
}

/* Base64 as JSON writes it: a slash may have a backslash before it. */
static size_t without_backslashes(char *to, const char *from, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		if (from[i] != '\\')
			to[n++] = from[i];
	return n;
}

static bool read_base64(struct walk *walk)
{
	size_t len, bytes = 0, i;
	const char *text = pass_string(walk, &len);
	char *plain;

	if (len > VECTORS_MAX_DIMENSION * 8)
		return wrong(walk, VECTORS_DIMENSION);
	plain = arena_get(walk->arena, len + 1);
	len = without_backslashes(plain, text, len);
	if (sodium_base642bin((unsigned char *)walk->one, VECTORS_MAX_DIMENSION * sizeof(float), plain, len, NULL,
		    &bytes, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		bytes % sizeof(float) != 0)
		return wrong(walk, VECTORS_INVALID);
	walk->one_n = (int)(bytes / sizeof(float));
	for (i = 0; i < bytes / sizeof(float); i++) { /* little-endian on its way */
		uint32_t bits;

		memcpy(&bits, &walk->one[i], sizeof(bits));
		bits = le32toh(bits);
		memcpy(&walk->one[i], &bits, sizeof(bits));
	}
	return true;
}

static bool read_vector(struct walk *walk)
{
	char c = peek(walk);

	walk->one_n = 0;
	if (c == '[')
		return read_numbers(walk);
	if (c == '"')
		return read_base64(walk);
	return wrong(walk, c == 'n' ? VECTORS_VALUE : VECTORS_INVALID);
}

/* The vector at hand in its place, brought to length 1. */
static bool keep_vector(struct walk *walk, int64_t index)
{
	struct vectors *out = walk->out;
	double sum = 0;
	float *to;
	int i;

	if (index < 0 || index >= out->n || walk->seen[index])
		return wrong(walk, VECTORS_COUNT);
	if (walk->one_n == 0 || (out->dimension != 0 && walk->one_n != out->dimension))
		return wrong(walk, VECTORS_DIMENSION);
	out->dimension = walk->one_n;
	if (out->at == NULL)
		out->at = arena_get(walk->arena, (size_t)out->n * (size_t)out->dimension * sizeof(float));
	for (i = 0; i < walk->one_n; i++)
		sum += (double)walk->one[i] * (double)walk->one[i];
	if (!isfinite(sum) || sum == 0)
		return wrong(walk, VECTORS_VALUE);
	to = out->at + (size_t)index * (size_t)out->dimension;
	for (i = 0; i < walk->one_n; i++)
		to[i] = (float)((double)walk->one[i] / sqrt(sum));
	walk->seen[index] = true;
	return true;
}

/* {"embedding":...,"index":...}: without an index it is the next one. */
static bool read_object(struct walk *walk)
{
	bool first = true, found = false;
	int64_t index = walk->position;
	const char *name;
	size_t len;

	while ((name = next_member(walk, &first, &len)) != NULL) {
		if (is(name, len, "embedding")) {
			if (!read_vector(walk))
				return false;
			found = true;
		} else if (is(name, len, "index")) {
			index = whole_number(walk);
		} else {
			pass_value(walk);
		}
	}
	return found ? keep_vector(walk, index) : wrong(walk, VECTORS_INVALID);
}

/* `data` of OpenAI: objects; `embeddings` of Ollama: vectors. */
static bool read_list(struct walk *walk)
{
	bool first = true, kept;

	if (peek(walk) != '[')
		return wrong(walk, VECTORS_INVALID);
	walk->any = true;
	for (walk->position = 0; next_item(walk, &first); walk->position++) {
		if (walk->position == walk->out->n)
			return wrong(walk, VECTORS_COUNT);
		if (peek(walk) == '{')
			kept = read_object(walk);
		else
			kept = read_vector(walk) && keep_vector(walk, walk->position);
		if (!kept)
			return false;
	}
	return walk->position == walk->out->n || wrong(walk, VECTORS_COUNT);
}

static void read_usage(struct walk *walk)
{
	bool first = true;
	const char *name;
	size_t len;

	if (peek(walk) != '{') {
		pass_value(walk);
		return;
	}
	while ((name = next_member(walk, &first, &len)) != NULL)
		if (is(name, len, "prompt_tokens"))
			walk->out->n_tokens = whole_number(walk);
		else
			pass_value(walk);
}

static bool read_answer(struct walk *walk)
{
	bool first = true;
	const char *name;
	size_t len;

	if (peek(walk) != '{')
		return wrong(walk, VECTORS_INVALID);
	while ((name = next_member(walk, &first, &len)) != NULL) {
		if (is(name, len, "error") && *walk->at != 'n')
			return wrong(walk, VECTORS_ERROR);
		if (!walk->any && (is(name, len, "data") || is(name, len, "embeddings"))) {
			if (!read_list(walk))
				return false;
		} else if (is(name, len, "usage")) {
			read_usage(walk);
		} else if (is(name, len, "prompt_eval_count")) {
			walk->out->n_tokens = whole_number(walk);
		} else {
			pass_value(walk);
		}
	}
	return walk->any || wrong(walk, VECTORS_INVALID);
}

/* Where JSON has no word for a number, some write one all the same; the check may have passed its first letter. */
static enum vectors_fault why_invalid(const char *text, size_t len, const struct json_fault *fault)
{
	const char *at = text + fault->at;
	int i;

	for (i = 0; i < 2 && at - i >= text && fault->at < len; i++)
		if (strncasecmp(at - i, "nan", 3) == 0 || strncasecmp(at - i, "inf", 3) == 0)
			return VECTORS_VALUE;
	return strcmp(fault->code, "json_number") == 0 ? VECTORS_VALUE : VECTORS_INVALID;
}

enum vectors_fault vectors_read(struct arena *arena, const char *text, size_t len, struct vectors *out)
{
	struct walk walk = {.at = text, .arena = arena, .out = out};
	struct json_fault fault;

	out->at = NULL;
	out->n_tokens = -1;
	if (json_check(arena, text, len, &fault) < 0)
		return why_invalid(text, len, &fault);
	walk.seen = arena_get(arena, (size_t)out->n * sizeof(*walk.seen));
	walk.one = arena_get(arena, VECTORS_MAX_DIMENSION * sizeof(*walk.one));
	read_answer(&walk);
	return walk.fault;
}
