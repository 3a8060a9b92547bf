/* SPDX-License-Identifier: ISC
 * Which passages have a word, and how often: gathered in memory, packed into buckets by a hash of the word, found again
 * there.  A bucket is a row of exedra.word: for each lexeme its length, its bytes, the length of its postings, these; a
 * posting is the distance to the passage before, less one, times four, and in the two low bits how often, less one: 3
 * stands for four times and more, and the excess over four follows.  All numbers seven bits a byte, the low ones first,
 * 0x80 where another follows. */
#ifndef EXEDRA_POSTINGS_H
#define EXEDRA_POSTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum { POSTINGS_MAX_PASSAGES = 65536, POSTINGS_MAX_TIMES = 65535 };

struct postings;

/* Gather in an arena, which may be emptied as soon as nothing of it is needed. */
struct postings *postings_new(struct arena *);
/* A passage has a lexeme so many times (1 or more).  Passages of a lexeme come in ascending order, each once. */
void postings_add(struct postings *, const char *lexeme, size_t len, unsigned passage, unsigned times);
/* A passage has the lexemes of a tsvector, as PostgreSQL sends it in binary.  How many words, counted with repetitions
 * and at most POSTINGS_MAX_TIMES; -1 when it is no tsvector. */
int postings_add_tsvector(struct postings *, unsigned passage, const char *bytes, size_t len);
/* All that stands in a bucket; passage i gets the number renumber[i], or is left out (-1), as those are from `n` on. */
void postings_add_bucket(struct postings *, const char *bytes, size_t len, const int *renumber, unsigned n);

struct bucket {
	const char *at;
	size_t len;
};

/* Pack all: *buckets in the arena, and how many, a power of two. */
int postings_pack(struct postings *, struct bucket **buckets);

/* The bucket of a lexeme is its hash modulo the number of buckets. */
uint32_t postings_hash(const char *lexeme, size_t len);

/* Walks over a bucket, lexeme by lexeme, and over a lexeme's postings.  A bucket that is damaged ends early. */
struct bucket_walk {
	const unsigned char *at, *end;
};
struct posting_walk {
	const unsigned char *at, *end;
	unsigned next; /* the least passage that may follow */
};

struct bucket_walk bucket_walk(const char *bytes, size_t len);
bool bucket_next(struct bucket_walk *, const char **lexeme, size_t *len, struct posting_walk *);
bool posting_next(struct posting_walk *, unsigned *passage, unsigned *times);

#endif
