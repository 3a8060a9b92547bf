/* SPDX-License-Identifier: ISC
 * Vectors out of an embedder's answer: OpenAI's form, with numbers or with their bytes in base64, or Ollama's. */
#ifndef EXEDRA_VECTORS_H
#define EXEDRA_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum {
	VECTORS_MAX_DIMENSION = 8192,
	VECTORS_NUMBER_BYTES = 24, /* of a number in JSON, with its comma, at most as services write them */
};

enum vectors_fault {
	VECTORS_GOOD,
	VECTORS_INVALID,   /* no answer at all: no JSON, no vectors in it */
	VECTORS_ERROR,     /* an error object */
	VECTORS_COUNT,     /* more or fewer than were asked for, or two for one text */
	VECTORS_DIMENSION, /* of several lengths, or none, or too long */
	VECTORS_VALUE,     /* something in a vector is no finite number, or all of it is zero */
};

struct vectors {
	int n;            /* in: how many there must be */
	int dimension;    /* in: of each; 0: whatever the first has.  Out: what it is */
	float *at;        /* n times `dimension`, in the order of the texts, each of length 1 */
	int64_t n_tokens; /* as the embedder counted; -1: it did not */
};

/* Read an answer (a NUL stands behind it); no object is made for each number, so that it takes little more memory than
 * its text.  What is found belongs to the arena. */
enum vectors_fault vectors_read(struct arena *, const char *text, size_t len, struct vectors *);

#endif
