/* SPDX-License-Identifier: ISC
 * Promised: what is gathered is found again, whatever the bucket; tsvectors are read as PostgreSQL sends them; a bucket
 * that is damaged ends early, and nothing is read outside it. */
#include "core/postings.h"

#include <stdlib.h>

#include "base/str.h"
#include "tap.h"

static struct arena *arena;

/* "lexeme passage:times ..." of a packed lexeme, "" when it is not there. */
static const char *found(struct bucket *buckets, int n, const char *lexeme)
{
	const struct bucket *bucket = &buckets[postings_hash(lexeme, strlen(lexeme)) & (uint32_t)(n - 1)];
	struct bucket_walk walk = bucket_walk(bucket->at, bucket->len);
	struct str *out = str_new(arena);
	struct posting_walk postings;
	unsigned passage, times;
	const char *at;
	size_t len;

	while (bucket_next(&walk, &at, &len, &postings))
		while (len == strlen(lexeme) && memcmp(at, lexeme, len) == 0 &&
			posting_next(&postings, &passage, &times))
			str_printf(out, "%s%u:%u", out->len == 0 ? "" : " ", passage, times);
	return out->at;
}

static void add(struct postings *p, const char *lexeme, unsigned passage, unsigned times)
{
	postings_add(p, lexeme, strlen(lexeme), passage, times);
}

static void test_few(void)
{
	struct postings *p = postings_new(arena);
	struct bucket *buckets;
	char longest[2047];
	int n;

	memset(longest, 'x', 2046);
	longest[2046] = '\0';
	add(p, "whale", 0, 1);
	add(p, "whale", 1, 2);
	add(p, "whale", 2, 3);
	add(p, "whale", 3, 4);
	add(p, "whale", 40, 5);
	add(p, "whale", 300, 132);
	add(p, "whale", 65535, 65535);
	add(p, "wal", 65535, 70000);
	add(p, "鯨", 7, 1);
	add(p, longest, 9, 1);
	n = postings_pack(p, &buckets);
	is_text(found(buckets, n, "whale"), "0:1 1:2 2:3 3:4 40:5 300:132 65535:65535", "near and far, once and often");
	is_text(found(buckets, n, "wal"), "65535:65535", "more often than can be told");
	is_text(found(buckets, n, "鯨"), "7:1", "any language");
	is_text(found(buckets, n, longest), "9:1", "the longest word there is");
	is_text(found(buckets, n, "w"), "", "what is not there");
	n = postings_pack(postings_new(arena), &buckets);
	is_int(n, 1, "nothing has one bucket");
	is_text(found(buckets, n, "whale"), "", "which is empty");
}

/* So many lexemes that there are many buckets; each stands in every passage whose number it divides. */
static void test_many(void)
{
	enum { LEXEMES = 20000, PASSAGES = 1000 };
	struct postings *p = postings_new(arena);
	struct bucket *buckets;
	struct str *wanted = str_new(arena);
	int n, wrong = 0, i;
	size_t most = 0, total = 0;
	char name[16];

	for (unsigned passage = 0; passage < PASSAGES; passage++)
		for (unsigned k = 1; k <= LEXEMES; k += 1 + k / 50)
			if (passage % k == 0) {
				sprintf(name, "word%u", k);
				add(p, name, passage, 1 + passage % 7);
			}
	n = postings_pack(p, &buckets);
	ok(n > 8 && (n & (n - 1)) == 0, "many buckets, a power of two: %d", n);
	for (unsigned k = 1; k <= LEXEMES; k += 1 + k / 50) {
		str_clear(wanted);
		for (unsigned passage = 0; passage < PASSAGES; passage += k)
			str_printf(wanted, "%s%u:%u", wanted->len == 0 ? "" : " ", passage, 1 + passage % 7);
		sprintf(name, "word%u", k);
		wrong += strcmp(found(buckets, n, name), wanted->at) != 0;
	}
	is_int(wrong, 0, "all are found where they belong");
	for (i = 0; i < n; i++) {
		total += buckets[i].len;
		most = buckets[i].len > most ? buckets[i].len : most;
	}
	ok(total / (size_t)n <= 512, "%zu bytes on average, %zu at most", total / (size_t)n, most);
}

static void test_merging(void)
{
	static const int first[] = {2, -1, 3}, second[] = {0, 1};
	struct postings *p = postings_new(arena), *q = postings_new(arena), *all = postings_new(arena);
	struct bucket *buckets;
	int n, i;

	add(p, "a", 0, 1);
	add(p, "a", 1, 2);
	add(p, "a", 2, 9);
	add(p, "a", 3, 1);
	add(p, "gone", 1, 1);
	add(q, "a", 0, 4);
	add(q, "b", 1, 1);
	n = postings_pack(q, &buckets);
	for (i = 0; i < n; i++)
		postings_add_bucket(all, buckets[i].at, buckets[i].len, second, 2);
	n = postings_pack(p, &buckets);
	for (i = 0; i < n; i++)
		postings_add_bucket(all, buckets[i].at, buckets[i].len, first, 3);
	n = postings_pack(all, &buckets);
	is_text(found(buckets, n, "a"), "0:4 2:1 3:9", "renumbered, without what is gone");
	is_text(found(buckets, n, "b"), "1:1", "what only one has");
	is_text(found(buckets, n, "gone"), "", "a word whose last passage is gone");
}

static void test_tsvector(void)
{
	static const char three[] = "\0\0\0\3wal\0\0\2\0\1\0\5\xe9\xaf\xa8\0\0\0see\0\0\1\0\2";
	struct postings *p = postings_new(arena);
	struct bucket *buckets;
	int n, wrong = 0;
	size_t len;

	is_int(postings_add_tsvector(p, 5, three, sizeof three - 1), 4, "its words, one without a position");
	is_int(postings_add_tsvector(p, 6, "\0\0\0\0", 4), 0, "an empty one");
	n = postings_pack(p, &buckets);
	is_text(found(buckets, n, "wal"), "5:2", "as often as it has positions");
	is_text(found(buckets, n, "鯨"), "5:1", "else once");
	for (len = 0; len < sizeof three - 1; len++) {
		char *part = malloc(len + 1); /* a byte more would be seen by AddressSanitizer */

		memcpy(part, three, len);
		wrong += postings_add_tsvector(postings_new(arena), 0, part, len) != -1;
		free(part);
	}
	is_int(wrong, 0, "cut off anywhere it is none");
}

static void test_damage(void)
{
	struct postings *p = postings_new(arena);
	struct bucket *buckets;
	struct posting_walk postings;
	unsigned passage, times, seen = 0, beyond = 0;
	const char *lexeme;
	size_t len, cut, i;

	add(p, "whale", 3, 1000);
	add(p, "whale", 300, 1);
	add(p, "krill", 1, 1);
	postings_pack(p, &buckets);
	for (cut = 0; cut <= buckets[0].len; cut++)
		for (i = 0; i <= cut; i++) {
			char *copy = malloc(cut + 1);
			struct bucket_walk walk = bucket_walk(copy, cut);

			memcpy(copy, buckets[0].at, cut);
			if (i < cut)
				copy[i] = (char)0xff;
			while (bucket_next(&walk, &lexeme, &len, &postings))
				while (posting_next(&postings, &passage, &times)) {
					seen++;
					beyond += passage >= POSTINGS_MAX_PASSAGES;
				}
			free(copy);
		}
	ok(seen > 0 && beyond == 0, "cut or overwritten anywhere: it ends, and no passage is beyond what there can be");
}

int main(void)
{
	arena = arena_new();
	test_few();
	test_many();
	test_merging();
	test_tsvector();
	test_damage();
	arena_free(arena);
	return done_testing();
}
