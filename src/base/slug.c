/* SPDX-License-Identifier: ISC
 * AnythingLLM makes its slugs with the npm package slugify 1.6, without a locale.  What that package maps is
 * mapped here to the same letters, its oddities included (Greek theta is 8, a hard sign u, 元 the currency).
 * Beyond it, an accented letter whose base it maps becomes that base (ĝ, ў, ἀ), where slugify drops it: so a
 * letter written with a combining mark and the same letter in one character give one slug, without tables for
 * NFC. */
#include "base/slug.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"

/* Characters and what is written for them: the words of `text` in turn, over and over up to `last`.
 * In a word "_" is a space; the word "~" is nothing.  Sorted. */
static const struct letters {
	uint16_t first, last;
	const char *text;
} letters[] = {
	{0x00A2, 0x00A5, "cent pound currency yen"},
	{0x00A9, 0x00AE, "(c) a ~ ~ ~ (r)"},
	{0x00BA, 0x00BA, "o"},
	{0x00C0, 0x00DF, "A A A A A A AE C E E E E I I I I D N O O O O O ~ O U U U U Y TH ss"},
	{0x00E0, 0x00FF, "a a a a a a ae c e e e e i i i i d n o o o o o ~ o u u u u y th y"},
	{0x0100, 0x0105, "A a"},
	{0x0106, 0x010D, "C c"},
	{0x010E, 0x0111, "D d DJ dj"},
	{0x0112, 0x0117, "E e"},
	{0x0118, 0x011B, "e e E e"},
	{0x011C, 0x0123, "G g"},
	{0x0124, 0x0127, "H h"},
	{0x0128, 0x0131, "I i i i I i I i I i"},
	{0x0132, 0x0138, "IJ ij J j k k k"},
	{0x0139, 0x0142, "L l"},
	{0x0143, 0x0148, "N n"},
	{0x0149, 0x014B, "n NG ng"},
	{0x014C, 0x0151, "O o"},
	{0x0152, 0x0153, "OE oe"},
	{0x0154, 0x0159, "R r"},
	{0x015A, 0x0161, "S s"},
	{0x0162, 0x0167, "T t"},
	{0x0168, 0x0173, "U u u u U u U u U u U u"},
	{0x0174, 0x0178, "W w Y y Y"},
	{0x0179, 0x017E, "Z z"},
	{0x017F, 0x017F, "s"},
	{0x018F, 0x0192, "E ~ ~ f"},
	{0x01A0, 0x01A1, "O o"},
	{0x01AF, 0x01B0, "U u"},
	{0x01C4, 0x01CC, "DZ Dz dz LJ LJ lj NJ NJ nj"},
	{0x01CD, 0x01DC, "A a I i O o U u U u U u U u U u"},
	{0x01DE, 0x01EF, "A a A a AE ae ~ ~ G g K k O o O o ~ ~"},
	{0x01F0, 0x01F9, "j DZ Dz dz G g ~ ~ N n"},
	{0x01FA, 0x01FF, "A a AE ae O o"},
	{0x0200, 0x021F, "A a A a E e E e I i I i O o O o R r R r U u U u S s T t ~ ~ H h"},
	{0x0226, 0x0233, "A a E e O o O o O o O o Y y"},
	{0x0259, 0x0259, "e"},
	{0x02DA, 0x02DA, "o"},
	{0x0386, 0x038F, "A ~ E H I ~ O ~ Y W"},
	{0x0390, 0x03AF, "i A B G D E Z H 8 I K L M N 3 O P R ~ S T Y F X PS W I Y a e h i"},
	{0x03B0, 0x03CE, "y a b g d e z h 8 i k l m n 3 o p r s s t y f x ps w i y o y w"},
	{0x0400, 0x040F, "E Yo DJ G Ye DZ I Yi J LJ NJ C K I U DZ"},
	{0x0410, 0x042F, "A B V G D E Zh Z I J K L M N O P R S T U F H C Ch Sh Sh U Y ~ E Yu Ya"},
	{0x0430, 0x044F, "a b v g d e zh z i j k l m n o p r s t u f h c ch sh sh u y ~ e yu ya"},
	{0x0450, 0x045F, "e yo dj g ye dz i yi j lj nj c k u u dz"},
	{0x0490, 0x0493, "G g GH gh"},
	{0x049A, 0x049B, "KH kh"},
	{0x04A2, 0x04A3, "NG ng"},
	{0x04AE, 0x04B1, "UE ue U u"},
	{0x04BA, 0x04BB, "H h"},
	{0x04C1, 0x04C2, "Zh zh"},
	{0x04D0, 0x04DF, "A a A a ~ ~ E e AE ae AE ae Zh zh Z z"},
	{0x04E2, 0x04F9, "I i I i O o OE oe OE oe E e U u U u U u Ch ch ~ ~ Y y"},
	{0x0531, 0x0549, "A B G D E Z E' Y' T' JH I L X C' K H D' GH TW M Y N SH ~ CH"},
	{0x054A, 0x0556, "P J R' S V T R C ~ P' Q' O'' F"},
	{0x0587, 0x0587, "EV"},
	{0x0621, 0x063A, "a aa a u i e a b h t th j h kh d th r z s sh s dh t z a gh"},
	{0x0641, 0x0650, "f q k l m n h w a y an on en a u e"},
	{0x0660, 0x0669, "0 1 2 3 4 5 6 7 8 9"},
	{0x067E, 0x067E, "p"},
	{0x0686, 0x0686, "ch"},
	{0x0698, 0x0698, "zh"},
	{0x06A9, 0x06AF, "k ~ ~ ~ ~ ~ g"},
	{0x06CC, 0x06CC, "y"},
	{0x06F0, 0x06F9, "0 1 2 3 4 5 6 7 8 9"},
	{0x0E3F, 0x0E3F, "baht"},
	{0x10D0, 0x10F0, "a b g d e v z t i k l m n o p zh r s t u f k gh q sh ch ts dz ts ch kh j h"},
	{0x1E00, 0x1E01, "A a"},
	{0x1E02, 0x1E07, "B b"},
	{0x1E08, 0x1E09, "C c"},
	{0x1E0A, 0x1E13, "D d"},
	{0x1E14, 0x1E1D, "E e"},
	{0x1E1E, 0x1E21, "F f G g"},
	{0x1E22, 0x1E2B, "H h"},
	{0x1E2C, 0x1E2F, "I i"},
	{0x1E30, 0x1E35, "K k"},
	{0x1E36, 0x1E3D, "L l"},
	{0x1E3E, 0x1E43, "M m"},
	{0x1E44, 0x1E4B, "N n"},
	{0x1E4C, 0x1E53, "O o"},
	{0x1E54, 0x1E57, "P p"},
	{0x1E58, 0x1E5F, "R r"},
	{0x1E60, 0x1E69, "S s"},
	{0x1E6A, 0x1E71, "T t"},
	{0x1E72, 0x1E7B, "U u U u U u U u u u"},
	{0x1E7C, 0x1E7F, "V v"},
	{0x1E80, 0x1E89, "W w"},
	{0x1E8A, 0x1E8F, "X x X x Y y"},
	{0x1E90, 0x1E95, "Z z"},
	{0x1E96, 0x1E9E, "h t w y ~ ~ ~ ~ SS"},
	{0x1EA0, 0x1EB7, "A a"},
	{0x1EB8, 0x1EC7, "E e"},
	{0x1EC8, 0x1ECB, "I i"},
	{0x1ECC, 0x1EE3, "O o"},
	{0x1EE4, 0x1EF1, "U u"},
	{0x1EF2, 0x1EF9, "Y y"},
	{0x1F00, 0x1F0F, "a a a a a a a a A A A A A A A A"},
	{0x1F10, 0x1F1D, "e e e e e e ~ ~ E E E E E E"},
	{0x1F20, 0x1F2F, "h h h h h h h h H H H H H H H H"},
	{0x1F30, 0x1F3F, "i i i i i i i i I I I I I I I I"},
	{0x1F40, 0x1F4D, "o o o o o o ~ ~ O O O O O O"},
	{0x1F50, 0x1F5F, "y y y y y y y y ~ Y ~ Y ~ Y ~ Y"},
	{0x1F60, 0x1F6F, "w w w w w w w w W W W W W W W W"},
	{0x1F70, 0x1F7D, "a a e e h h i i o o y y w w"},
	{0x1F80, 0x1F8F, "a a a a a a a a A A A A A A A A"},
	{0x1F90, 0x1F9F, "h h h h h h h h H H H H H H H H"},
	{0x1FA0, 0x1FAF, "w w w w w w w w W W W W W W W W"},
	{0x1FB0, 0x1FBE, "a a a a a ~ a a A A A A A ~ i"},
	{0x1FC2, 0x1FCC, "h h h ~ h h E E H H H"},
	{0x1FD0, 0x1FDB, "i i i i ~ ~ i i I I I I"},
	{0x1FE0, 0x1FEC, "y y y y r r y y Y Y Y Y R"},
	{0x1FF2, 0x1FFC, "w w w ~ w w O O W W W"},
	{0x2013, 0x2013, "-"},
	{0x2018, 0x2022, "' ' ~ ~ \" \" \" ~ + ~ *"},
	{0x2026, 0x2026, "..."},
	{0x20A0, 0x20AA, "ecu ~ cruzeiro french_franc lira mill naira peseta rupee won new_shequel"},
	{0x20AB, 0x20B5, "dong euro kip tugrik drachma penny peso guarani austral hryvnia cedi"},
	{0x20B8, 0x20BF, "kazakhstani_tenge indian_rupee turkish_lira ~ ~ russian_ruble ~ bitcoin"},
	{0x2120, 0x2122, "sm ~ tm"},
	{0x2126, 0x2126, "W"},
	{0x212A, 0x212B, "K A"},
	{0x2202, 0x2206, "d ~ ~ ~ delta"},
	{0x2211, 0x2211, "sum"},
	{0x221E, 0x221E, "infinity"},
	{0x2665, 0x2665, "love"},
	{0x5143, 0x5143, "yuan"},
	{0x5186, 0x5186, "yen"},
	{0xFDFC, 0xFDFC, "rial"},
	{0xFEF5, 0xFEFB, "laa ~ laa ~ lai ~ la"},
};

/* Where a letter with a combining mark is more than the letter: slugify has another text for the two
 * composed.  Any other mark is dropped like all that the table does not know. */
static const struct composed {
	uint16_t letter, mark;
	const char *text;
} composed[] = {
	{'<', 0x0338, ""},
	{'>', 0x0338, ""},
	{'E', 0x0328, "e"},
	{'I', 0x0304, "i"},
	{'K', 0x0327, "k"},
	{'U', 0x0304, "u"},
	{0x0406, 0x0308, "Yi"},
	{0x0415, 0x0308, "Yo"},
	{0x0418, 0x0306, "J"},
	{0x0435, 0x0308, "yo"},
	{0x0438, 0x0300, "u"},
	{0x0438, 0x0306, "j"},
	{0x0456, 0x0308, "yi"},
	{0x0627, 0x0653, "aa"},
	{0x0627, 0x0655, "i"},
	{0x0648, 0x0654, "u"},
	{0x064A, 0x0654, "e"},
};

/* What ASCII characters become: plainly, and with the words AnythingLLM adds for workspaces and threads. */
static const struct symbol {
	char c;
	const char *file, *workspace;
} symbols[] = {
	{'$', "dollar", "dollar"},
	{'%', "percent", "percent"},
	{'&', "and", "and"},
	{'<', "less", "less"},
	{'>', "greater", "greater"},
	{'|', "or", ""},
	{'-', " ", " "},
	{'+', "+", " plus "},
	{'!', "!", " bang "},
	{'@', "@", " at "},
	{'*', "*", " splat "},
	{'.', ".", " dot "},
	{':', ":", ""},
	{'~', "~", ""},
	{'(', "(", ""},
	{')', ")", ""},
	{'\'', "'", ""},
	{'"', "\"", ""},
};

/* A slug in the making. */
struct making {
	enum slug_kind kind;
	struct str *slug;
	bool has_begun, after_space;
};

static void put(struct making *making, char c)
{
	if (c == ' ') {
		making->after_space = making->has_begun;
		return;
	}
	if (making->after_space)
		str_putc(making->slug, '-');
	making->has_begun = true;
	making->after_space = false;
	/* taken out last of all: "a : b.txt" is a--b.txt */
	if (making->kind == SLUG_FILE && strchr("<>:\"/\\|?*", c) != NULL)
		return;
	if (making->kind == SLUG_WORKSPACE && c >= 'A' && c <= 'Z')
		c |= 0x20;
	str_putc(making->slug, c);
}

static void put_text(struct making *making, const char *text)
{
	while (*text != '\0')
		put(making, *text++);
}

static void put_ascii(struct making *making, char c)
{
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
		if (symbols[i].c == c) {
			put_text(making, making->kind == SLUG_FILE ? symbols[i].file : symbols[i].workspace);
			return;
		}
	if (c == ' ' || (c >= '\t' && c <= '\r'))
		put(making, ' ');
	else if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_')
		put(making, c);
}

static const struct letters *find_letters(uint32_t code)
{
	size_t low = 0, high = sizeof letters / sizeof *letters;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code > letters[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof letters / sizeof *letters && code >= letters[low].first ? &letters[low] : NULL;
}

static void put_letter(struct making *making, uint32_t code)
{
	const struct letters *row = find_letters(code);
	const char *word;

	if (row == NULL)
		return;
	word = row->text;
	for (uint32_t skip = code - row->first; skip > 0; skip--) {
		word += strcspn(word, " ");
		word = *word == ' ' ? word + 1 : row->text;
	}
	for (; *word != '\0' && *word != ' '; word++)
		if (*word == '_' || *word == '-')
			put(making, ' ');
		else if (*word != '~')
			put(making, *word);
}

/* White space beyond ASCII, as JavaScript counts it. */
static bool is_space(uint32_t code)
{
	return code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
	       code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000 || code == 0xFEFF;
}

static const char *find_composed(uint32_t letter, uint32_t mark)
{
	for (size_t i = 0; i < sizeof composed / sizeof *composed; i++)
		if (composed[i].letter == letter && composed[i].mark == mark)
			return composed[i].text;
	return NULL;
}

char *slug_make(struct arena *arena, enum slug_kind kind, const char *name)
{
	struct making making = {.kind = kind, .slug = str_new(arena)};
	size_t len = strlen(name), at = 0;
	uint32_t code, mark;

	while (at < len) {
		int n = utf8_read(name + at, len - at, &code), n_mark;
		const char *text = NULL;

		if (n == 0) /* no UTF-8, though promised */
			break;
		at += (size_t)n;
		n_mark = utf8_read(name + at, len - at, &mark);
		if (n_mark > 1)
			text = find_composed(code, mark);
		if (text != NULL) {
			put_text(&making, text);
			at += (size_t)n_mark;
		} else if (code < 0x80)
			put_ascii(&making, (char)code);
		else if (is_space(code))
			put(&making, ' ');
		else
			put_letter(&making, code);
	}
	return arena_copy(arena, making.slug->at, making.slug->len);
}
