/* SPDX-License-Identifier: ISC */
#include "web/param.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

bool param_is_plain(char c, const char *marks)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr(marks, c) != NULL);
}

size_t param_token(const struct param_reader *in)
{
	const char *at = in->at;

	while (at < in->end && param_is_plain(*at, "!#$%&'*+-.^_`|~"))
		at++;
	return (size_t)(at - in->at);
}

bool param_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void param_skip_space(struct param_reader *in)
{
	while (in->at < in->end && param_is_space(*in->at))
		in->at++;
}

bool param_equals(const char *at, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(at, word, len) == 0;
}

void param_put_lower(struct str *out, const char *at, size_t len)
{
	str_clear(out);
	for (size_t i = 0; i < len; i++)
		str_putc(out, (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]));
}

/* At the opening quote, to behind the closing one; -1 when it does not come. */
static int read_quoted(struct param_reader *in, struct str *value)
{
	for (in->at++; in->at < in->end; in->at++) {
		if (*in->at == '"') {
			in->at++;
			return 0;
		}
		if (*in->at == '\\' && in->end - in->at > 1 && (in->at[1] == '"' || in->at[1] == '\\'))
			in->at++;
		str_putc(value, *in->at);
	}
	return -1;
}

/* Without quotes more than a token is taken, as long as it is plain where it ends: many write boundary=--=_x. */
static int read_bare(struct param_reader *in, struct str *value)
{
	const char *from = in->at;

	while (in->at < in->end && (unsigned char)*in->at > ' ' && *in->at != ';' && *in->at != '"')
		in->at++;
	str_add(value, from, (size_t)(in->at - from));
	return in->at > from ? 0 : -1;
}

int param_read(struct param_reader *in, struct param *param, struct str *value)
{
	param_skip_space(in);
	if (in->at == in->end)
		return 0;
	if (*in->at != ';')
		return -1;
	in->at++;
	param_skip_space(in);
	if (in->at == in->end)
		return 0;
	param->name = in->at;
	param->name_len = param_token(in);
	in->at += param->name_len;
	if (param->name_len == 0 || in->at == in->end || *in->at != '=')
		return -1;
	in->at++;
	str_clear(value);
	if (in->at < in->end && *in->at == '"')
		return read_quoted(in, value) < 0 ? -1 : 1;
	return read_bare(in, value) < 0 ? -1 : 1;
}

int param_read_type(struct param_reader *in, struct str *type)
{
	const char *from = in->at;
	size_t len = param_token(in);

	in->at += len;
	if (len == 0 || in->at == in->end || *in->at != '/')
		return -1;
	in->at++;
	len = param_token(in);
	in->at += len;
	if (len == 0)
		return -1;
	param_put_lower(type, from, (size_t)(in->at - from));
	return 0;
}

int param_hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);

	return found == NULL ? -1 : (int)(found - digits);
}

int param_decode(const struct str *value, struct str *out)
{
	const char *language = memchr(value->at, '\'', value->len), *at, *end = value->at + value->len;
	bool latin;

	at = language == NULL ? NULL : memchr(language + 1, '\'', (size_t)(end - language - 1));
	if (at == NULL)
		return -1;
	latin = param_equals(value->at, (size_t)(language - value->at), "iso-8859-1");
	if (!latin && !param_equals(value->at, (size_t)(language - value->at), "utf-8"))
		return -1;
	str_clear(out);
	for (at++; at < end; at++) {
		int high, low;
		unsigned char c = (unsigned char)*at;

		if (c == '%') {
			high = end - at > 2 ? param_hex(at[1]) : -1;
			low = high < 0 ? -1 : param_hex(at[2]);
			if (low < 0)
				return -1;
			c = (unsigned char)(high << 4 | low);
			at += 2;
		}
		if (latin)
			utf8_put(out, c);
		else
			str_putc(out, (char)c);
	}
	return 0;
}
