/* SPDX-License-Identifier: ISC
 * PDF: its pages, in the order in which their columns are read. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "extract/charset.h"
#include "extract/flow.h"
#include "extract/job.h"
#include "extract/output.h"
#include "extract/poppler.h"
#include "extract/readers.h"

void pdf_prepare(void)
{
	charset_preload("UTF-16");
	charset_preload("UTF-16LE");
	pdf_warm();
}

static const char *map_input(void)
{
	void *at;

	if (job.input_bytes > INT32_MAX)
		refuse(FILE_TOO_LARGE, "The file is larger than 2 GiB.");
	at = mmap(NULL, (size_t)job.input_bytes, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
	if (at == MAP_FAILED)
		refuse(FILE_TOO_HUNGRY, "There is no memory for it.");
	return at;
}

static void note_info(const struct pdf *pdf, enum meta meta, const char *key)
{
	size_t len;
	char *value = pdf_info(pdf, key, &len);

	if (value != NULL)
		output_meta(meta, value, len);
	free(value);
}

static void note_date(const struct pdf *pdf)
{
	time_t at = pdf_made_at(pdf);
	struct tm tm;
	char text[32];

	if (at != (time_t)-1 && gmtime_r(&at, &tm) != NULL &&
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		output_meta_text(META_PUBLISHED, text);
}

/* A file that was cut short can often be opened, and would pass for whole with some of its pages. */
static bool was_cut(const char *bytes)
{
	size_t tail = job.input_bytes < 4096 ? (size_t)job.input_bytes : 4096;

	return pdf_was_mended() && memmem(bytes + job.input_bytes - tail, tail, "%%EOF", 5) == NULL;
}

static struct pdf *open_pdf(const char *bytes)
{
	bool locked = false;
	struct pdf *pdf = pdf_open(bytes, (int)job.input_bytes, &locked);

	if (pdf != NULL && locked)
		refuse(FILE_ENCRYPTED, "The PDF needs a password.");
	if (was_cut(bytes))
		refuse(FILE_BROKEN, "The PDF is cut short.");
	if (pdf == NULL || pdf_pages(pdf) <= 0)
		refuse(FILE_BROKEN, "The PDF is damaged: its pages cannot be found.");
	return pdf;
}

/* Fonts have fi and ffl as one character, which would keep a word with it from being found; and a hyphen that some
 * programs put where a line breaks is a soft one, as are those that others draw elsewhere.  What is left gets no
 * longer. */
static size_t spell_out(char *text, size_t len)
{
	static const char *const ligatures[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		unsigned last = i + 2 < len && memcmp(text + i, "\xEF\xAC", 2) == 0 ? (unsigned char)text[i + 2] : 0;

		if (last >= 0x80 && last <= 0x86) {
			const char *letters = ligatures[last - 0x80];

			memcpy(text + n, letters, strlen(letters));
			n += strlen(letters);
			i += 3;
		} else if (i + 3 < len && memcmp(text + i, "\xC2\xAD\n", 3) == 0 && text[i + 3] != '\n')
			i += 3;
		else if (i + 1 < len && memcmp(text + i, "\xC2\xAD", 2) == 0) {
			text[n++] = '-';
			i += 2;
		} else
			text[n++] = text[i++];
	}
	return n;
}

static void read_page(const struct pdf *pdf, int page)
{
	size_t len;
	char *text = pdf_text(pdf, page, &len);

	if (text == NULL)
		refuse(FILE_BROKEN, "The PDF is damaged: page %d is missing.", page + 1);
	/* poppler ends a page with a form feed */
	while (len > 0 && (unsigned char)text[len - 1] <= ' ')
		len--;
	flow_verbatim(text, spell_out(text, len));
	flow_break(2);
	free(text);
}

void pdf_read(void)
{
	const char *bytes = map_input();
	const struct pdf *pdf = open_pdf(bytes);
	int n = pdf_pages(pdf);

	output_pages(n);
	note_info(pdf, META_TITLE, "Title");
	note_info(pdf, META_AUTHOR, "Author");
	note_info(pdf, META_AUTHOR, "Creator");
	note_info(pdf, META_DESCRIPTION, "Subject");
	note_date(pdf);
	for (int i = 0; i < n; i++)
		read_page(pdf, i);
	if (!output_any() && pdf_lacked_tables())
		refuse(FILE_TOOL_MISSING, "Its fonts need tables (poppler-data) that cannot be read here.");
	output_end();
}
