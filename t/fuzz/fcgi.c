/* SPDX-License-Identifier: ISC
 * A web server's records over a socket: whatever they are, wire_next() gives whole requests or none, and their
 * parameters and bodies are as request.h says.  An input is lines: begin FLAGS      the record that begins a request
 *   NAME=value       a parameter
 *   params           the parameters so far as a record
 *   end              the record that ends them
 *   stdin TEXT       a record of the body; `stdin` alone ends it
 *   record TYPE TEXT any record
 * and what is none of these goes out as it is.  \xHH is a byte. */
#include <assert.h>
#include <ctype.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "web/request.h"

enum { BEGIN = 1, PARAMS = 4, STDIN = 5, MAX_BYTES = 65536, BODY_LIMIT = 10000 };

/* libfcgi loses some bytes of each management record. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfcgi\n";
}

const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}

/* It takes memory for what a length says before it has come: 2 GiB a time is slow where memory is watched. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

static jmp_buf *no_memory;

/* Two lengths of 1 GiB and more overflow in libfcgi (2.4.2-2+deb12u1), and it asserts that it has got that memory.  The
 * peer is the web server, which sends no such thing, and a worker that ends is replaced: no finding. */
void __assert_fail(const char *what, const char *file, unsigned line, const char *function)
{
	if (no_memory != NULL && strstr(file, "fcgiapp.c") != NULL && strcmp(function, "Malloc") == 0)
		longjmp(*no_memory, 1);
	fprintf(stderr, "%s:%u: not so: %s\n", file, line, what);
	abort();
}

static void put_record(struct str *out, int type, const char *content, size_t len)
{
	const char head[8] = {1, (char)type, 0, 1, (char)(len >> 8), (char)len, 0, 0};

	str_add(out, head, sizeof(head));
	str_add(out, content, len);
}

static void put_length(struct str *out, size_t len)
{
	if (len < 128) {
		str_putc(out, (char)len);
		return;
	}
	str_putc(out, (char)(len >> 24 | 0x80));
	str_putc(out, (char)(len >> 16));
	str_putc(out, (char)(len >> 8));
	str_putc(out, (char)len);
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

static struct str *unescape(struct arena *arena, const char *line, size_t len)
{
	struct str *text = str_new(arena);

	for (size_t i = 0; i < len; i++)
		if (len - i >= 4 && line[i] == '\\' && line[i + 1] == 'x' && isxdigit((unsigned char)line[i + 2]) &&
			isxdigit((unsigned char)line[i + 3])) {
			str_putc(text, (char)(hex_digit(line[i + 2]) << 4 | hex_digit(line[i + 3])));
			i += 3;
		} else {
			str_putc(text, line[i]);
		}
	return text;
}

static bool begins(const struct str *text, const char *word)
{
	return strncmp(text->at, word, strlen(word)) == 0;
}

/* One line of the input, as bytes of the connection. */
static void put_line(struct str *out, struct str *pairs, const struct str *text)
{
	const char *equals = memchr(text->at, '=', text->len);
	char *rest;

	if (begins(text, "begin ")) {
		char content[8] = {0, 1, (char)atoi(text->at + 6)};

		put_record(out, BEGIN, content, sizeof(content));
	} else if (strcmp(text->at, "params") == 0) {
		put_record(out, PARAMS, pairs->at, pairs->len & 0xFFFF);
		str_clear(pairs);
	} else if (strcmp(text->at, "end") == 0) {
		put_record(out, PARAMS, "", 0);
	} else if (strcmp(text->at, "stdin") == 0) {
		put_record(out, STDIN, "", 0);
	} else if (begins(text, "stdin ")) {
		put_record(out, STDIN, text->at + 6, (text->len - 6) & 0xFFFF);
	} else if (begins(text, "record ")) {
		int type = (int)strtoul(text->at + 7, &rest, 10);

		rest += *rest == ' ';
		put_record(out, type, rest, (text->len - (size_t)(rest - text->at)) & 0xFFFF);
	} else if (equals != NULL) {
		put_length(pairs, (size_t)(equals - text->at));
		put_length(pairs, text->len - (size_t)(equals - text->at) - 1);
		str_add(pairs, text->at, (size_t)(equals - text->at));
		str_add(pairs, equals + 1, text->len - (size_t)(equals - text->at) - 1);
	} else {
		str_add(out, text->at, text->len);
	}
}

/* Each is a string of its own, to its end. */
static void check_params(const struct wire *wire)
{
	for (char **param = wire->params; *param != NULL; param++)
		must(strlen(*param) < MAX_BYTES);
	must(wire_param(wire, "no such name") == NULL);
}

static void serve(struct wire *wire, struct arena *arena)
{
	struct request req = {.task.arena = arena, .wire = wire};

	check_params(wire);
	if (request_read_head(&req) < 0 || request_read_body(&req, BODY_LIMIT) < 0) {
		must(req.task.failure.status >= 400 && req.task.failure.status < 500);
		return;
	}
	must(req.body_len <= BODY_LIMIT);
	must(req.body_announced < 0 || req.body_announced == (int64_t)req.body_len);
	must(req.body_len == 0 || req.body[req.body_len] == '\0');
	must(wire_write(wire, "Status: 200\r\n\r\n", 15) == 0 || wire->gone);
}

/* FCGX_Init() takes signals that are not its own. */
static void start(void)
{
	static bool started;
	void (*on_term)(int), (*on_user)(int);

	if (started)
		return;
	started = true;
	on_term = signal(SIGTERM, SIG_DFL);
	on_user = signal(SIGUSR1, SIG_DFL);
	must(FCGX_Init() == 0);
	signal(SIGTERM, on_term);
	signal(SIGUSR1, on_user);
	signal(SIGPIPE, SIG_IGN);
}

/* Answer what comes over a connection, as a worker does. */
static void serve_connection(int fd, struct arena *arena)
{
	struct wire wire;
	jmp_buf back;
	int served = 0;

	wire_open_fcgi(&wire);
	if (setjmp(back) != 0) {
		no_memory = NULL;
		close(fd);
		return;
	}
	no_memory = &back;
	for (int next = fd; wire_next(&wire, next) == 0; next = -1) {
		serve(&wire, arena);
		wire_end(&wire);
		must(wire.params == NULL);
		if (++served == 100 || !wire_kept(&wire))
			break;
	}
	no_memory = NULL;
	wire_close(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *at = (const char *)bytes, *end = at + len, *line;
	struct arena *arena = arena_new();
	struct str *out = str_new(arena), *pairs = str_new(arena);
	int ends[2];
	size_t n = 0;

	start();
	while ((line = next_line(&at, end, &n)) != NULL && out->len < MAX_BYTES)
		put_line(out, pairs, unescape(arena, line, n));
	if (out->len < MAX_BYTES) {
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		must(write(ends[1], out->at, out->len) == (ssize_t)out->len);
		shutdown(ends[1], SHUT_WR);
		serve_connection(ends[0], arena);
		close(ends[1]);
	}
	arena_free(arena);
	return 0;
}
