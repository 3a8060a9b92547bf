/* SPDX-License-Identifier: ISC */
#include "extract/package.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "base/str.h"
#include "extract/job.h"

enum {
	MAX_MEMBERS = 100000,
	MAX_RATIO = 200,             /* sheets of equal cells reach 50 to 100 */
	RATIO_FREE_BYTES = 16 << 20, /* so much any member may unpack to */
	MAX_UNPACKED_MIB = 1024,     /* all members that are read together */
};

static struct {
	zip_t *zip;
	uint64_t n_unpacked;
} package;

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Readers differ in which of two members of one name they take: what a filter saw need not be what is read here. */
static void refuse_duplicates(size_t n)
{
	const char **names = calloc(n + 1, sizeof(*names));

	if (names == NULL)
		refuse(FILE_TOO_HUNGRY, "There is no memory for its list of members.");
	for (size_t i = 0; i < n; i++) {
		names[i] = zip_get_name(package.zip, i, ZIP_FL_ENC_RAW);
		if (names[i] == NULL)
			refuse(FILE_BROKEN, "Its list of members is broken.");
	}
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			refuse(FILE_BROKEN, "Two members of the archive have one name.");
	free(names);
}

void package_open(void)
{
	zip_int64_t n;

	lseek(STDIN_FILENO, 0, SEEK_SET);
	package.zip = zip_fdopen(dup(STDIN_FILENO), 0, NULL);
	if (package.zip == NULL)
		refuse(FILE_BROKEN, "The archive that it is cannot be read: it is damaged or cut short.");
	n = zip_get_num_entries(package.zip, 0);
	if (n > MAX_MEMBERS)
		refuse(FILE_TOO_LARGE, "It has more than %d members.", MAX_MEMBERS);
	refuse_duplicates((size_t)n);
}

static char common(char c)
{
	return c == '\\' ? '/' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_alike(const char *a, const char *b)
{
	while (*a != '\0' && common(*a) == common(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Names of Office's members are the same in capitals, and some programs part them as Windows does.  -1: there is none.
 */
static zip_int64_t locate(const char *name)
{
	zip_int64_t at = zip_name_locate(package.zip, name, 0), n = zip_get_num_entries(package.zip, 0);

	for (zip_int64_t i = 0; at < 0 && i < n; i++) {
		const char *other = zip_get_name(package.zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);

		if (other != NULL && is_alike(name, other))
			at = i;
	}
	return at;
}

bool package_has(const char *name)
{
	return locate(name) >= 0;
}

struct member {
	struct feed feed;
	zip_file_t *file;
	uint64_t n_packed, n;
};

static size_t read_member(struct feed *feed, char *to, size_t room)
{
	struct member *member = (struct member *)feed;
	zip_int64_t got = zip_fread(member->file, to, room);

	if (got < 0)
		refuse(FILE_BROKEN, "A member of the archive is damaged.");
	member->n += (uint64_t)got;
	package.n_unpacked += (uint64_t)got;
	if (member->n > RATIO_FREE_BYTES && member->n / MAX_RATIO > member->n_packed)
		refuse(FILE_TOO_LARGE, "It unpacks to more than %d times its size.", MAX_RATIO);
	if (package.n_unpacked > (uint64_t)MAX_UNPACKED_MIB << 20)
		refuse(FILE_TOO_LARGE, "It unpacks to more than %d MiB.", MAX_UNPACKED_MIB);
	return (size_t)got;
}

static void close_member(void *at)
{
	zip_fclose(((struct member *)at)->file);
}

struct feed *package_member(struct arena *arena, const char *name)
{
	struct member *member;
	zip_int64_t at = locate(name);
	zip_stat_t st;

	if (at < 0 || zip_stat_index(package.zip, (zip_uint64_t)at, 0, &st) != 0)
		return NULL;
	if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE)
		refuse(FILE_ENCRYPTED, "The archive needs a password.");
	member = arena_get(arena, sizeof(*member));
	member->feed.read = read_member;
	member->n_packed = st.valid & ZIP_STAT_COMP_SIZE ? st.comp_size : 0;
	member->file = zip_fopen_index(package.zip, st.index, 0);
	if (member->file == NULL)
		refuse(FILE_BROKEN, "A member of the archive cannot be read.");
	arena_later(arena, close_member, member);
	return &member->feed;
}

struct feed *package_part(struct arena *arena, const char *name)
{
	struct feed *feed = package_member(arena, name);

	if (feed == NULL)
		refuse(FILE_BROKEN, "A part of the document is missing.");
	return feed;
}

/* ---- references */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at;

	c = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
	at = c != '\0' ? strchr(digits, c) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

static char *decode(struct arena *arena, const char *reference)
{
	char *decoded = arena_get(arena, strlen(reference) + 1), *to = decoded;

	for (; *reference != '\0' && *reference != '#'; reference++)
		if (*reference == '%' && hex(reference[1]) >= 0 && hex(reference[2]) >= 0) {
			*to++ = (char)(hex(reference[1]) * 16 + hex(reference[2]));
			reference += 2;
		} else
			*to++ = *reference;
	*to = '\0';
	return decoded;
}

static size_t drop_segment(const char *at, size_t len)
{
	while (len > 0 && at[--len] != '/')
		;
	return len;
}

const char *package_resolve(struct arena *arena, const char *base, const char *reference)
{
	struct str *name = str_new(arena);
	char *rest = decode(arena, reference), *segment;

	if (*rest != '/')
		str_add(name, base, drop_segment(base, strlen(base)));
	while ((segment = strsep(&rest, "/")) != NULL) {
		if (*segment == '\0' || strcmp(segment, ".") == 0)
			continue;
		if (strcmp(segment, "..") != 0) {
			str_printf(name, "%s%s", name->len > 0 ? "/" : "", segment);
			continue;
		}
		if (name->len == 0)
			return NULL;
		name->len = drop_segment(name->at, name->len);
		name->at[name->len] = '\0';
	}
	return name->at;
}
