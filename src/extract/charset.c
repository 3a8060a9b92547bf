/* SPDX-License-Identifier: ISC */
#include "extract/charset.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "extract/job.h"

/* ---- names */

static struct charset named(const char *name)
{
	struct charset charset;

	snprintf(charset.name, sizeof(charset.name), "%s", name);
	return charset;
}

/* What iconv is to be asked for: as browsers do, Latin-1 is read as its superset, and so are the Chinese, Japanese and
 * Korean ones that writers are careless about. */
static const char *alias(const char *label)
{
	static const char *const aliases[][2] = {{"ascii", "WINDOWS-1252"}, {"us-ascii", "WINDOWS-1252"},
		{"ansi_x3.4-1968", "WINDOWS-1252"}, {"iso-8859-1", "WINDOWS-1252"}, {"iso8859-1", "WINDOWS-1252"},
		{"iso_8859-1", "WINDOWS-1252"}, {"latin1", "WINDOWS-1252"}, {"latin-1", "WINDOWS-1252"},
		{"l1", "WINDOWS-1252"}, {"cp1252", "WINDOWS-1252"}, {"x-cp1252", "WINDOWS-1252"},
		{"iso-8859-9", "WINDOWS-1254"}, {"x-sjis", "CP932"}, {"sjis", "CP932"}, {"shift_jis", "CP932"},
		{"shift-jis", "CP932"}, {"windows-31j", "CP932"}, {"gb2312", "GB18030"}, {"gb_2312-80", "GB18030"},
		{"gbk", "GB18030"}, {"ks_c_5601-1987", "CP949"}, {"euc-kr", "CP949"}, {"x-mac-roman", "MACINTOSH"},
		{"x-user-defined", "WINDOWS-1252"}};

	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcasecmp(label, aliases[i][0]) == 0)
			return aliases[i][1];
	return label;
}

static const char label_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";

/* A label as people declare it, or "" if it says nothing: none, no sane name, or UTF-8, which the bytes know better.
 * (UTF-16 without a mark is seen by its bytes too.) */
static struct charset declared_charset(const char *label)
{
	size_t len;

	if (label == NULL)
		return named("");
	len = strspn(label, label_characters);
	if (len == 0 || label[len] != '\0' || len >= CHARSET_NAME_BYTES || strncasecmp(label, "utf", 3) == 0 ||
		strncasecmp(label, "ucs", 3) == 0 || strncasecmp(label, "unicode", 7) == 0)
		return named(strcasecmp(label, "utf-7") == 0 ? "UTF-7" : "");
	return named(alias(label));
}

const char *charset_of_type(struct arena *arena, const char *type)
{
	const char *at = type != NULL ? strcasestr(type, "charset=") : NULL;
	size_t len;

	if (at == NULL)
		return NULL;
	at += strlen("charset=");
	at += strspn(at, "\"' ");
	len = strcspn(at, "\"' ;");
	return len > 0 ? arena_copy(arena, at, len) : NULL;
}

/* ---- what the bytes say */

static struct charset marked(const unsigned char *at, size_t len)
{
	if (len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
		return named("UTF-8");
	if (len >= 4 && memcmp(at, "\xFF\xFE\0\0", 4) == 0)
		return named("UTF-32LE");
	if (len >= 4 && memcmp(at, "\0\0\xFE\xFF", 4) == 0)
		return named("UTF-32BE");
	if (len >= 2 && memcmp(at, "\xFF\xFE", 2) == 0)
		return named("UTF-16LE");
	if (len >= 2 && memcmp(at, "\xFE\xFF", 2) == 0)
		return named("UTF-16BE");
	return named("");
}

/* UTF-16 without a mark: of its spaces, line ends and whatever is Latin in it one byte is NUL, always on the same side;
 * and it has no lone surrogates. */
static struct charset unmarked_utf16(const unsigned char *at, size_t len)
{
	size_t nuls[2] = {0}, odd = 0, pairs = len / 2, high;
	int big;

	for (size_t i = 0; i + 1 < len; i += 2) {
		nuls[0] += at[i] == 0;
		nuls[1] += at[i + 1] == 0;
	}
	big = nuls[0] > nuls[1];
	if (pairs < 2 || nuls[big ? 0 : 1] < 1 + pairs / 50 || nuls[big ? 1 : 0] > pairs / 500)
		return named("");
	high = big ? 0 : 1;
	for (size_t i = 0; i + 3 < len; i += 2) {
		bool first = (at[i + high] & 0xFC) == 0xD8, second = (at[i + 2 + high] & 0xFC) == 0xDC;

		odd += first != second;
	}
	return named(odd > pairs / 100 ? "" : big ? "UTF-16BE" : "UTF-16LE");
}

/* What <?xml ... encoding="..."?> says. */
static void declared_in_xml(const char *text, char label[CHARSET_NAME_BYTES])
{
	const char *end = strstr(text, "?>"), *name = strstr(text, "encoding");

	if (name != NULL && (end == NULL || name < end))
		sscanf(name, "encoding%*[ \t\r\n=]%*[\"']%47[^\"'> ]", label);
}

/* What <meta charset=...> or <meta ... content="text/html; charset=..."> say.  Many a head has it behind long scripts:
 * browsers begin anew there. */
static void declared_in_meta(const char *text, char label[CHARSET_NAME_BYTES])
{
	const char *body = strcasestr(text, "<body"), *at, *end;

	for (at = text; label[0] == '\0' && (at = strcasestr(at, "<meta")) != NULL && (body == NULL || at < body);
		at = end) {
		char tag[1024];
		const char *name;

		end = strchr(at, '>');
		if (end == NULL)
			return;
		snprintf(tag, sizeof(tag), "%.*s", (int)(end - at), at);
		name = strcasestr(tag, "charset");
		if (name != NULL)
			sscanf(name + strlen("charset"), "%*[ \t\r\n=\"']%47[^\"'>; /\r\n]", label);
	}
}

static struct charset declared_inside(const char *head, size_t len)
{
	static char text[CHARSET_HEAD_BYTES + 1];
	char label[CHARSET_NAME_BYTES] = "";
	const char *at;

	len = len < sizeof(text) - 1 ? len : sizeof(text) - 1;
	memcpy(text, head, len);
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	at = text + strspn(text, " \t\r\n");
	if (strncmp(at, "<?xml", 5) == 0) {
		text[len < 4096 ? len : 4096] = '\0';
		declared_in_xml(at, label);
	}
	declared_in_meta(text, label);
	return declared_charset(label);
}

/* How much speaks for UTF-8, and how much against it. */
struct tally {
	uint64_t good, bad; /* characters of several bytes; bytes that belong to none */
};

/* Counts in a piece; returns the bytes at its end that may be the beginning of a character, with `last` none. */
static size_t count_utf8(struct tally *tally, const char *at, size_t len, bool last)
{
	size_t i = 0, valid = last ? len : utf8_cut(at, len, len > 3 ? len - 3 : 0);
	uint32_t code;

	if (utf8_valid(at, valid)) {
		for (; i < valid; i++)
			tally->good += (unsigned char)at[i] >= 0xC0;
	}
	while (i < len) {
		int n = utf8_read(at + i, len - i, &code);

		if (n == 0 && !last && len - i < 4)
			break;
		tally->good += n > 1;
		tally->bad += n == 0;
		i += n > 0 ? (size_t)n : 1;
	}
	return len - i;
}

/* A few spoilt bytes do not make UTF-8 something else. */
static struct charset judge(const struct tally *tally)
{
	return named(tally->bad == 0 || tally->good > 4 * tally->bad ? "UTF-8" : "WINDOWS-1252");
}

static struct charset guess_by_head(const char *head, size_t len, const char *declared, bool markup)
{
	struct charset charset = marked((const unsigned char *)head, len);

	if (charset.name[0] == '\0')
		charset = unmarked_utf16((const unsigned char *)head, len < 4096 ? len : 4096);
	if (charset.name[0] == '\0')
		charset = declared_charset(declared);
	if (charset.name[0] == '\0' && markup)
		charset = declared_inside(head, len);
	return charset;
}

struct charset charset_guess(const char *head, size_t len, const char *declared, bool markup)
{
	struct charset charset = guess_by_head(head, len, declared, markup);
	struct tally tally = {0};

	if (charset.name[0] != '\0')
		return charset;
	count_utf8(&tally, head, len, false);
	return judge(&tally);
}

/* Counts in all of descriptor 0. */
static struct tally count_input(struct feed *feed, char *piece, size_t room)
{
	struct tally tally = {0};
	size_t kept = 0, got;

	while ((got = feed->read(feed, piece + kept, room - kept)) > 0) {
		size_t n = kept + got;

		kept = count_utf8(&tally, piece, n, false);
		memmove(piece, piece + n - kept, kept);
	}
	count_utf8(&tally, piece, kept, true);
	return tally;
}

struct charset charset_of_input(const char *declared, bool markup)
{
	struct arena *arena = job_arena();
	char *piece = arena_get(arena, CHARSET_HEAD_BYTES);
	struct feed *feed = feed_input(arena);
	size_t n = feed_peek(arena, &feed, piece, CHARSET_HEAD_BYTES);
	struct charset charset = guess_by_head(piece, n, declared, markup);

	if (charset.name[0] == '\0') {
		struct tally tally = count_input(feed, piece, CHARSET_HEAD_BYTES);

		charset = judge(&tally);
	}
	arena_free(arena);
	return charset;
}

/* ---- decoding */

void charset_preload(const char *name)
{
	/* found by a process that the file may have taken over: no path to a module of its own */
	if (name[strspn(name, label_characters)] != '\0')
		return;
	/* never closed: iconv would unload it */
	if (name[0] != '\0' && strcmp(name, "UTF-8") != 0 && iconv_open("UTF-8", name) == (iconv_t)-1)
		(void)iconv_open("UTF-8", "WINDOWS-1252");
}

void charset_preload_many(void)
{
	static const char *const names[] = {"UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE", "UTF-7",
		"ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6", "ISO-8859-7",
		"ISO-8859-8", "ISO-8859-9", "ISO-8859-10", "ISO-8859-13", "ISO-8859-14", "ISO-8859-15", "ISO-8859-16",
		"WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255",
		"WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "WINDOWS-874", "TIS-620", "KOI8-R", "KOI8-U", "CP437",
		"CP850", "CP852", "CP866", "MACINTOSH", "EUC-JP", "CP932", "SHIFT_JIS", "ISO-2022-JP", "GB2312", "GBK",
		"GB18030", "BIG5", "BIG5-HKSCS", "EUC-KR", "CP949", "ISO-2022-KR"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		charset_preload(names[i]);
}

struct decoder {
	struct feed feed;
	struct feed *raw;
	iconv_t iconv;
	size_t unit;    /* bytes that are passed over where nothing can be decoded */
	bool begun;     /* a byte order mark may not come any more */
	bool ended;     /* the raw bytes have */
	size_t n, n_in; /* raw bytes taken, and there */
	char in[16 << 10];
};

static const char replacement[] = "\xEF\xBF\xBD";

static void refill(struct decoder *decoder)
{
	size_t left = decoder->n_in - decoder->n, got;

	memmove(decoder->in, decoder->in + decoder->n, left);
	decoder->n = 0;
	decoder->n_in = left;
	got = decoder->raw->read(decoder->raw, decoder->in + left, sizeof(decoder->in) - left);
	decoder->n_in += got;
	decoder->ended = got == 0;
}

static void skip_bad(struct decoder *decoder, char **to, size_t *room)
{
	size_t left = decoder->n_in - decoder->n;

	memcpy(*to, replacement, 3);
	*to += 3;
	*room -= 3;
	decoder->n += left < decoder->unit ? left : decoder->unit;
	iconv(decoder->iconv, NULL, NULL, NULL, NULL);
}

/* As much as fits, if there is room for a character or two; what is cut at the end of the raw bytes stays. */
static size_t decode(struct decoder *decoder, char *to, size_t room)
{
	char *begin = to;

	while (room >= 8) {
		char *in = decoder->in + decoder->n;
		size_t left = decoder->n_in - decoder->n;
		bool cut;

		if (left == 0 && !decoder->ended) {
			refill(decoder);
			continue;
		}
		if (left == 0)
			break;
		/* leave room for one replacement */
		room -= 4;
		cut = iconv(decoder->iconv, &in, &left, &to, &room) == (size_t)-1;
		room += 4;
		decoder->n = decoder->n_in - left;
		if (!cut)
			continue;
		if (errno == EINVAL && !decoder->ended)
			refill(decoder);
		else if (errno == EILSEQ || errno == EINVAL)
			skip_bad(decoder, &to, &room);
		else
			break; /* no room */
	}
	return (size_t)(to - begin);
}

static size_t drop_mark(struct decoder *decoder, char *to, size_t n)
{
	if (decoder->begun || n < 3)
		return n;
	decoder->begun = true;
	if (memcmp(to, "\xEF\xBB\xBF", 3) != 0)
		return n;
	memmove(to, to + 3, n - 3);
	return n - 3;
}

static size_t read_decoded(struct feed *feed, char *to, size_t room)
{
	struct decoder *decoder = (struct decoder *)feed;

	for (;;) {
		size_t n = decode(decoder, to, room), kept = drop_mark(decoder, to, n);

		if (kept > 0 || n == 0)
			return kept;
	}
}

/* UTF-8 needs no iconv: whoever reads it cleans it. */
static size_t read_marked(struct feed *feed, char *to, size_t room)
{
	struct decoder *decoder = (struct decoder *)feed;
	size_t n;

	if (decoder->begun)
		return decoder->raw->read(decoder->raw, to, room);
	n = feed_fill(decoder->raw, to, room < 64 ? room : 64);
	n = drop_mark(decoder, to, n);
	decoder->begun = true;
	return n > 0 ? n : decoder->raw->read(decoder->raw, to, room);
}

static void close_decoder(void *at)
{
	iconv_close(((struct decoder *)at)->iconv);
}

struct feed *charset_feed(struct arena *arena, struct feed *raw, struct charset charset)
{
	struct decoder *decoder = arena_get(arena, sizeof(*decoder));

	decoder->raw = raw;
	decoder->feed.read = read_marked;
	if (strcasecmp(charset.name, "UTF-8") == 0 || charset.name[0] == '\0')
		return &decoder->feed;
	decoder->feed.read = read_decoded;
	decoder->unit = strncmp(charset.name, "UTF-16", 6) == 0 ? 2 : strncmp(charset.name, "UTF-32", 6) == 0 ? 4 : 1;
	decoder->iconv = iconv_open("UTF-8", charset.name);
	if (decoder->iconv == (iconv_t)-1)
		decoder->iconv = iconv_open("UTF-8", "WINDOWS-1252");
	if (decoder->iconv == (iconv_t)-1)
		refuse(FILE_TOOL_MISSING, "Its charset is not known here.");
	arena_later(arena, close_decoder, decoder);
	return &decoder->feed;
}

/* ---- for libxml2 */

struct cleaner {
	struct feed feed;
	struct feed *utf8;
	struct utf8_stream stream;
	struct str *clean;
	size_t n; /* taken */
	bool ended;
	char in[16 << 10];
};

static size_t read_clean(struct feed *feed, char *to, size_t room)
{
	struct cleaner *cleaner = (struct cleaner *)feed;
	size_t n;

	while (cleaner->n == cleaner->clean->len && !cleaner->ended) {
		n = cleaner->utf8->read(cleaner->utf8, cleaner->in, sizeof(cleaner->in));
		cleaner->ended = n == 0;
		str_clear(cleaner->clean);
		cleaner->n = 0;
		utf8_clean(&cleaner->stream, cleaner->in, n, cleaner->ended, cleaner->clean);
	}
	n = cleaner->clean->len - cleaner->n;
	n = n < room ? n : room;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)cleaner->clean->at[cleaner->n + i];

		to[i] = c < ' ' && c != '\t' && c != '\n' && c != '\r' ? ' ' : (char)c;
	}
	cleaner->n += n;
	return n;
}

struct feed *charset_fit_for_markup(struct arena *arena, struct feed *utf8)
{
	struct cleaner *cleaner = arena_get(arena, sizeof(*cleaner));

	cleaner->feed.read = read_clean;
	cleaner->utf8 = utf8;
	cleaner->clean = str_new(arena);
	return &cleaner->feed;
}

struct feed *charset_markup(struct arena *arena, struct feed *raw, const char *declared)
{
	char *head = arena_get(arena, CHARSET_HEAD_BYTES);
	size_t n = feed_peek(arena, &raw, head, CHARSET_HEAD_BYTES);

	return charset_fit_for_markup(arena, charset_feed(arena, raw, charset_guess(head, n, declared, true)));
}
