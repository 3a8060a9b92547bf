/* SPDX-License-Identifier: ISC
 * A client for measuring: so many event streams at once from one address, one thread, epoll.  Counts those that end
 * whole, measures the gaps between their events and the time to the first. usage: streams ADDRESS:PORT PATH STREAMS
 * PER_SECOND END [HEADER...] < BODY END is the text whose arrival makes a stream whole ("[DONE]",
 * "finalizeResponseStream"). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STREAMS = 8192, GAP_BUCKETS = 1000000, TAIL = 64 };

struct stream {
	int fd;
	bool began, whole;
	double asked, last;
	char tail[TAIL + 1]; /* the last bytes, for an END that is cut in two */
};

static struct stream streams[MAX_STREAMS];
static unsigned gaps[GAP_BUCKETS], firsts[GAP_BUCKETS]; /* in hundredths of a millisecond */
static char request[1 << 20];
static size_t request_len;
static const char *end_mark;
static int poll_fd, n_open, n_whole, n_failed;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void count(unsigned *buckets, double seconds)
{
	long at = (long)(seconds * 100000);

	buckets[at < 0 ? 0 : at >= GAP_BUCKETS ? GAP_BUCKETS - 1 : at]++;
}

static double percentile(const unsigned *buckets, double share)
{
	double total = 0, sum = 0;
	int i;

	for (i = 0; i < GAP_BUCKETS; i++)
		total += buckets[i];
	for (i = 0; i < GAP_BUCKETS; i++)
		if ((sum += buckets[i]) >= total * share && sum > 0)
			return i / 100.0;
	return 0;
}

static void build_request(const char *host, const char *path, char **headers, int n)
{
	static char body[1 << 19];
	size_t len = fread(body, 1, sizeof(body) - 1, stdin);
	int at = sprintf(request,
		    "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: "
		    "%zu\r\nConnection: close\r\n",
		    path, host, len),
	    i;

	for (i = 0; i < n; i++)
		at += sprintf(request + at, "%s\r\n", headers[i]);
	at += sprintf(request + at, "\r\n");
	memcpy(request + at, body, len);
	request_len = (size_t)at + len;
}

static void open_stream(struct stream *stream, const struct sockaddr_in *address)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
	int on = 1;

	stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	stream->asked = now();
	setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (stream->fd < 0 || connect(stream->fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
		send(stream->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len) {
		n_failed++;
		if (stream->fd >= 0)
			close(stream->fd);
		return;
	}
	n_open++;
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, stream->fd, &event);
}

static void close_stream(struct stream *stream)
{
	close(stream->fd);
	n_open--;
	if (stream->whole)
		n_whole++;
	else
		n_failed++;
}

static void readable(struct stream *stream)
{
	char buffer[65536 + TAIL];
	size_t kept = strlen(stream->tail);
	ssize_t got;
	double at;

	memcpy(buffer, stream->tail, kept);
	got = recv(stream->fd, buffer + kept, 65535, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		close_stream(stream);
		return;
	}
	buffer[kept + (size_t)got] = '\0';
	at = now();
	if (strstr(buffer, "data: ") != NULL) {
		count(stream->began ? gaps : firsts, at - (stream->began ? stream->last : stream->asked));
		stream->began = true;
		stream->last = at;
	}
	if (strstr(buffer, end_mark) != NULL)
		stream->whole = true;
	kept += (size_t)got;
	snprintf(stream->tail, sizeof(stream->tail), "%s", buffer + (kept > 32 ? kept - 32 : 0));
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct rlimit files = {65536, 65536};
	struct epoll_event events[256];
	char host[64];
	int n, per_second, opened = 0, i, ready;
	double started, next;

	if (argc < 6 || sscanf(argv[1], "%63[^:]", host) != 1 || strchr(argv[1], ':') == NULL) {
		fputs("usage: streams ADDRESS:PORT PATH STREAMS PER_SECOND END [HEADER...] < BODY\n", stderr);
		return 2;
	}
	inet_pton(AF_INET, host, &address.sin_addr);
	address.sin_port = htons((uint16_t)atoi(strchr(argv[1], ':') + 1));
	n = atoi(argv[3]) < MAX_STREAMS ? atoi(argv[3]) : MAX_STREAMS;
	per_second = atoi(argv[4]);
	end_mark = argv[5];
	build_request(argv[1], argv[2], argv + 6, argc - 6);
	setrlimit(RLIMIT_NOFILE, &files);
	poll_fd = epoll_create1(0);
	started = next = now();
	while (opened < n || n_open > 0) {
		while (opened < n && now() >= next) {
			open_stream(&streams[opened++], &address);
			next = started + (opened + drand48()) / per_second;
		}
		ready = epoll_wait(poll_fd, events, 256, 1);
		for (i = 0; i < ready; i++)
			readable(events[i].data.ptr);
		if (now() - started > 300)
			break;
	}
	printf("{\"streams\":%d,\"whole\":%d,\"failed\":%d,\"seconds\":%.2f,\"first_p50_ms\":%.2f,\"first_p99_ms\":%."
	       "1f,\"gap_p50_ms\":%.1f,\"gap_p99_ms\":%.1f}\n",
		n, n_whole, n_failed, now() - started, percentile(firsts, 0.5), percentile(firsts, 0.99),
		percentile(gaps, 0.5), percentile(gaps, 0.99));
	return n_whole == n ? 0 : 1;
}
