/* SPDX-License-Identifier: ISC
 * A library to be preloaded: it lets the n-th allocation, call of libpq, call of libcurl or write of a worker fail, as
 * the file named by TORTURE_FILE says (t/lib/Exedra/Torture.pm writes it).  Until that file is armed nothing is
 * counted.
 * With CLOCK_BACK_S in the environment the time of day that a program reads is so many seconds ahead of the kernel's,
 * as if the clock were put back right after: who waits until a time of day then waits longer.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include <curl/curl.h>
#include <libpq-fe.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo

enum kind { NOTHING, MEMORY, DATABASE, CONNECTION, TRANSFER, WRITE };

/* The file, as the test and this library share it. */
struct order {
	uint32_t armed;
	uint32_t pid; /* whose calls count; 0: of every process but `master` */
	uint32_t master;
	uint32_t kind;    /* enum kind */
	uint32_t error;   /* of a write: errno, 0 = it writes half */
	uint32_t n;       /* this call fails, from 1 */
	uint32_t lasting; /* and all behind it for so many milliseconds */
	uint32_t threads; /* whose calls: 1 those of requests, 2 of all others, 3 all */
	uint32_t seen;    /* how many there were */
	uint32_t failed;  /* how many of them failed */
	char where[2048]; /* what called the first that failed: module+offset, the innermost first */
};

/* Who crashes when memory runs out, by design or by mistake: what these allocate does not count.
 *   json-c    0.16 writes through what it did not get, and leaves members out
 *   libfcgi   Malloc() and Realloc() in fcgiapp.c assert() that there is memory
 *   ld-linux  ends the process when a thread first touches a library's thread-local memory and there is none */
static const char *const spared[] = {"libjson-c.", "libfcgi.", "ld-linux"};

static struct order *order;
static time_t put_back_s;
/* The unwinder and dladdr() may allocate. */
static __thread bool inside __attribute__((tls_model("initial-exec")));
/* This thread serves requests: such threads are made with attributes, for their small stacks, and no others are. */
static __thread bool serves __attribute__((tls_model("initial-exec")));

static void *behind(const char *name, void **found)
{
	if (*found == NULL)
		*found = dlsym(RTLD_NEXT, name);
	return *found;
}

/* Declares `real`, the function that ours stands before. */
#define REAL(name)                                                                                                     \
	static void *found;                                                                                            \
	__typeof__(name) *real = (__typeof__(name) *)behind(#name, &found)

__attribute__((constructor)) static void read_orders(void)
{
	const char *path = getenv("TORTURE_FILE"), *back = getenv("CLOCK_BACK_S");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (shared != MAP_FAILED)
		order = shared;
	if (back != NULL)
		put_back_s = atoi(back);
}

struct frames {
	void *at[24];
	int n;
};

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *arg)
{
	struct frames *frames = arg;

	if (frames->n == (int)(sizeof(frames->at) / sizeof(frames->at[0])))
		return _URC_END_OF_STACK;
	frames->at[frames->n++] = (void *)_Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static const char *module_of(void *address, size_t *offset)
{
	Dl_info info;
	const char *slash;

	if (dladdr(address, &info) == 0 || info.dli_fname == NULL)
		return "?";
	*offset = (size_t)((char *)address - (char *)info.dli_fbase);
	slash = strrchr(info.dli_fname, '/');
	return slash == NULL ? info.dli_fname : slash + 1;
}

/* Is it a frame of this library, or of one that only passes the wish for memory on? */
static bool passes_on(const char *module)
{
	return strncmp(module, "fail.so", 7) == 0 || strncmp(module, "libc.so", 7) == 0 ||
	       strncmp(module, "libasan", 7) == 0;
}

/* Of an allocation: do we leave it alone? */
static bool is_spared(const struct frames *frames)
{
	size_t offset = 0, k;
	int i;

	for (i = 0; i < frames->n; i++) {
		const char *module = module_of(frames->at[i], &offset);

		if (passes_on(module))
			continue;
		for (k = 0; k < sizeof(spared) / sizeof(spared[0]); k++)
			if (strncmp(module, spared[k], strlen(spared[k])) == 0)
				return true;
		return false;
	}
	return false;
}

static void note_where(const struct frames *frames)
{
	size_t offset = 0, len = 0;
	int i;

	for (i = 0; i < frames->n && len < sizeof(order->where) - 1; i++) {
		const char *module = module_of(frames->at[i], &offset);

		if (strncmp(module, "fail.so", 7) != 0)
			len += (size_t)snprintf(
				order->where + len, sizeof(order->where) - len, "%s+0x%zx ", module, offset);
	}
}

static bool is_ours(enum kind kind)
{
	uint32_t pid = (uint32_t)getpid();

	return order->kind == (uint32_t)kind && (order->threads & (serves ? 1 : 2)) != 0 &&
	       (order->pid == 0 ? pid != order->master : pid == order->pid);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* The n-th, and what comes soon behind it. */
static bool is_due(uint32_t number)
{
	static int64_t began_ms;

	if (number == order->n)
		__atomic_store_n(&began_ms, now_ms(), __ATOMIC_RELEASE);
	return number == order->n || (number > order->n && order->lasting > 0 &&
					     now_ms() - __atomic_load_n(&began_ms, __ATOMIC_ACQUIRE) < order->lasting);
}

/* Count a call; is it one that is to fail? */
static bool fails(enum kind kind)
{
	struct frames frames = {.n = 0};
	bool verdict = false;
	uint32_t number;
	int saved = errno;

	if (order == NULL || !__atomic_load_n(&order->armed, __ATOMIC_ACQUIRE) || inside || !is_ours(kind))
		return false;
	inside = true;
	_Unwind_Backtrace(take_frame, &frames);
	if (kind != MEMORY || !is_spared(&frames)) {
		number = __atomic_add_fetch(&order->seen, 1, __ATOMIC_ACQ_REL);
		verdict = is_due(number);
		if (verdict && __atomic_fetch_add(&order->failed, 1, __ATOMIC_ACQ_REL) == 0)
			note_where(&frames);
	}
	inside = false;
	errno = saved;
	return verdict;
}

/* ---- memory ---- */

void *malloc(size_t bytes)
{
	REAL(malloc);
	if (fails(MEMORY)) {
		errno = ENOMEM;
		return NULL;
	}
	return real == NULL ? NULL : real(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	REAL(calloc);
	if (fails(MEMORY)) {
		errno = ENOMEM;
		return NULL;
	}
	return real == NULL ? NULL : real(n, bytes);
}

/* What only shrinks may fail too: the standard says so. */
void *realloc(void *old, size_t bytes)
{
	REAL(realloc);
	if (bytes > 0 && fails(MEMORY)) {
		errno = ENOMEM;
		return NULL;
	}
	return real(old, bytes);
}

int posix_memalign(void **piece, size_t alignment, size_t bytes)
{
	REAL(posix_memalign);
	return fails(MEMORY) ? ENOMEM : real(piece, alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	REAL(aligned_alloc);
	return fails(MEMORY) ? NULL : real(alignment, bytes);
}

struct start {
	void *(*run)(void *);
	void *arg;
};

static void *begin_serving(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	serves = true;
	return start.run(start.arg);
}

/* A thread's stack is mapped inside libc, where no call can be caught. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	REAL(pthread_create);
	struct start *start;
	int result;

	if (fails(MEMORY))
		return EAGAIN;
	if (attributes == NULL)
		return real(thread, attributes, run, arg);
	start = malloc(sizeof(*start)); /* which may be the call that fails */
	if (start == NULL)
		return EAGAIN;
	*start = (struct start){run, arg};
	result = real(thread, attributes, begin_serving, start);
	if (result != 0)
		free(start);
	return result;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	REAL(clock_gettime);
	int result = real(clock, now);

	if (result == 0 && clock == CLOCK_REALTIME)
		now->tv_sec += put_back_s;
	return result;
}

int timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
	REAL(timer_create);
	if (fails(MEMORY)) {
		errno = EAGAIN;
		return -1;
	}
	return real(clock, event, timer);
}

/* ---- libpq: a call says that it failed; or the connection breaks just before it ---- */

static bool refuses(PGconn *conn)
{
	if (conn != NULL && fails(CONNECTION))
		shutdown(PQsocket(conn), SHUT_RDWR);
	return fails(DATABASE);
}

PGconn *PQconnectdbParams(const char *const *keywords, const char *const *values, int expand)
{
	REAL(PQconnectdbParams);
	return refuses(NULL) ? NULL : real(keywords, values, expand);
}

PGresult *PQexecParams(PGconn *conn, const char *command, int n, const Oid *types, const char *const *values,
	const int *lengths, const int *formats, int format)
{
	REAL(PQexecParams);
	return refuses(conn) ? NULL : real(conn, command, n, types, values, lengths, formats, format);
}

int PQenterPipelineMode(PGconn *conn)
{
	REAL(PQenterPipelineMode);
	return refuses(conn) ? 0 : real(conn);
}

int PQsetnonblocking(PGconn *conn, int on)
{
	REAL(PQsetnonblocking);
	return refuses(conn) ? -1 : real(conn, on);
}

int PQsendQueryParams(PGconn *conn, const char *command, int n, const Oid *types, const char *const *values,
	const int *lengths, const int *formats, int format)
{
	REAL(PQsendQueryParams);
	return refuses(conn) ? 0 : real(conn, command, n, types, values, lengths, formats, format);
}

int PQsendPrepare(PGconn *conn, const char *name, const char *query, int n, const Oid *types)
{
	REAL(PQsendPrepare);
	return refuses(conn) ? 0 : real(conn, name, query, n, types);
}

int PQsendQueryPrepared(PGconn *conn, const char *name, int n, const char *const *values, const int *lengths,
	const int *formats, int format)
{
	REAL(PQsendQueryPrepared);
	return refuses(conn) ? 0 : real(conn, name, n, values, lengths, formats, format);
}

int PQpipelineSync(PGconn *conn)
{
	REAL(PQpipelineSync);
	return refuses(conn) ? 0 : real(conn);
}

int PQflush(PGconn *conn)
{
	REAL(PQflush);
	return refuses(conn) ? -1 : real(conn);
}

int PQconsumeInput(PGconn *conn)
{
	REAL(PQconsumeInput);
	return refuses(conn) ? 0 : real(conn);
}

/* A result that could not be kept comes as an error without a SQLSTATE. */
PGresult *PQgetResult(PGconn *conn)
{
	REAL(PQgetResult);
	bool refused = refuses(conn);
	PGresult *result = real(conn);

	if (!refused || result == NULL)
		return result;
	PQclear(result);
	return PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
}

/* ---- libcurl ---- */

CURL *curl_easy_init(void)
{
	REAL(curl_easy_init);
	return fails(TRANSFER) ? NULL : real();
}

/* Behind the option stands one long, pointer or curl_off_t: all of them travel as a pointer does. */
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	REAL(curl_easy_setopt);
	va_list args;
	void *value;

	va_start(args, option);
	value = va_arg(args, void *);
	va_end(args);
	return fails(TRANSFER) ? CURLE_OUT_OF_MEMORY : real(easy, option, value);
}

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	REAL(curl_easy_getinfo);
	va_list args;
	void *value;

	va_start(args, info);
	value = va_arg(args, void *);
	va_end(args);
	return fails(TRANSFER) ? CURLE_UNKNOWN_OPTION : real(easy, info, value);
}

CURLcode curl_easy_perform(CURL *easy)
{
	REAL(curl_easy_perform);
	return fails(TRANSFER) ? CURLE_OUT_OF_MEMORY : real(easy);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
	REAL(curl_slist_append);
	return fails(TRANSFER) ? NULL : real(list, text);
}

/* ---- writes ---- */

/* -1: as the order says; else how many bytes may be written. */
static ssize_t allowance(int fd, size_t bytes)
{
	int error;

	if (!fails(WRITE))
		return (ssize_t)bytes;
	error = (int)order->error;
	if (error == 0)
		return (ssize_t)((bytes + 1) / 2);
	/* Whoever hears that the other side has gone will read so too. */
	if (error == EPIPE || error == ECONNRESET)
		shutdown(fd, SHUT_RDWR);
	errno = error;
	return -1;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	REAL(write);
	ssize_t most = allowance(fd, n);

	return most < 0 ? -1 : real(fd, bytes, (size_t)most);
}

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
	REAL(send);
	ssize_t most = allowance(fd, n);

	return most < 0 ? -1 : real(fd, bytes, (size_t)most, flags);
}
