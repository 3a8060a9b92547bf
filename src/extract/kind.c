/* SPDX-License-Identifier: ISC */
#include "extract/kind.h"

#include <magic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "extract/archive.h"
#include "extract/charset.h"
#include "extract/job.h"
#include "extract/looks.h"
#include "extract/readers.h"
#include "extract/sandbox.h"
#include "extract/sax.h"

enum {
	HEAD_BYTES = 128 << 10,
	/* a page at 600 dots an inch: of a white one in colour tesseract takes 450 MB */
	MAX_PIXELS = 40 << 20,
};

#define OOXML "application/vnd.openxmlformats-officedocument."
#define ODF "application/vnd.oasis.opendocument."

const struct kind kinds[] = {
	{"text/plain", ".txt .text .log .org .rst .adoc .asciidoc", .prepare = text_prepare, .read = text_read,
		.text = true},
	{"text/markdown", ".md .markdown .mdx", .prepare = text_prepare, .read = text_read, .text = true},
	{"text/csv", ".csv", .prepare = text_prepare, .read = text_read, .text = true},
	{"text/tab-separated-values", ".tsv .tab", .prepare = text_prepare, .read = text_read, .text = true},
	{"application/json", ".json .jsonl .ndjson .geojson", .prepare = text_prepare, .read = text_read, .text = true},
	{"text/html", ".html .htm .xhtml", .prepare = html_prepare, .read = html_read, .text = true, .markup = true},
	{"text/xml", ".xml .svg .rss .atom", .prepare = html_prepare, .read = xml_read, .text = true, .markup = true},
	{"application/pdf", ".pdf", .prepare = pdf_prepare, .read = pdf_read},
	{OOXML "wordprocessingml.document", ".docx .docm .dotx", .prepare = sax_prepare, .read = docx_read},
	{OOXML "presentationml.presentation", ".pptx .pptm .ppsx .potx", .prepare = sax_prepare, .read = pptx_read},
	{OOXML "spreadsheetml.sheet", ".xlsx .xlsm .xltx", .prepare = sax_prepare, .read = xlsx_read},
	{ODF "text", ".odt .ott", .prepare = sax_prepare, .read = odt_read},
	{ODF "presentation", ".odp .otp", .prepare = sax_prepare, .read = odp_read},
	{ODF "spreadsheet", ".ods .ots", .prepare = sax_prepare, .read = ods_read},
	{"application/epub+zip", ".epub", .prepare = sax_prepare, .read = epub_read},
	{"application/rtf", ".rtf", .prepare = sax_prepare, .read = rtf_read, .tool = "unrtf", .filter = rtf_filter},
	{"message/rfc822", ".eml", .prepare = mail_prepare, .read = mail_read},
	{"application/mbox", ".mbox", .prepare = mail_prepare, .read = mbox_read},
	{"image/png", ".png", .read = image_read, .tool = "tesseract"},
	{"image/jpeg", ".jpg .jpeg", .read = image_read, .tool = "tesseract"},
	{"image/webp", ".webp", .read = image_read, .tool = "tesseract"},
	{"image/tiff", ".tif .tiff", .read = image_read, .tool = "tesseract"},
	{"image/bmp", ".bmp", .read = image_read, .tool = "tesseract"},
	{"image/gif", ".gif", .read = image_read, .tool = "tesseract"},
	{"audio/mpeg", ".mp3", .read = NULL},
	{"audio/wav", ".wav", .read = NULL},
	{"audio/ogg", ".ogg .oga .opus", .read = NULL},
	{"audio/mp4", ".m4a", .read = NULL},
	{"audio/flac", ".flac", .read = NULL},
	{"video/mp4", ".mp4 .m4v .mov", .read = NULL},
	{"video/mpeg", ".mpeg .mpg", .read = NULL},
	{"video/webm", ".webm .mkv", .read = NULL},
};
const int n_kinds = sizeof(kinds) / sizeof(kinds[0]);

/* Other names of kinds, as libmagic and web servers have them. */
static const char *const aliases[][2] = {{"text/rtf", "application/rtf"}, {"application/xml", "text/xml"},
	{"image/svg+xml", "text/xml"}, {"application/rss+xml", "text/xml"}, {"application/atom+xml", "text/xml"},
	{"application/xhtml+xml", "text/html"}, {"application/csv", "text/csv"}, {"text/json", "application/json"},
	{"application/x-ndjson", "application/json"}, {"text/x-markdown", "text/markdown"}, {"image/jpg", "image/jpeg"},
	{"image/x-ms-bmp", "image/bmp"}, {"audio/x-wav", "audio/wav"}, {"audio/x-m4a", "audio/mp4"},
	{"video/x-m4v", "video/mp4"}, {"audio/x-flac", "audio/flac"}, {"application/ogg", "audio/ogg"},
	{"text/mbox", "application/mbox"}};

static const struct kind *by_mime(const char *mime)
{
	size_t len;

	if (mime == NULL)
		return NULL;
	len = strcspn(mime, "; ");
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strlen(aliases[i][0]) == len && strncasecmp(mime, aliases[i][0], len) == 0) {
			mime = aliases[i][1];
			len = strlen(mime);
		}
	for (int i = 0; i < n_kinds; i++)
		if (strlen(kinds[i].mime) == len && strncasecmp(mime, kinds[i].mime, len) == 0)
			return &kinds[i];
	return NULL;
}

bool kind_named(const char *name, const char *extensions)
{
	size_t name_len = strlen(name);

	while (*extensions != '\0') {
		size_t len = strcspn(extensions, " ");

		if (name_len > len && strncasecmp(name + name_len - len, extensions, len) == 0)
			return true;
		extensions += len + strspn(extensions + len, " ");
	}
	return false;
}

static const struct kind *by_name(const char *name)
{
	for (int i = 0; name != NULL && i < n_kinds; i++)
		if (kind_named(name, kinds[i].extensions))
			return &kinds[i];
	return NULL;
}

static bool is_mail(const struct kind *kind)
{
	return kind->read == mail_read || kind->read == mbox_read;
}

/* A hint names a kind of text, and the content does not speak against it. */
static bool fits(const struct kind *hint, const char *head, size_t len)
{
	if (hint == NULL || !(hint->text || is_mail(hint)))
		return false;
	if (hint->read == xml_read)
		return looks_xml(head, len);
	return hint->read != mbox_read || looks_mbox(head, len);
}

/* Text tells its kind badly: a mark-up language is plain text too, and a text may begin like a mail.  Only what begins
 * as no other text does beats the name. */
static const struct kind *text_kind(const char *mime, const char *head, size_t len)
{
	const struct kind *seen = by_mime(mime), *named = by_name(job.name), *told = by_mime(job.type);

	if (looks_html(head, len))
		return by_mime("text/html");
	if (looks_declared_xml(head, len))
		return by_mime("text/xml");
	if (looks_mbox(head, len))
		return by_mime("application/mbox");
	if (fits(named, head, len))
		return named;
	if (fits(told, head, len))
		return told;
	return fits(seen, head, len) ? seen : by_mime("text/plain");
}

static void refuse_pixels(magic_t magic, const char *head, size_t len)
{
	const char *text;

	magic_setflags(magic, MAGIC_NONE);
	text = magic_buffer(magic, head, len);
	if (text != NULL && looks_pixels(text) > MAX_PIXELS)
		refuse(FILE_TOO_LARGE, "The image has more than %d megapixels.", MAX_PIXELS >> 20);
}

/* The old binary formats of Office, which have what they are in their depths. */
static _Noreturn void refuse_compound(magic_t magic)
{
	const char *mime;

	lseek(STDIN_FILENO, 0, SEEK_SET);
	mime = magic_descriptor(magic, STDIN_FILENO);
	if (mime != NULL && strcmp(mime, "application/encrypted") == 0)
		refuse(FILE_ENCRYPTED, "The document needs a password.");
	if (mime != NULL)
		snprintf(job.finding->mime, sizeof(job.finding->mime), "%s", mime);
	refuse(FILE_UNKNOWN_KIND, "It is in an old binary format of Office; saved in a newer one it can be read.");
}

static const struct kind *find_kind(magic_t magic, const char *mime, const char *head, size_t len)
{
	const struct kind *kind = by_mime(mime);
	bool open = kind == NULL || kind->text || is_mail(kind) || (kind->read == pdf_read && looks_of_pdf(head, len));

	if (looks_zip(head, len))
		return by_mime(archive_mime());
	if (looks_compound(head, len))
		refuse_compound(magic);
	if (!open)
		return kind;
	if (looks_text(head, len))
		return looks_readable(mime, head, len) ? text_kind(mime, head, len) : NULL;
	return looks_pdf(head, len) ? by_mime("application/pdf") : NULL;
}

static bool is_audio(const char *mime)
{
	const struct kind *named = by_name(job.name);

	if (strncmp(mime, "audio/", 6) == 0 || strncmp(mime, "video/", 6) == 0 || strcmp(mime, "application/ogg") == 0)
		return true;
	/* frames of MPEG without a tag before them begin like anything */
	return strcmp(mime, "application/octet-stream") == 0 && named != NULL && named->read == NULL;
}

static void note_kind(const struct kind *kind)
{
	struct finding *finding = job.finding;
	struct arena *arena = job_arena();
	struct charset charset;

	finding->kind = (int)(kind - kinds);
	snprintf(finding->mime, sizeof(finding->mime), "%s", kind->mime);
	if (kind->text) {
		charset = charset_of_input(charset_of_type(arena, job.type), kind->markup);
		memcpy(finding->charset, charset.name, sizeof(finding->charset));
	}
	arena_free(arena);
}

static void find(magic_t magic)
{
	static char head[HEAD_BYTES];
	struct arena *arena = job_arena();
	size_t len = feed_fill(feed_input(arena), head, sizeof(head));
	const char *mime;
	const struct kind *kind;

	if (len == 0)
		refuse(FILE_EMPTY, "The file is empty.");
	mime = magic_buffer(magic, head, len);
	if (mime == NULL)
		mime = "application/octet-stream";
	snprintf(job.finding->mime, sizeof(job.finding->mime), "%s", mime);
	mime = job.finding->mime;
	kind = find_kind(magic, mime, head, len);
	if (kind == NULL && is_audio(mime))
		refuse(FILE_AUDIO, "It is sound or film, and has to be transcribed.");
	if (kind == NULL)
		refuse(FILE_UNKNOWN_KIND, "Files of its kind (%s) cannot be read.", mime);
	if (kind->read == NULL) {
		snprintf(job.finding->mime, sizeof(job.finding->mime), "%s", kind->mime);
		refuse(FILE_AUDIO, "It is sound or film, and has to be transcribed.");
	}
	if (kind->read == image_read)
		refuse_pixels(magic, head, len);
	note_kind(kind);
}

void kind_find(void)
{
	magic_t magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_ELF |
				   MAGIC_NO_CHECK_APPTYPE);

	if (magic == NULL || magic_load(magic, NULL) != 0)
		refuse(FILE_TOOL_MISSING, "The system's list of kinds of files (libmagic) is missing.");
	sax_prepare();
	sandbox_seal(SEAL_READER, NULL);
	find(magic);
}
