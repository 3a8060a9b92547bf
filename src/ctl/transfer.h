/* SPDX-License-Identifier: ISC
 * A tenant as a file, and back.  A line is a JSON object and ends with a line feed: the first one tells the format, the
 * second one is the tenant, then each is a row, {"table":{"column":value ...}}, and the last one has the number and the
 * SHA-256 of all lines before it.  What is in them is made and read by the SQL functions of
 * sql/function/44-export.sql. */
#ifndef EXEDRA_CTL_TRANSFER_H
#define EXEDRA_CTL_TRANSFER_H

#include <libpq-fe.h>

#include "base/arena.h"

/* Of a line: the longest value of a row is a chat's attachments, which may have 64 MiB, with escapes twice as many. */
enum { TRANSFER_LINE = 192 << 20 };

/* Write a tenant to standard output, as it is at one moment.  The status to exit with. */
int export_tenant(PGconn *, const char *tenant);
/* Make a tenant of standard input, whole or not at all, under its own name or `name`; prints its id.  `config` is the
 * configuration's path (NULL: none), for the key file.  The status to exit with. */
int import_tenant(PGconn *, const char *config, const char *name);

/* The last line, without its line feed. */
const char *transfer_end(struct arena *, long long lines, const unsigned char hash[32]);

#endif
