/* SPDX-License-Identifier: ISC
 * multipart/form-data (RFC 7578, RFC 2046) taken apart as it arrives, in constant memory: however the bytes are cut,
 * the events are the same.
 *
 * AnythingLLM reads forms with busboy and multer, and what they do is done here where it does no harm: filename* is
 * taken before filename, of a file's name only what is behind the last slash or backslash is kept, a backslash in
 * quotes escapes nothing but itself and a quote (Windows paths), folded headers are read, and %22 stays %22.  Bare line
 * feeds are no line ends, there as here.  What they drop without a word (a part without a name, with another
 * disposition, with more than white space between its boundary and the line's end) is an error here; so is what could
 * be read in two ways (a header or parameter twice), and an encoding of the bytes that nobody undoes (base64,
 * quoted-printable). */
#ifndef EXEDRA_MULTIPART_H
#define EXEDRA_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
	MULTIPART_MAX_BOUNDARY = 70,
	/* Limits unless others are given; all but the first are bytes. */
	MULTIPART_PARTS = 1000,
	MULTIPART_HEADER = 8192,   /* the headers of a part */
	MULTIPART_NAME = 255,      /* a field's name */
	MULTIPART_FILENAME = 1024, /* a file's name with its path, as sent: a label may have to be cut further */
};

struct multipart_fault {
	/* multipart_type (no multipart/form-data at all), multipart_boundary (none that can be used), multipart_syntax,
	 * multipart_header, multipart_name, multipart_encoding, multipart_parts, multipart_incomplete; NULL when there
	 * is no fault, or a callback said stop */
	const char *code;
	size_t at;      /* offset in bytes: in the body, or in the header's value when multipart_open() failed */
	char what[120]; /* a sentence without its full stop: "a part without a name" */
};

/* Valid during on_part() only. */
struct multipart_part {
	const char *name;         /* never empty; UTF-8 without control characters */
	const char *filename;     /* the same; NULL: a plain field; "": a file without a name (a field left empty in a
				     browser's form), or one that was nothing but a path or dots */
	const char *content_type; /* the header's value, UTF-8; NULL: not given or no UTF-8 */
	const char *type;         /* type/subtype of it, in lower case; NULL: it has none */
	const char *charset;      /* of it, in lower case; NULL likewise */
};

struct multipart_limits {
	size_t parts, header, name, filename; /* 0: as above */
};

/* Each returns 0 to go on and -1 to stop. */
struct multipart_events {
	int (*on_part)(void *arg, const struct multipart_part *);
	int (*on_data)(void *arg, const char *bytes, size_t len); /* many times or never; len > 0 */
	int (*on_part_end)(void *arg);
	void *arg;
};

enum multipart_state {
	MULTIPART_PREAMBLE,
	MULTIPART_BOUNDARY, /* behind a boundary, in its line */
	MULTIPART_HEADERS,
	MULTIPART_CONTENT,
	MULTIPART_EPILOGUE,
	MULTIPART_BROKEN,
};

struct multipart {
	struct multipart_fault fault;
	/* For multipart.c only. */
	struct multipart_events events;
	struct multipart_limits limits;
	enum multipart_state state;
	char delimiter[4 + MULTIPART_MAX_BOUNDARY + 1]; /* CR LF - - boundary */
	size_t delimiter_len;
	size_t matched;  /* bytes of the delimiter that have been seen and not given away */
	size_t borrowed; /* of these, how many are no content: the line end of what was before */
	char last;       /* the byte before, in the boundary's line */
	size_t offset;   /* of the next byte in the body */
	size_t n_parts;
	struct str *head; /* the headers so far */
	size_t head_at;   /* where they begin in the body */
	size_t line;      /* where their last line begins in them */
	unsigned seen;    /* what they held */
	struct multipart_part part;
	struct str *value, *name, *filename, *content_type, *type, *charset;
};

/* Begin, with the value of the request's Content-Type (NULL: none).  The arena must outlive the struct; what is taken
 * from it does not grow with the body.  0, or -1 with the fault filled.  `limits` may be NULL. */
int multipart_open(struct multipart *, struct arena *, const char *content_type, const struct multipart_events *,
	const struct multipart_limits *limits);
/* Take bytes of the body.  0, or -1 with the fault filled or by a callback's wish; then it takes no more.  A part that
 * has begun may never end: nothing counts before multipart_end() has said so. */
int multipart_feed(struct multipart *, const char *bytes, size_t len);
/* The body has ended.  0, or -1 when there was a fault or its closing boundary has not come.  A form without any part
 * is one: browsers send it. */
int multipart_end(struct multipart *);

#endif
