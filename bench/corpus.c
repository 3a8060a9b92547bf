/* SPDX-License-Identifier: ISC
 * What retrieval is measured on.
 *
 *   corpus texts DOCUMENTS CHARACTERS SEED      a document a line, of made-up words: 200,000 different ones after 111
 * of English, by Zipf's law (exponent 1.05), a seventh of each document from 60 words of its own corpus vectors N
 * DIMENSIONS CLUSTERS SPREAD QUESTIONS FILE SEED      N vectors of length 1, each its cluster's centre plus noise:
 * components of both are normal, with deviations 1 and SPREAD.  As PostgreSQL's COPY in binary: tenant 1, embedder 1,
 * version (100 each), chunk, code, vector.  FILE gets the questions, drawn likewise, a line each: the chunks of the 8
 * nearest by the exact cosine, a tab, the vector in hexadecimal. */
#include <arpa/inet.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 200000, TOPIC = 60, NEAREST = 8, EACH = 100 };

static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static double uniform(void)
{
	return (double)((next_random() >> 11) + 1) / 9007199254740993.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

/* ---- texts ---- */

static const char english[] =
	"the of and to in a is that for it as was with be by on not he his but at are this have from or had an they "
	"which one you were all her she there would their we him been has when who will no more if out so up said what "
	"its about than into them can only other time new some could these two may first then do";

static char *make_word(int number)
{
	char word[32];
	int syllables = 2 + (number > 1000) + (number > 20000), len = 0, i;

	for (i = 0; i < syllables; i++) {
		word[len++] = "bcdfghjklmnprstvwz"[next_random() % 18];
		word[len++] = "aeiou"[next_random() % 5];
		if (next_random() % 3 == 0)
			word[len++] = "bcdfghjklmnprstvwz"[next_random() % 18];
	}
	word[len] = '\0';
	return strdup(word);
}

static char *words[WORDS];
static double upto[WORDS]; /* cumulated frequencies */

static void make_words(void)
{
	char *copy = strdup(english), *word;
	int n = 0, i;

	state = 12345678912345ULL; /* the same words whatever the seed */
	for (word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		words[n++] = word;
	for (; n < WORDS; n++)
		words[n] = make_word(n);
	for (i = 0; i < WORDS; i++)
		upto[i] = (i == 0 ? 0 : upto[i - 1]) + 1 / pow(i + 2.7, 1.05);
}

static int any_word(void)
{
	double wanted = uniform() * upto[WORDS - 1];
	int low = 0, high = WORDS - 1;

	while (low < high) {
		int middle = (low + high) / 2;

		if (upto[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void write_document(int characters)
{
	int topic[TOPIC], len = 0, since_stop = 0, i;

	for (i = 0; i < TOPIC; i++)
		topic[i] = 200 + (int)exp(uniform() * log(WORDS - 300.0));
	while (len < characters) {
		len += printf("%s", words[uniform() < 1 / 7.0 ? topic[next_random() % TOPIC] : any_word()]);
		if (++since_stop > 12 && uniform() < 0.2) {
			len += printf(".");
			since_stop = 0;
		}
		len += printf(" ");
	}
	putchar('\n');
}

/* ---- vectors ---- */

struct question {
	float *at;
	struct {
		int chunk;
		float cosine;
	} nearest[NEAREST];
};

static void draw(float *at, int n, const float *centre, double spread)
{
	double length = 0;
	int i;

	for (i = 0; i < n; i++) {
		at[i] = centre[i] + (float)(spread * normal());
		length += (double)at[i] * at[i];
	}
	for (i = 0; i < n; i++)
		at[i] /= (float)sqrt(length);
}

static void consider(struct question *q, int n, const float *at, int chunk)
{
	float cosine = 0;
	int place, i;

	for (i = 0; i < n; i++)
		cosine += q->at[i] * at[i];
	if (cosine <= q->nearest[NEAREST - 1].cosine)
		return;
	for (place = NEAREST - 1; place > 0 && q->nearest[place - 1].cosine < cosine; place--)
		q->nearest[place] = q->nearest[place - 1];
	q->nearest[place].chunk = chunk;
	q->nearest[place].cosine = cosine;
}

static void put_2(uint16_t number)
{
	number = htons(number);
	fwrite(&number, sizeof(number), 1, stdout);
}

static void put_4(uint32_t number)
{
	number = htonl(number);
	fwrite(&number, sizeof(number), 1, stdout);
}

static void put_id(uint32_t id)
{
	put_4(8);
	put_4(0);
	put_4(id);
}

static void put_row(int chunk, const float *at, int n)
{
	unsigned char code[8192 / 8] = {0};
	int i;

	for (i = 0; i < n; i++)
		code[i / 8] |= (unsigned char)(at[i] > 0 ? 0x80 >> i % 8 : 0);
	put_2(6);
	put_id(1);
	put_id(1);
	put_id((uint32_t)((chunk - 1) / EACH + 1));
	put_id((uint32_t)chunk);
	put_4(4 + (uint32_t)(n + 7) / 8);
	put_4((uint32_t)n);
	fwrite(code, 1, (size_t)(n + 7) / 8, stdout);
	put_4((uint32_t)n * 4);
	fwrite(at, 4, (size_t)n, stdout); /* little-endian, as this machine is */
}

static void write_questions(const char *file, const struct question *questions, int n_questions, int n)
{
	FILE *out = fopen(file, "w");
	int i, k;

	if (out == NULL)
		exit(1);
	for (i = 0; i < n_questions; i++) {
		for (k = 0; k < NEAREST; k++)
			fprintf(out, "%s%d", k == 0 ? "" : ",", questions[i].nearest[k].chunk);
		fputc('\t', out);
		for (k = 0; k < 4 * n; k++)
			fprintf(out, "%02x", ((const unsigned char *)questions[i].at)[k]);
		fputc('\n', out);
	}
	fclose(out);
}

static void make_vectors(int count, int n, int clusters, double spread, int n_questions, const char *file)
{
	float *centres = malloc(sizeof(float) * (size_t)clusters * (size_t)n), *at = malloc(sizeof(float) * (size_t)n);
	struct question *questions = calloc((size_t)n_questions, sizeof(*questions));
	int i, k;

	for (i = 0; i < clusters * n; i++)
		centres[i] = (float)normal();
	for (i = 0; i < n_questions; i++) {
		questions[i].at = malloc(sizeof(float) * (size_t)n);
		draw(questions[i].at, n, centres + (size_t)n * (next_random() % (unsigned)clusters), spread);
		for (k = 0; k < NEAREST; k++)
			questions[i].nearest[k].cosine = -2;
	}
	fwrite("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", 1, 19, stdout);
	for (i = 1; i <= count; i++) {
		draw(at, n, centres + (size_t)n * (next_random() % (unsigned)clusters), spread);
		put_row(i, at, n);
		for (k = 0; k < n_questions; k++)
			consider(&questions[k], n, at, i);
	}
	put_2(0xffff);
	write_questions(file, questions, n_questions, n);
}

int main(int argc, char **argv)
{
	int i;

	if (argc == 5 && strcmp(argv[1], "texts") == 0) {
		make_words();
		state = 88172645463325252ULL + strtoull(argv[4], NULL, 10) * 7919;
		for (i = 0; i < atoi(argv[2]); i++)
			write_document(atoi(argv[3]));
		return 0;
	}
	if (argc == 9 && strcmp(argv[1], "vectors") == 0) {
		state = 88172645463325252ULL + strtoull(argv[8], NULL, 10) * 7919;
		make_vectors(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atof(argv[5]), atoi(argv[6]), argv[7]);
		return 0;
	}
	fprintf(stderr, "usage: corpus texts DOCUMENTS CHARACTERS SEED\n"
			"       corpus vectors N DIMENSIONS CLUSTERS SPREAD QUESTIONS FILE SEED\n");
	return 2;
}
