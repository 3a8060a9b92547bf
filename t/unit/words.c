/* SPDX-License-Identifier: ISC
 * Promised: pairs for scripts without spaces, everything else byte for byte. */
#include "core/words.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "tap.h"

static const struct {
	const char *text, *wanted;
} rows[] = {
	{"", ""},
	{"plain words, as they are", "plain words, as they are"},
	{"漢", " 漢 "},
	{"漢字", " 漢字 "},
	{"日本語", " 日本 本語 "},
	{"x日本語y", "x 日本 本語 y"},
	{"x漢y字z", "x 漢 y 字 z"},
	{"東京, 大阪", " 東京 ,  大阪 "},
	{"ひらがな", " ひら らが がな "},
	{"カタカナ", " カタ タカ カナ "},
	{"ラーメン", " ラー ーメ メン "},
	{"ｶﾀｶﾅ", " ｶﾀ ﾀｶ ｶﾅ "},
	{"漢字かなカナ", " 漢字 字か かな なカ カナ "},
	{"佐々木", " 佐々 々木 "},
	{"「東京」です。", "「 東京 」 です 。"},
	{"ジョン・スミス", " ジョ ョン ・ スミ ミス "},
	{"𠮷野家", " 𠮷野 野家 "},
	{"豈", " 豈 "},
	{"ภาษาไทย", " ภา าษ ษา าไ ไท ทย "},
	{"ปี๒๕๖๗", " ปี ๒๕๖๗"},
	{"ລາວ", " ລາ າວ "},
	{"ភាសា", " ភា ាស សា "},
	{"မြန်", " မြ ြန န် "},
	{"한국어 텍스트", "한국어 텍스트"},
	{"한국漢字어", "한국 漢字 어"},
	{"Привет Ελλάδα हिन्दी العربية", "Привет Ελλάδα हिन्दी العربية"},
	{"é😀漢😀é", "é😀 漢 😀é"},
	{"漢\n字", " 漢 \n 字 "},
	{"１２３ＡＢＣ", "１２３ＡＢＣ"},
};

static void test_rows(struct arena *arena)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str *out = str_new(arena);
		char *copy = malloc(strlen(rows[i].text) + 1);

		memcpy(copy, rows[i].text, strlen(rows[i].text));
		words_prepare(out, copy, strlen(rows[i].text));
		is_text(out->at, rows[i].wanted, rows[i].wanted);
		free(copy);
	}
}

/* One by one, so that a slip in the ranges shows: only whole scripts may be in or out. */
static void test_ranges(struct arena *arena)
{
	static const struct {
		uint32_t code;
		bool is_alone;
	} edges[] = {
		{0x0E00, false},
		{0x0E01, true},
		{0x0E3A, true},
		{0x0E3F, false},
		{0x0E40, true},
		{0x0E4E, true},
		{0x0E50, false},
		{0x0E81, true},
		{0x1000, true},
		{0x1780, true},
		{0x17E0, false},
		{0x3001, false},
		{0x3002, false},
		{0x3005, true},
		{0x3041, true},
		{0x3096, true},
		{0x30A0, false},
		{0x30FB, false},
		{0x30FC, true},
		{0x3400, true},
		{0x4DC0, false},
		{0x4E00, true},
		{0x9FFF, true},
		{0xAC00, false},
		{0xD7A3, false},
		{0x1100, false},
		{0xF900, true},
		{0xFF21, false},
		{0xFF66, true},
		{0xFFA0, false},
		{0x1F600, false},
		{0x20000, true},
		{0x3134A, true},
		{0xE0100, false},
		{0x10FFFF, false},
	};

	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
		struct str *in = str_new(arena), *out = str_new(arena);

		utf8_put(in, edges[i].code);
		words_prepare(out, in->at, in->len);
		ok(edges[i].is_alone == (out->at[0] == ' '), "U+%04X", edges[i].code);
	}
}

static void test_append_and_speed(struct arena *arena)
{
	struct str *text = str_new(arena), *out = str_new(arena);
	double since_s;

	str_puts(out, "title");
	words_prepare(out, "漢字", strlen("漢字"));
	is_text(out->at, "title 漢字 ", "the text is appended");
	str_clear(out);
	words_prepare(out, "a\0漢", 5);
	is_bytes(out->at, out->len, "a\0 漢 ", 7, "NUL is a byte like others");
	str_clear(out);
	for (int i = 0; i < 3 * 1024 * 1024; i++)
		str_puts(text, "字");
	since_s = tap_cpu_s();
	words_prepare(out, text->at, text->len);
	is_quick(since_s, 1, "9 MiB of one run");
	is_int((intmax_t)out->len, (3 * 1024 * 1024 - 1) * 7 + 1, "all its pairs");
}

int main(void)
{
	struct arena *arena = arena_new();

	test_rows(arena);
	test_ranges(arena);
	test_append_and_speed(arena);
	arena_free(arena);
	return done_testing();
}
