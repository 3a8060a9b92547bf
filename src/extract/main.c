/* SPDX-License-Identifier: ISC
 * exedra-extract: one file in, its text and what is known of it out.  This process only starts others: the first finds
 * out what the file is, the second reads it; where another's program has to read it first, a third feeds the second. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/utf8.h"
#include "config.h"
#include "extract/check.h"
#include "extract/guard.h"
#include "extract/job.h"
#include "extract/kind.h"
#include "extract/output.h"
#include "extract/sandbox.h"
#include "extract/spool.h"
#include "extract/tool.h"

enum {
	DEFAULT_MAX_MIB = LIMIT_UPLOAD_MIB,
	DEFAULT_SECONDS = 25,
	DEFAULT_MEMORY_MIB = 512,
	LEAST_MEMORY_MIB = 96, /* the libraries alone take 70 of address space */
};

/* ---- what is said in the end */

static void print_line(FILE *to, bool head)
{
	struct arena *arena = arena_new();
	struct str *line = str_new(arena), *message = str_new(arena);
	struct finding *finding = job.finding;
	struct utf8_stream utf8 = {0};

	finding->mime[sizeof(finding->mime) - 1] = '\0';
	finding->message[sizeof(finding->message) - 1] = '\0';
	utf8_clean(&utf8, finding->message, strlen(finding->message), true, message);
	str_putc(line, '{');
	if (!head) {
		str_printf(line, "\"code\":\"%s\",\"message\":", refusal_code((enum refusal)finding->refusal));
		str_json(line, message->at, message->len);
	}
	if (utf8_valid(finding->mime, strlen(finding->mime)) && finding->mime[0] != '\0') {
		str_puts(line, head ? "\"kind\":" : ",\"kind\":");
		str_json_text(line, finding->mime);
	}
	str_puts(line, "}\n");
	fwrite(line->at, 1, line->len, to);
	arena_free(arena);
}

static int end(enum refusal refusal)
{
	if (refusal == WHOLE)
		return EXIT_SUCCESS;
	job.finding->refusal = refusal;
	if (refusal == FILE_AUDIO) {
		print_line(stdout, true);
		fflush(stdout);
	}
	print_line(stderr, false);
	return EXIT_FAILURE;
}

static int say(enum refusal refusal, const char *message)
{
	snprintf(job.finding->message, sizeof(job.finding->message), "%s", message);
	return end(refusal);
}

/* ---- the rounds */

static enum refusal find_kind(void)
{
	struct guarded finder = {0};

	guard_start(&finder, kind_find, STDIN_FILENO, -1);
	return guard_wait(&finder, 1, -1);
}

static const struct kind *kind;

static void read_kind(void)
{
	/* where poppler has the encodings of Chinese, Japanese and Korean fonts */
	static const char *const tables[] = {"/usr/share/poppler", NULL};
	bool looks_up = strcmp(kind->mime, "application/pdf") == 0;

	if (kind->prepare != NULL)
		kind->prepare();
	sandbox_seal(looks_up ? SEAL_LOOKUP : SEAL_READER, tables);
	output_begin(kind->mime);
	kind->read();
}

static void filter_kind(void)
{
	sandbox_seal(SEAL_READER, NULL);
	kind->filter();
}

static void make_pipe(int ends[2])
{
	/* those that were started end with us */
	if (pipe2(ends, O_CLOEXEC) != 0)
		exit(say(SANDBOX_MISSING, "No pipe can be made."));
}

/* From the file through those that feed the reader, and from it to us. */
static enum refusal read_file(void)
{
	struct guarded all[] = {{.role = READER}, {.role = TOOL, .name = kind->tool}, {.role = FEEDER}};
	int n = kind->filter != NULL ? 3 : kind->tool != NULL ? 2 : 1, in = STDIN_FILENO, ends[2];
	void (*const work[])(void) = {read_kind, tool_run, filter_kind};

	for (int i = n - 1; i >= 0; i--) {
		make_pipe(ends);
		guard_start(&all[i], work[i], in, ends[1]);
		close(ends[1]);
		if (in != STDIN_FILENO)
			close(in);
		in = ends[0];
	}
	return guard_wait(all, n, in);
}

static int run(void)
{
	enum refusal refusal;

	guard_begin();
	clock_gettime(CLOCK_MONOTONIC, &job.deadline);
	job.deadline.tv_sec += job.max_seconds;
	refusal = find_kind();
	if (refusal != WHOLE)
		return end(refusal);
	if (job.finding->kind < 0 || job.finding->kind >= n_kinds || kinds[job.finding->kind].read == NULL)
		return say(FILE_UNKNOWN_KIND, "Its kind was not found.");
	kind = &kinds[job.finding->kind];
	job.finding->charset[sizeof(job.finding->charset) - 1] = '\0';
	job.finding->whole = 0;
	job.finding->starved = 0;
	if (kind->tool != NULL && !tool_find(kind)) {
		char message[120];

		snprintf(message, sizeof(message), "The program %s, which such files need, is not installed.",
			kind->tool);
		return say(FILE_TOOL_MISSING, message);
	}
	return end(read_file());
}

/* ---- options */

static void print_help(FILE *to)
{
	fputs("usage: exedra-extract [--name NAME] [--type MIME] [--parts] [--ocr LANGUAGES]\n"
	      "           [--max-bytes N] [--max-seconds N] [--max-memory MIB] < FILE\n"
	      "       exedra-extract --kinds | --check | --version | --help\n"
	      "\n"
	      "  --name NAME       what the file is called; tells kinds of plain text apart\n"
	      "  --type MIME       what somebody says it is; so does this, after the name\n"
	      "  --parts           begin each sheet or mail with a form feed and a line of JSON\n"
	      "  --ocr LANGUAGES   of text in images, as tesseract calls them (eng)\n"
	      "  --max-bytes N     of text\n"
	      "  --max-seconds N   to read the file (25)\n"
	      "  --max-memory MIB  to read the file (512)\n"
	      "  --kinds           list what can be read here: MIME type, extensions, with a tab between\n"
	      "  --check           see whether the sandbox holds on this system\n",
		to);
}

static _Noreturn void refuse_usage(const char *option, const char *problem)
{
	fprintf(stderr, "exedra-extract: %s: %s\n", option, problem);
	exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char problem[80], *rest;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &rest, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *rest != '\0' || n < least || n > most) {
		snprintf(problem, sizeof(problem), "must be a number from %llu to %llu", (unsigned long long)least,
			(unsigned long long)most);
		refuse_usage(option, problem);
	}
	return n;
}

static const char *ocr_languages(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 60 || text[0] == '-' ||
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-") != len)
		refuse_usage("--ocr", "must be names of languages, with + between");
	return text;
}

static int list_kinds(void)
{
	for (int i = 0; i < n_kinds; i++)
		if (kinds[i].read != NULL && (kinds[i].tool == NULL || tool_find(&kinds[i])))
			printf("%s\t%s\n", kinds[i].mime, kinds[i].extensions);
	return EXIT_SUCCESS;
}

static int do_other(int option)
{
	switch (option) {
	case 'k':
		return list_kinds();
	case 'c':
		return check_sandbox();
	case 'v':
		puts("exedra-extract " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	default:
		print_help(stdout);
		return EXIT_SUCCESS;
	}
}

static int read_options(int argc, char **argv)
{
	static const struct option options[] = {{"name", required_argument, NULL, 'n'},
		{"type", required_argument, NULL, 't'}, {"ocr", required_argument, NULL, 'o'},
		{"parts", no_argument, NULL, 'p'}, {"max-bytes", required_argument, NULL, 'b'},
		{"max-seconds", required_argument, NULL, 's'}, {"max-memory", required_argument, NULL, 'm'},
		{"kinds", no_argument, NULL, 'k'}, {"check", no_argument, NULL, 'c'},
		{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option, other = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'n':
			job.name = optarg;
			break;
		case 't':
			job.type = optarg;
			break;
		case 'o':
			job.ocr = ocr_languages(optarg);
			break;
		case 'p':
			job.parts = true;
			break;
		case 'b':
			job.max_bytes = number("--max-bytes", optarg, 1, (uint64_t)1 << 40);
			break;
		case 's':
			job.max_seconds = (int)number("--max-seconds", optarg, 1, 86400);
			break;
		case 'm':
			job.max_memory = number("--max-memory", optarg, LEAST_MEMORY_MIB, 1 << 20) << 20;
			break;
		case '?':
			fputs("exedra-extract --help tells the options\n", stderr);
			exit(2);
		default:
			other = option;
		}
	if (optind < argc)
		refuse_usage(argv[optind], "the file is read from standard input");
	return other;
}

/* A pipe of ours in the place of a standard descriptor that the caller closed would be read or written for that. */
static void fill_descriptors(void)
{
	int fd;

	do
		fd = open("/", O_RDONLY | O_DIRECTORY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

/* Who starts us may have passwords in its environment, and a process that a file has taken over would read them where
 * they lie: nothing stays there but what is used. */
static void clean_environment(void)
{
	static const char *const used[] = {"PATH", "TMPDIR", "TESSDATA_PREFIX"};
	char *values[sizeof(used) / sizeof(used[0])] = {NULL};

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		if (getenv(used[i]) != NULL)
			values[i] = strdup(getenv(used[i]));
	for (char **variable = environ; *variable != NULL; variable++)
		explicit_bzero(*variable, strlen(*variable));
	clearenv();
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		if (values[i] != NULL)
			setenv(used[i], values[i], 1);
		free(values[i]);
	}
}

int main(int argc, char **argv)
{
	int other;

	fill_descriptors();
	clean_environment();

	job = (struct job){.ocr = "eng",
		.max_bytes = (uint64_t)DEFAULT_MAX_MIB << 20,
		.max_seconds = DEFAULT_SECONDS,
		.max_memory = (uint64_t)DEFAULT_MEMORY_MIB << 20};
	other = read_options(argc, argv);
	job.finding = mmap(NULL, sizeof(*job.finding), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job.finding == MAP_FAILED) {
		perror("exedra-extract");
		return EXIT_FAILURE;
	}
	if (other != 0)
		return do_other(other);
	if (spool_input() < 0)
		return end((enum refusal)job.finding->refusal);
	return run();
}
