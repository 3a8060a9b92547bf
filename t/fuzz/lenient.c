/* SPDX-License-Identifier: ISC
 * What a provider says must not be lost for what lenient.h promises to mend: good JSON stays good, and as it was but
 * for long numbers; a string of any bytes and halves of pairs, and numbers of any length, become good. */
#include "llm/lenient.h"

#include "base/json.h"
#include "fuzz.h"

static bool is_good(struct arena *arena, const struct str *text)
{
	struct json_fault fault;

	return json_check(arena, text->at, text->len, &fault) == 0;
}

static struct str *clean(struct arena *arena, const char *text, size_t len)
{
	struct str *out = str_new(arena);

	lenient_clean(out, text, len);
	return out;
}

static bool has_long_number(const char *text, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++) {
		digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
		if (digits > 18)
			return true;
	}
	return false;
}

/* The bytes as a string's inside: three of them stand for what a model's server writes when it cuts a text badly. */
static struct str *as_string(struct arena *arena, const char *bytes, size_t len)
{
	struct str *text = str_new(arena);

	str_puts(text, "[\"");
	for (size_t i = 0; i < len; i++)
		if (bytes[i] == '^')
			str_puts(text, "\\u0000");
		else if (bytes[i] == '~')
			str_puts(text, "\\uD83d");
		else if (bytes[i] == '`')
			str_puts(text, "\\udE00");
		else if (bytes[i] == '\\')
			str_puts(text, "\\\\");
		else if (bytes[i] != '"' && (unsigned char)bytes[i] >= ' ')
			str_putc(text, bytes[i]);
	str_puts(text, "\"]");
	return text;
}

/* The bytes' digits as a whole number and as a fraction. */
static struct str *as_number(struct arena *arena, const char *bytes, size_t len)
{
	struct str *text = str_new(arena);
	char digits[300];
	int n = 0;

	for (size_t i = 0; i < len && n < (int)sizeof(digits); i++)
		if (bytes[i] >= '0' && bytes[i] <= '9')
			digits[n++] = bytes[i];
	str_printf(text, "[1%.*s,-1%.*s,{\"a\":0.1%.*s},1e-1%.*s]", n, digits, n, digits, n, digits, n < 2 ? n : 2,
		digits);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	struct arena *arena = arena_new();
	struct str *out = clean(arena, text, len), *made;
	struct json_fault fault;

	/* U+FFFD is thrice as long as the byte it stands for */
	must(out->len <= 3 * len);
	if (json_check(arena, text, len, &fault) == 0) {
		must(is_good(arena, out));
		if (!has_long_number(text, len))
			must(out->len == len && memcmp(out->at, text, len) == 0);
	}
	made = as_string(arena, text, len);
	must(is_good(arena, clean(arena, made->at, made->len)));
	made = as_number(arena, text, len);
	must(is_good(arena, clean(arena, made->at, made->len)));
	arena_free(arena);
	return 0;
}
