/* SPDX-License-Identifier: ISC
 * What the documents of a file are called, where they lie, and what they say of themselves when nobody else does. */
#ifndef EXEDRA_DESCRIBE_H
#define EXEDRA_DESCRIBE_H

#include <libpq-fe.h>

#include "base/str.h"
#include "core/extract.h"
#include "core/read.h"

/* The members by which AnythingLLM's API describes a document, from its id to wordCount. */
void describe_members(struct str *, const struct document *);
/* A document for each part of what was read (whose kind is not NULL), in reading->documents. */
void describe_documents(struct arena *, const struct file *, const struct extracted *, struct reading *);
/* One for each row of sql_file_twin, which share the texts of those.  1; 0 when they cannot. */
int describe_twins(struct arena *, const struct file *, PGresult *, struct reading *);

#endif
