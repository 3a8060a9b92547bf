/* SPDX-License-Identifier: ISC */
#include "base/http.h"

#include <ctype.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outbound.h"
#include "base/trust.h"

enum {
	MAX_IDLE_LINES = 256,
	MAX_RETRY_AFTER_S = 3600,
	MAX_HEAD_BYTES = 256 << 10, /* of an answer's headers, interim ones' too */
	LAST_MS = 5,                /* for the end of a body of which nothing more is wanted */
	LOOK_MS = 200,              /* between two looks after the client */
};

/* A handle; it keeps its connections warm between calls.  curl_easy_perform() and no multi of our own: that takes 35 kB
 * more for every stream (a table of 911 lists, seen with 7.88). */
struct line {
	CURL *easy;
	struct line *next;
};

/* Guarded calls have lines of their own: a connection that is kept is not asked about again, so one that was made
 * without the guard must never serve a call that needs it. */
static struct {
	pthread_mutex_t lock;
	struct line *idle[2]; /* unguarded, guarded */
	int n_idle;
} lines = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Guards task->waits: who wakes a thread must find it in its call. */
static pthread_mutex_t waiting_lock = PTHREAD_MUTEX_INITIALIZER;

/* One call under way. */
struct exchange {
	struct http_call *call;
	bool forbidden;         /* the guard has refused an address */
	int64_t quiet_since_ms; /* when the last byte came, or the call began */
	int64_t signal_ms;      /* when to call silence() */
	int64_t began_ms;
	int64_t looked_ms; /* when the client was last looked after */
	struct task *task;
	int64_t enough_ms; /* since when call->enough */
	size_t head_bytes;
	size_t sent_bytes; /* of a body that comes from call->send */
	curl_off_t up;     /* bytes of the body that have gone out */
	timer_t alarm;     /* ends libcurl's wait */
	bool alarmed;
	bool stopped; /* a callback of the caller's said so */
	bool ended;   /* we ended it; call->end says why */
	CURL *easy;
};

static void on_wake(int);

int http_start(void)
{
	const struct sigaction wake = {.sa_handler = on_wake}; /* without SA_RESTART */

	sigaction(SIGUSR2, &wake, NULL);
	/* libcurl takes a host's name for text in the locale's charset, and "C" has ASCII only. */
	setlocale(LC_CTYPE, "C.UTF-8");
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

static void line_free(struct line *line)
{
	curl_easy_cleanup(line->easy);
	free(line);
}

void http_stop(void)
{
	struct line *line;
	int guarded;

	pthread_mutex_lock(&lines.lock);
	for (guarded = 0; guarded < 2; guarded++)
		while ((line = lines.idle[guarded]) != NULL) {
			lines.idle[guarded] = line->next;
			line_free(line);
		}
	lines.n_idle = 0;
	pthread_mutex_unlock(&lines.lock);
}

static struct line *line_take(bool guarded)
{
	struct line *line;

	pthread_mutex_lock(&lines.lock);
	line = lines.idle[guarded];
	if (line != NULL) {
		lines.idle[guarded] = line->next;
		lines.n_idle--;
	}
	pthread_mutex_unlock(&lines.lock);
	if (line != NULL || (line = calloc(1, sizeof(*line))) == NULL)
		return line;
	line->easy = curl_easy_init();
	if (line->easy != NULL)
		return line;
	free(line);
	return NULL;
}

static void line_give(struct line *line, bool guarded, bool keep)
{
	if (keep) {
		curl_easy_reset(line->easy);
		pthread_mutex_lock(&lines.lock);
		keep = lines.n_idle < MAX_IDLE_LINES;
		if (keep) {
			line->next = lines.idle[guarded];
			lines.idle[guarded] = line;
			lines.n_idle++;
		}
		pthread_mutex_unlock(&lines.lock);
	}
	if (!keep)
		line_free(line);
}

static void forget_head(struct http_call *call)
{
	call->type[0] = call->charset[0] = '\0';
	if (call->location != NULL)
		*call->location = '\0';
	call->retry_after_s = 0;
}

static void note_type(struct http_call *call, const char *value, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < sizeof(call->type) - 1 && value[i] != ';' && value[i] != '\r' && value[i] != '\n';
		i++)
		call->type[i] = (char)tolower((unsigned char)value[i]);
	while (i > 0 && call->type[i - 1] == ' ')
		i--;
	call->type[i] = '\0';
}

static void note_charset(struct http_call *call, const char *value, size_t len)
{
	static const char name[] = "charset=";
	size_t at = 0, n = 0;

	while (at + sizeof(name) - 1 < len && strncasecmp(value + at, name, sizeof(name) - 1) != 0)
		at++;
	at += sizeof(name) - 1;
	at += at < len && value[at] == '"';
	for (; at < len && n < sizeof(call->charset) - 1; at++, n++) {
		if (!isalnum((unsigned char)value[at]) && value[at] != '-' && value[at] != '_')
			break;
		call->charset[n] = (char)tolower((unsigned char)value[at]);
	}
	call->charset[n] = '\0';
}

static void note_location(struct http_call *call, const char *value, size_t len)
{
	while (len > 0 && isspace((unsigned char)value[len - 1]))
		len--;
	if (call->location != NULL && len < call->location_room)
		snprintf(call->location, call->location_room, "%.*s", (int)len, value);
}

/* Seconds, or an HTTP date; anything else is not said. */
static int parse_retry_after(const char *value, size_t len)
{
	char text[64];
	long long seconds;
	char *end;

	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text) - 1), value);
	seconds = strtoll(text, &end, 10);
	if (end == text) {
		time_t when = curl_getdate(text, NULL);

		if (when == -1)
			return 0;
		seconds = when - time(NULL);
	} else if (*end != '\0' && !isspace((unsigned char)*end)) {
		return 0;
	}
	return seconds < 0 ? 0 : seconds > MAX_RETRY_AFTER_S ? MAX_RETRY_AFTER_S : (int)seconds;
}

/* Is it a list of codings that are undone within a few ten kB?  A window of zstd's takes 128 MB, and thirteen kB fill
 * it (seen); one of brotli's 16. */
static bool is_small_coding(const char *value, size_t len)
{
	static const char *const small[] = {"gzip", "x-gzip", "deflate", "identity", "chunked"};
	size_t at = 0, n, i;

	while (at < len) {
		if (strchr(", \t\r\n", value[at]) != NULL) {
			at++;
			continue;
		}
		for (n = 0; at + n < len && strchr(", \t\r\n", value[at + n]) == NULL; n++)
			;
		for (i = 0; i < sizeof(small) / sizeof(small[0]); i++)
			if (strlen(small[i]) == n && strncasecmp(value + at, small[i], n) == 0)
				break;
		if (i == sizeof(small) / sizeof(small[0]))
			return false;
		at += n;
	}
	return true;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct exchange *exchange = arg;
	size_t len = size * n, value;

	exchange->quiet_since_ms = clock_ms();
	exchange->head_bytes += len;
	if (exchange->head_bytes > MAX_HEAD_BYTES)
		return 0;
	if (len > 5 && strncasecmp(bytes, "HTTP/", 5) == 0) /* a new head: what an interim one said is void */
		forget_head(exchange->call);
	for (value = 0; value < len && bytes[value] != ':'; value++)
		;
	if (value == len)
		return len;
	for (value++; value < len && bytes[value] == ' '; value++)
		;
	if ((strncasecmp(bytes, "content-encoding:", 17) == 0 || strncasecmp(bytes, "transfer-encoding:", 18) == 0) &&
		!is_small_coding(bytes + value, len - value))
		return 0;
	if (strncasecmp(bytes, "content-type:", 13) == 0) {
		note_type(exchange->call, bytes + value, len - value);
		note_charset(exchange->call, bytes + value, len - value);
	} else if (strncasecmp(bytes, "location:", 9) == 0)
		note_location(exchange->call, bytes + value, len - value);
	else if (strncasecmp(bytes, "retry-after:", 12) == 0)
		exchange->call->retry_after_s = parse_retry_after(bytes + value, len - value);
	return len;
}

/* While a callback of the caller's writes to its client the alarm must wait: a write that it interrupts counts as
 * failed. */
static void hold_alarm(bool hold)
{
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGUSR2);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &alarm, NULL);
}

/* libcurl waits for up to a second; alarms of this thread's own end that: now and then, to look after the client, and
 * soon, when nothing more is wanted. */
static void start_alarm(struct exchange *exchange)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	const struct itimerspec now_and_then = {
		.it_value.tv_nsec = 2 * LOOK_MS * 1000000L, .it_interval.tv_nsec = 2 * LOOK_MS * 1000000L};

	event._sigev_un._tid = gettid();
	exchange->alarmed = timer_create(CLOCK_MONOTONIC, &event, &exchange->alarm) == 0;
	if (exchange->alarmed)
		timer_settime(exchange->alarm, 0, &now_and_then, NULL);
}

static void note_enough(struct exchange *exchange)
{
	const struct itimerspec soon = {
		.it_value.tv_nsec = (LAST_MS + 1) * 1000000L, .it_interval.tv_nsec = LAST_MS * 1000000L};

	exchange->enough_ms = clock_ms();
	if (exchange->alarmed)
		timer_settime(exchange->alarm, 0, &soon, NULL);
}

/* libcurl does not copy the body; a provider may answer before it has all of it. */
static void note_sent(struct exchange *exchange)
{
	curl_off_t sent = 0;

	if (exchange->call->sent)
		return;
	curl_easy_getinfo(exchange->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	exchange->call->sent = sent >= (curl_off_t)exchange->call->body_len;
}

/* What the caller is told. */
struct telling {
	struct http_call *call;
	const char *bytes; /* NULL: of silence */
	size_t len;
};

static int tell(void *arg)
{
	struct telling *telling = arg;
	struct http_call *call = telling->call;

	return telling->bytes == NULL ? call->silence(call->arg) : call->data(call->arg, telling->bytes, telling->len);
}

/* Memory may run out in a callback of the caller's: libcurl has to be left by its own way then. */
static int call_back(struct exchange *exchange, const char *bytes, size_t len)
{
	struct telling telling = {exchange->call, bytes, len};
	int stop;

	hold_alarm(true);
	stop = task_attempt(exchange->task, tell, &telling);
	hold_alarm(false);
	return stop;
}

static size_t on_data(char *bytes, size_t size, size_t n, void *arg)
{
	struct exchange *exchange = arg;
	struct http_call *call = exchange->call;
	int stop;

	exchange->quiet_since_ms = clock_ms();
	if (!call->any_data) {
		long code = 0;

		call->any_data = true;
		curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &code);
		call->status = (int)code; /* known to `data` from its first call on */
	}
	note_sent(exchange);
	call->idle = false;
	stop = call_back(exchange, bytes, size * n);
	exchange->quiet_since_ms = clock_ms(); /* a client that is slow to take it is not the provider's silence */
	if (!call->idle)
		exchange->signal_ms = exchange->quiet_since_ms + call->silence_s * 1000;
	if (stop != 0) {
		exchange->stopped = true;
		return 0;
	}
	if (call->enough && exchange->enough_ms == 0)
		note_enough(exchange);
	return size * n;
}

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
	struct exchange *exchange = arg;
	ssize_t got = exchange->call->send(exchange->call->arg, exchange->sent_bytes, to, size * n);

	if (got < 0) {
		exchange->stopped = true;
		return CURL_READFUNC_ABORT;
	}
	exchange->sent_bytes += (size_t)got;
	return (size_t)got;
}

/* A kept connection turned out dead: once more, on another one. */
static int on_rewind(void *arg, curl_off_t at, int origin)
{
	struct exchange *exchange = arg;

	(void)origin; /* libcurl knows the beginning only */
	exchange->sent_bytes = (size_t)at;
	return CURL_SEEKFUNC_OK;
}

/* Opened here, not before: what a name means is only known when the socket is made. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct exchange *exchange = arg;

	(void)purpose;
	if (exchange->call->allowed != NULL && !outbound_permitted(&address->addr, exchange->call->allowed)) {
		exchange->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int end_now(struct exchange *exchange, enum http_end end)
{
	exchange->call->end = end;
	exchange->ended = true;
	return 1; /* ends the transfer */
}

/* Has the client gone?  Asked a few times a second at most: it is a system call, and this is on the way of every chunk.
 */
static bool client_gone(struct exchange *exchange, int64_t now)
{
	struct pollfd client = {.fd = exchange->task->gone_fd, .events = POLLIN};

	if (exchange->call->gone == NULL || now - exchange->looked_ms < LOOK_MS)
		return false;
	exchange->looked_ms = now;
	return (client.fd < 0 || poll(&client, 1, 0) > 0) && exchange->call->gone(exchange->call->arg);
}

/* libcurl calls this whenever something stirs, and once a second when nothing does. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t up)
{
	struct exchange *exchange = arg;
	struct http_call *call = exchange->call;
	int64_t now = clock_ms(), quiet_ms;
	long code = 0;

	(void)a, (void)b, (void)c;
	if (up > exchange->up) /* who still takes the body need not answer yet */
		exchange->quiet_since_ms = now;
	exchange->up = up;
	quiet_ms = now - exchange->quiet_since_ms;
	/* The caller has all it wants: the end of the body, which lets the connection be kept, is waited for shortly.
	 */
	if (call->enough && now - exchange->enough_ms >= LAST_MS)
		return end_now(exchange, HTTP_DONE_EARLY);
	if (__atomic_load_n(&exchange->task->stop, __ATOMIC_ACQUIRE))
		return end_now(exchange, HTTP_TASK_STOPPED);
	if (client_gone(exchange, now))
		return end_now(exchange, HTTP_CLIENT_GONE);
	if (now - exchange->began_ms >= (int64_t)call->total_timeout_s * 1000)
		return end_now(exchange, HTTP_IDLE_TIMEOUT);
	if (quiet_ms >= 1000) {
		curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &code);
		if (quiet_ms >= (code == 0 ? call->first_timeout_s : call->idle_timeout_s) * 1000)
			return end_now(exchange, code == 0 ? HTTP_FIRST_TIMEOUT : HTTP_IDLE_TIMEOUT);
	}
	if (call->silence != NULL && now >= exchange->signal_ms) {
		exchange->signal_ms = now + call->silence_s * 1000;
		if (call_back(exchange, NULL, 0) != 0)
			return end_now(exchange, exchange->task->failure.status != 0 ? HTTP_STOPPED : HTTP_CLIENT_GONE);
	}
	return 0;
}

static int set_up_body(CURL *easy, struct exchange *exchange)
{
	struct http_call *call = exchange->call;
	int bad = 0;

	if (call->send != NULL) {
		bad |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
		bad |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
		bad |= curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
		bad |= curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
		bad |= curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
	} else if (call->body != NULL) {
		bad |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
	}
	if (call->send != NULL || call->body != NULL)
		bad |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
	return bad;
}

/* False when one of them cannot be set: without it the call could go elsewhere, or without its key. */
static bool set_up(CURL *easy, struct exchange *exchange, struct curl_slist *headers)
{
	struct http_call *call = exchange->call;
	int bad = 0;

	bad |= curl_easy_setopt(easy, CURLOPT_URL, call->url);
	bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* HTTP_PROXY in a CGI environment is the client's word */
	bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)call->connect_timeout_s);
	bad |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "exedra");
	/* what comes compressed unasked is decoded, not passed on; see is_small_coding() */
	bad |= curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	/* libcurl tries every kept one again when it turns out dead */
	bad |= curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, call->fresh ? 1L : 0L);
	bad |= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	bad |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	bad |= curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	bad |= curl_easy_setopt(easy, CURLOPT_XFERINFODATA, exchange);
	/* a chunk has a few hundred bytes; the default takes 16 kB a stream */
	bad |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 2048L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else the end of the call waits for a resolver that does not answer. */
	bad |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, call->allowed != NULL ? 1L : 0L);
#endif
	bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
	bad |= set_up_body(easy, exchange);
	bad |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	bad |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	return trust_set_up(easy) && bad == 0;
}

static enum http_end end_of(CURLcode code, const struct exchange *exchange)
{
	if (exchange->stopped)
		return HTTP_STOPPED;
	if (exchange->forbidden && code != CURLE_OK)
		return HTTP_FORBIDDEN;
	switch (code) {
	case CURLE_OK:
		return HTTP_DONE;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_CONNECT_TIMEOUT;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return HTTP_UNREACHABLE;
	default:
		return HTTP_BROKEN;
	}
}

/* Does it lie in the address, or in who they say they are?  An answer that is no HTTP is an unsupported protocol to
 * libcurl as well; what a kept connection still had in it may look like one. */
static bool is_hopeless(CURL *easy, CURLcode code)
{
	long sent_bytes = 0;

	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
	return code == CURLE_URL_MALFORMAT || (code == CURLE_UNSUPPORTED_PROTOCOL && sent_bytes == 0) ||
	       code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
}

static void free_headers(void *headers)
{
	curl_slist_free_all(headers);
}

/* A signal that does nothing ends the wait of libcurl, which then calls back. */
static void on_wake(int signal)
{
	(void)signal;
}

static void set_waiting(struct task *task, bool waits)
{
	pthread_mutex_lock(&waiting_lock);
	task->waits = waits;
	task->thread = pthread_self();
	pthread_mutex_unlock(&waiting_lock);
}

void http_stop_task(struct task *task, enum stop why)
{
	__atomic_store_n(&task->stop, (int)why, __ATOMIC_RELEASE);
	pthread_mutex_lock(&waiting_lock);
	if (task->waits)
		pthread_kill(task->thread, SIGUSR2);
	pthread_mutex_unlock(&waiting_lock);
}

static struct curl_slist *make_headers(struct arena *arena, const char *const *texts)
{
	/* Without it libcurl asks before it sends a large body, and some servers refuse to be asked. */
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:"), *more;

	if (headers == NULL)
		arena_exhausted(arena);
	for (; *texts != NULL; texts++, headers = more)
		if ((more = curl_slist_append(headers, *texts)) == NULL) {
			curl_slist_free_all(headers);
			arena_exhausted(arena);
		}
	arena_later(arena, free_headers, headers);
	return headers;
}

void http_run(struct task *task, struct http_call *call)
{
	struct exchange exchange = {.call = call, .task = task, .quiet_since_ms = clock_ms()};
	struct curl_slist *headers = make_headers(task->arena, call->headers);
	struct line *line = line_take(call->allowed != NULL);
	CURLcode result;
	long code = 0;

	call->status = 0;
	forget_head(call);
	call->any_data = call->enough = call->sent = false;
	if (line == NULL)
		arena_exhausted(task->arena);
	exchange.signal_ms = exchange.quiet_since_ms + call->silence_s * 1000;
	exchange.began_ms = exchange.quiet_since_ms;
	exchange.easy = line->easy;
	if (!set_up(line->easy, &exchange, headers)) {
		line_free(line);
		arena_exhausted(task->arena);
	}
	/* From here to the end of the call nothing may escape. */
	set_waiting(task, true);
	start_alarm(&exchange);
	result = curl_easy_perform(line->easy);
	set_waiting(task, false);
	if (exchange.alarmed)
		timer_delete(exchange.alarm);
	if (!exchange.ended)
		call->end = end_of(result, &exchange);
	/* No CURLOPT_ERRORBUFFER: it has the address in it. */
	call->cause = result == CURLE_OK ? NULL : trust_cause(line->easy, result);
	call->hopeless = is_hopeless(line->easy, result);
	curl_easy_getinfo(line->easy, CURLINFO_RESPONSE_CODE, &code);
	call->status = (int)code;
	line_give(line, call->allowed != NULL, call->end == HTTP_DONE);
	if (result == CURLE_OUT_OF_MEMORY)
		arena_exhausted(task->arena);
}
