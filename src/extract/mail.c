/* SPDX-License-Identifier: ISC
 * Mails, one or a box of them: who wrote to whom, when and on what, then the text; of what is attached only the names.
 * An HTML part is read where there is no plain one. */
#include <gmime/gmime.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "extract/charset.h"
#include "extract/flow.h"
#include "extract/job.h"
#include "extract/markup.h"
#include "extract/output.h"
#include "extract/readers.h"
#include "extract/sax.h"

enum {
	MAX_DEPTH = 50, /* of parts in parts */
	MAX_NAMES_BYTES = 64 << 10,
	PIECE_BYTES = 16 << 10,
};

struct reading {
	struct str *attached; /* names, with commas between */
	bool locked;          /* a part is encrypted */
	int depth;
};

/* ---- parts as feeds */

struct part_feed {
	struct feed feed;
	GMimeStream *stream;
};

static size_t read_part(struct feed *feed, char *to, size_t room)
{
	ssize_t got = g_mime_stream_read(((struct part_feed *)feed)->stream, to, room);

	return got > 0 ? (size_t)got : 0;
}

static struct feed *open_part(struct arena *arena, GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	struct part_feed *feed = arena_get(arena, sizeof(*feed));
	GMimeFilter *decoder;

	if (content == NULL)
		return NULL;
	feed->feed.read = read_part;
	g_mime_stream_reset(g_mime_data_wrapper_get_stream(content));
	feed->stream = g_mime_stream_filter_new(g_mime_data_wrapper_get_stream(content));
	decoder = g_mime_filter_basic_new(g_mime_data_wrapper_get_encoding(content), FALSE);
	g_mime_stream_filter_add(GMIME_STREAM_FILTER(feed->stream), decoder);
	g_object_unref(decoder);
	arena_later(arena, g_object_unref, feed->stream);
	return &feed->feed;
}

static const char *declared_charset(GMimePart *part)
{
	return g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
}

static bool is_type(GMimeObject *object, const char *type, const char *subtype)
{
	GMimeContentType *content_type = g_mime_object_get_content_type(object);

	return content_type != NULL && g_mime_content_type_is_type(content_type, type, subtype);
}

static void read_plain(GMimePart *part)
{
	struct arena *arena = job_arena();
	struct feed *raw = open_part(arena, part), *feed;
	char *piece = arena_get(arena, CHARSET_HEAD_BYTES);
	size_t n;

	if (raw != NULL) {
		n = feed_peek(arena, &raw, piece, CHARSET_HEAD_BYTES);
		feed = charset_feed(arena, raw, charset_guess(piece, n, declared_charset(part), false));
		flow_break(2);
		while ((n = feed->read(feed, piece, PIECE_BYTES)) > 0)
			flow_verbatim(piece, n);
		flow_break(2);
	}
	arena_free(arena);
}

static void read_html(GMimePart *part)
{
	struct arena *arena = job_arena();
	struct feed *raw = open_part(arena, part);

	flow_break(2);
	if (raw != NULL)
		markup_read(charset_markup(arena, raw, declared_charset(part)));
	flow_break(2);
	arena_free(arena);
}

/* ---- what there is in a mail */

static void read_message(GMimeMessage *, struct reading *);
static void read_object(GMimeObject *, struct reading *);

static bool is_attachment(GMimeObject *object)
{
	const char *disposition = g_mime_object_get_disposition(object);

	return disposition != NULL && g_ascii_strcasecmp(disposition, GMIME_DISPOSITION_ATTACHMENT) == 0;
}

static void note_attachment(GMimePart *part, struct reading *reading)
{
	const char *name = g_mime_part_get_filename(part);

	if (is_type(GMIME_OBJECT(part), "application", "pkcs7-mime") && !is_attachment(GMIME_OBJECT(part)))
		reading->locked = true;
	if (name == NULL || *name == '\0' || reading->attached->len > MAX_NAMES_BYTES)
		return;
	if (reading->attached->len > 0)
		str_puts(reading->attached, ", ");
	str_puts(reading->attached, name);
}

static void read_leaf(GMimePart *part, struct reading *reading)
{
	GMimeObject *object = GMIME_OBJECT(part);

	if (is_attachment(object) || !is_type(object, "text", "*") || is_type(object, "text", "calendar"))
		note_attachment(part, reading);
	else if (is_type(object, "text", "html"))
		read_html(part);
	else
		read_plain(part);
}

static bool has_text(GMimePart *part)
{
	struct arena *arena = job_arena();
	struct feed *feed = open_part(arena, part);
	char head[1024];
	size_t n = feed != NULL ? feed_fill(feed, head, sizeof(head)) : 0;
	bool found = false;

	for (size_t i = 0; i < n; i++)
		found |= (unsigned char)head[i] > ' ';
	arena_free(arena);
	return found;
}

/* Of several forms of the same: a plain one with something in it, or else the last, which by RFC 2046 is the richest.
 */
static void read_alternative(GMimeMultipart *multipart, struct reading *reading)
{
	int n = g_mime_multipart_get_count(multipart);

	for (int i = 0; i < n; i++) {
		GMimeObject *object = g_mime_multipart_get_part(multipart, i);

		if (GMIME_IS_PART(object) && is_type(object, "text", "plain") && has_text(GMIME_PART(object))) {
			read_object(object, reading);
			return;
		}
	}
	for (int i = n - 1; i >= 0; i--) {
		GMimeObject *object = g_mime_multipart_get_part(multipart, i);

		if (GMIME_IS_MULTIPART(object) || is_type(object, "text", "html")) {
			read_object(object, reading);
			return;
		}
	}
	if (n > 0)
		read_object(g_mime_multipart_get_part(multipart, n - 1), reading);
}

static void read_multipart(GMimeMultipart *multipart, struct reading *reading)
{
	if (GMIME_IS_MULTIPART_ENCRYPTED(multipart)) {
		reading->locked = true;
		return;
	}
	if (is_type(GMIME_OBJECT(multipart), "multipart", "alternative")) {
		read_alternative(multipart, reading);
		return;
	}
	for (int i = 0; i < g_mime_multipart_get_count(multipart); i++)
		read_object(g_mime_multipart_get_part(multipart, i), reading);
}

static void read_object(GMimeObject *object, struct reading *reading)
{
	if (object == NULL)
		return;
	if (++reading->depth > MAX_DEPTH)
		refuse(FILE_BROKEN, "Its parts are nested more than %d deep.", MAX_DEPTH);
	if (GMIME_IS_MULTIPART(object))
		read_multipart(GMIME_MULTIPART(object), reading);
	else if (GMIME_IS_MESSAGE_PART(object)) {
		flow_break(2);
		read_message(g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)), reading);
	} else if (GMIME_IS_PART(object))
		read_leaf(GMIME_PART(object), reading);
	reading->depth--;
}

/* ---- a mail */

static void put_header(const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	flow_break(1);
	flow_text(name, strlen(name));
	flow_text(": ", 2);
	flow_text(value, strlen(value));
}

static char *write_addresses(InternetAddressList *list)
{
	return list != NULL ? internet_address_list_to_string(list, NULL, FALSE) : NULL;
}

static char *write_date(GMimeMessage *message)
{
	GDateTime *date = g_mime_message_get_date(message);

	return date != NULL ? g_date_time_format(date, "%Y-%m-%dT%H:%M:%S%:z") : NULL;
}

static void put_addresses(const char *name, InternetAddressList *list)
{
	char *addresses = write_addresses(list);

	put_header(name, addresses);
	g_free(addresses);
}

static void put_headers(GMimeMessage *message)
{
	char *date = write_date(message);

	put_header("Subject", g_mime_message_get_subject(message));
	put_addresses("From", g_mime_message_get_from(message));
	put_addresses("To", g_mime_message_get_to(message));
	put_addresses("Cc", g_mime_message_get_cc(message));
	put_header("Date", date);
	g_free(date);
}

static void read_message(GMimeMessage *message, struct reading *reading)
{
	if (message == NULL)
		return;
	put_headers(message);
	flow_break(2);
	read_object(g_mime_message_get_mime_part(message), reading);
}

/* Returns whether something in it was encrypted. */
static bool read_mail(GMimeMessage *message)
{
	struct arena *arena = job_arena();
	struct reading reading = {.attached = str_new(arena)};

	flow_reset();
	read_message(message, &reading);
	flow_break(2);
	put_header("Attachments", reading.attached->at);
	output_text("\n", 1);
	arena_free(arena);
	return reading.locked;
}

static GMimeParser *open_mail(GMimeFormat format)
{
	GMimeStream *stream;
	GMimeParser *parser;

	lseek(STDIN_FILENO, 0, SEEK_SET);
	stream = g_mime_stream_fs_new(STDIN_FILENO);
	parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_format(parser, format);
	g_object_unref(stream);
	return parser;
}

static void be_silent(const char *domain, GLogLevelFlags level, const char *message, void *context)
{
	(void)domain;
	(void)level;
	(void)message;
	(void)context;
}

void mail_prepare(void)
{
	g_log_set_default_handler(be_silent, NULL);
	g_mime_init();
	sax_prepare();
	charset_preload_many();
}

void mail_read(void)
{
	GMimeMessage *message = g_mime_parser_construct_message(open_mail(GMIME_FORMAT_MESSAGE), NULL);
	char *author, *date;

	if (message == NULL)
		refuse(FILE_BROKEN, "It is no mail that can be read.");
	author = write_addresses(g_mime_message_get_from(message));
	date = write_date(message);
	output_meta_text(META_TITLE, g_mime_message_get_subject(message));
	output_meta_text(META_AUTHOR, author);
	output_meta_text(META_PUBLISHED, date);
	if (read_mail(message))
		refuse(FILE_ENCRYPTED, "The mail is encrypted.");
	output_end();
}

static void read_in_box(GMimeMessage *message)
{
	struct part part = {.title = g_mime_message_get_subject(message)};
	char *author = write_addresses(g_mime_message_get_from(message)), *date = write_date(message);

	part.author = author;
	part.published = date;
	output_part(&part);
	(void)read_mail(message);
	g_free(author);
	g_free(date);
}

void mbox_read(void)
{
	GMimeParser *parser = open_mail(GMIME_FORMAT_MBOX);
	int n = 0;

	while (!g_mime_parser_eos(parser)) {
		GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);

		if (message == NULL)
			break;
		read_in_box(message);
		g_object_unref(message);
		n++;
	}
	if (n == 0)
		refuse(FILE_BROKEN, "It is no box of mails that can be read.");
	output_end();
}
