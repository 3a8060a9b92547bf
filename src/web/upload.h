/* SPDX-License-Identifier: ISC
 * A form with one file in it, read as it comes: the file's bytes go where the caller says, the wanted plain fields are
 * kept.  Constant memory, whatever the size. */
#ifndef EXEDRA_UPLOAD_H
#define EXEDRA_UPLOAD_H

#include "web/request.h"

enum { UPLOAD_FIELD = 65536 }; /* bytes of a plain field */

struct file;

struct upload_field {
	const char *name;
	const char *value; /* out: UTF-8 without NUL; NULL: it is not there */
	size_t len;
	bool twice; /* out: it came again; the value is the first one */
};

struct upload {
	const char *file_field; /* what the form calls the file */
	/* A list that ends with one without a name; others are passed over.  A name stands in it as often as its values
	 * are wanted. */
	struct upload_field *fields;
	/* Where the bytes go: file_open() and file_add() of core/file.h, or what acts like them. */
	struct file *file;
	int (*open)(struct task *, struct file *);
	int (*add)(struct task *, struct file *, const char *bytes, size_t len, size_t most);

	const char *filename; /* out: as sent, behind the last slash; never empty */
	const char *type;     /* out: type/subtype, maybe with a charset, in lower case; or NULL */
};

/* Read the body of a row that needs UPLOAD.  0, or -1 with the reason in the task: 400 for what is no form or holds no
 * file or two, 413, 415, 422 for a field, and what `open` and `add` say. */
int upload_read(struct request *, struct upload *);

#endif
