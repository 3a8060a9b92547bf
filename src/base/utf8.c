/* SPDX-License-Identifier: ISC
 * Reading, writing, cutting and cleaning UTF-8 (Unicode 15, table 3-7). */
#include "base/utf8.h"

#include <string.h>

/* Bytes of the character that this byte begins, or 0. */
static int lead_bytes(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xC2 || lead > 0xF4)
		return 0;
	return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* May `next` be the second byte after `lead`?  Here end overlong forms, surrogates, and what is above
 * U+10FFFF. */
static bool is_second(unsigned char lead, unsigned char next)
{
	switch (lead) {
	case 0xE0:
		return next >= 0xA0 && next <= 0xBF;
	case 0xED:
		return next >= 0x80 && next <= 0x9F;
	case 0xF0:
		return next >= 0x90 && next <= 0xBF;
	case 0xF4:
		return next >= 0x80 && next <= 0x8F;
	default:
		return next >= 0x80 && next <= 0xBF;
	}
}

int utf8_read(const char *at, size_t len, uint32_t *code)
{
	static const unsigned char lead_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
	const unsigned char *byte = (const unsigned char *)at;
	uint32_t c;
	int n;

	if (len == 0)
		return 0;
	n = lead_bytes(byte[0]);
	if (n == 0 || (size_t)n > len)
		return 0;
	c = byte[0] & lead_mask[n];
	if (n > 1 && !is_second(byte[0], byte[1]))
		return 0;
	for (int i = 1; i < n; i++) {
		if ((byte[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (byte[i] & 0x3F);
	}
	*code = c;
	return n;
}

void utf8_put(struct str *str, uint32_t code)
{
	char bytes[4];
	size_t n;

	if (code < 0x80) {
		str_putc(str, (char)code);
		return;
	}
	n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--) {
		bytes[i] = (char)(0x80 | (code & 0x3F));
		code >>= 6;
	}
	/* n leading one-bits say how many bytes there are */
	bytes[0] = (char)((0xF00 >> n) | code);
	str_add(str, bytes, n);
}

/* Bytes up to the first that is not ASCII, or is NUL. */
static size_t count_ascii(const char *at, size_t len)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x80 * ones;
	size_t n = 0;

	for (; len - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
		uint64_t x;

		memcpy(&x, at + n, sizeof x);
		if (((x - ones) | x) & highs)
			break;
	}
	while (n < len && (signed char)at[n] > 0)
		n++;
	return n;
}

bool utf8_valid(const char *at, size_t len)
{
	uint32_t code;

	while (len > 0) {
		size_t n = count_ascii(at, len);

		if (n == 0)
			n = (size_t)utf8_read(at, len, &code);
		if (n == 0)
			return false;
		at += n;
		len -= n;
	}
	return true;
}

size_t utf8_cut(const char *at, size_t len, size_t max)
{
	size_t start = max;

	if (len <= max)
		return len;
	while (start > 0 && max - start < 4) {
		start--;
		if ((at[start] & 0xC0) != 0x80)
			return start + (size_t)lead_bytes((unsigned char)at[start]) > max ? start : max;
	}
	return max;
}

/* Bytes up to the first that is no part of a valid character, or is NUL. */
static size_t count_clean(const char *at, size_t len)
{
	uint32_t code;
	size_t n = 0;

	for (;;) {
		int bytes;

		n += count_ascii(at + n, len - n);
		bytes = utf8_read(at + n, len - n, &code);
		if (bytes == 0 || code == 0)
			return n;
		n += (size_t)bytes;
	}
}

static void give_up(struct utf8_stream *stream, struct str *out)
{
	str_puts(out, "\xEF\xBF\xBD");
	stream->n_held = 0;
}

/* One byte more: it begins, continues or ends a character, or shows that what is held is none.  Each longest
 * beginning of a character becomes one U+FFFD, as the WHATWG's decoder does it. */
static void feed(struct utf8_stream *stream, char c, struct str *out)
{
	unsigned char byte = (unsigned char)c, lead = (unsigned char)stream->held[0];
	bool fits = stream->n_held == 1 ? is_second(lead, byte) : (byte & 0xC0) == 0x80;

	if (stream->n_held > 0 && !fits)
		give_up(stream, out);
	if (stream->n_held == 0 && byte == 0)
		return;
	stream->held[stream->n_held++] = c;
	if (stream->n_held == 1 && lead_bytes(byte) == 0)
		give_up(stream, out);
	else if (stream->n_held == lead_bytes((unsigned char)stream->held[0])) {
		str_add(out, stream->held, (size_t)stream->n_held);
		stream->n_held = 0;
	}
}

void utf8_clean(struct utf8_stream *stream, const char *piece, size_t len, bool last, struct str *out)
{
	size_t at = 0;

	while (at < len) {
		if (stream->n_held == 0) {
			size_t clean = count_clean(piece + at, len - at);

			str_add(out, piece + at, clean);
			at += clean;
		}
		if (at < len)
			feed(stream, piece[at++], out);
	}
	if (last && stream->n_held > 0)
		give_up(stream, out);
}
