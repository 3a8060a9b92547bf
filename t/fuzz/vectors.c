/* SPDX-License-Identifier: ISC
 * An embedder's answer: whatever it is, it is read without harm, and what is taken for good is good, as many vectors as
 * there must be, of one dimension, finite, of length 1.  The first byte says how many, and whether the dimension is
 * known. */
#include "llm/vectors.h"

#include <math.h>

#include "fuzz.h"

static void check_vectors(const struct vectors *vectors)
{
	must(vectors->dimension > 0 && vectors->dimension <= VECTORS_MAX_DIMENSION);
	must(vectors->n_tokens >= -1);
	for (int i = 0; i < vectors->n; i++) {
		const float *at = vectors->at + (size_t)i * (size_t)vectors->dimension;
		double sum = 0;

		for (int k = 0; k < vectors->dimension; k++)
			sum += (double)at[k] * (double)at[k];
		must(fabs(sum - 1) < 1e-3);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_new();
	int first = len == 0 ? 0 : bytes[0];
	struct vectors vectors = {.n = 1 + (first & 3), .dimension = first & 4 ? 2 : 0};
	const char *text = arena_copy(arena, (const char *)bytes + (len > 0), len - (len > 0));

	if (vectors_read(arena, text, len - (len > 0), &vectors) == VECTORS_GOOD) {
		check_vectors(&vectors);
		must((first & 4) == 0 || vectors.dimension == 2);
	}
	arena_free(arena);
	return 0;
}
