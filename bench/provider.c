/* SPDX-License-Identifier: ISC
 * A model's provider for measuring: OpenAI's chat completions on loopback, one thread, epoll, as little work as
 * possible. The model's name says what it does: paced-CHUNKS-MS streams so many chunks of 24 bytes with that beat;
 * instant answers with one chunk at once.  usage: provider PORT */
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

enum { MAX_FD = 65536, IN_BYTES = 65536, WHEEL_MS = 1024 };

struct peer {
	int fd;
	size_t len;
	char *in;
	int chunks_left, beat_ms;
	int64_t due_ms;
	struct peer *next; /* in its slot of the wheel */
};

static struct peer *peers[MAX_FD];
static struct peer *wheel[WHEEL_MS];
static int64_t wheel_ms;
static int poll_fd;

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char finish[] =
	"data: "
	"{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
	"\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	"data: "
	"{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{"
	"\"prompt_tokens\":9,\"completion_tokens\":7,\"total_tokens\":16}}\n\n"
	"data: [DONE]\n\n";

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drop(struct peer *peer)
{
	peers[peer->fd] = NULL;
	close(peer->fd);
	peer->fd = -1;
	if (peer->chunks_left == 0) { /* else the wheel still holds it */
		free(peer->in);
		free(peer);
	}
}

static void schedule(struct peer *peer)
{
	struct peer **slot = &wheel[peer->due_ms % WHEEL_MS];

	peer->next = *slot;
	*slot = peer;
}

static size_t put_chunk(char *out, const char *data, size_t len)
{
	size_t n = (size_t)sprintf(out, "%zx\r\n", len);

	memcpy(out + n, data, len);
	memcpy(out + n + len, "\r\n", 2);
	return n + len + 2;
}

static void send_all(struct peer *peer, const char *bytes, size_t len)
{
	if (peer->fd >= 0 && send(peer->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		shutdown(peer->fd, SHUT_RDWR);
}

static size_t put_text(char *out, int no)
{
	char event[400];
	size_t len = (size_t)sprintf(event,
		"data: "
		"{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{"
		"\"index\":0,\"delta\":{\"content\":\"chunk %016d  \"},\"finish_reason\":null}]}\n\n",
		no);

	return put_chunk(out, event, len);
}

static size_t put_finish(char *out)
{
	size_t len = put_chunk(out, finish, sizeof(finish) - 1);

	memcpy(out + len, "0\r\n\r\n", 5);
	return len + 5;
}

static void answer(struct peer *peer, const char *body)
{
	const char *model = strstr(body, "\"model\":\"");
	char out[4096];
	size_t len = sizeof(head) - 1;
	int chunks = 0, beat = 0;

	memcpy(out, head, len);
	if (model != NULL && sscanf(model + 9, "paced-%d-%d", &chunks, &beat) == 2 && chunks > 0) {
		send_all(peer, out, len);
		peer->chunks_left = chunks;
		peer->beat_ms = beat;
		peer->due_ms = now_ms() + beat;
		schedule(peer);
		return;
	}
	len += put_text(out + len, 1);
	len += put_finish(out + len);
	send_all(peer, out, len);
}

/* One whole request in the buffer?  Answer it and take it out. */
static bool take_request(struct peer *peer)
{
	char *end, *length;
	size_t body, total;

	peer->in[peer->len] = '\0';
	end = strstr(peer->in, "\r\n\r\n");
	if (end == NULL)
		return false;
	length = strcasestr(peer->in, "content-length:");
	body = length == NULL || length > end ? 0 : strtoul(length + 15, NULL, 10);
	total = (size_t)(end + 4 - peer->in) + body;
	if (peer->len < total)
		return false;
	answer(peer, end + 4);
	memmove(peer->in, peer->in + total, peer->len - total);
	peer->len -= total;
	return true;
}

static void readable(struct peer *peer)
{
	ssize_t got = recv(peer->fd, peer->in + peer->len, IN_BYTES - 1 - peer->len, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(peer);
		return;
	}
	peer->len += (size_t)got;
	while (peer->chunks_left == 0 && take_request(peer))
		;
}

static void beat(struct peer *peer)
{
	char out[2048];
	size_t len = put_text(out, peer->chunks_left);

	if (--peer->chunks_left == 0)
		len += put_finish(out + len);
	send_all(peer, out, len);
	if (peer->fd < 0) {
		free(peer->in);
		free(peer);
	} else if (peer->chunks_left > 0) {
		peer->due_ms += peer->beat_ms;
		schedule(peer);
	}
}

static void turn_wheel(void)
{
	int64_t now = now_ms();

	for (; wheel_ms <= now; wheel_ms++) {
		struct peer *peer = wheel[wheel_ms % WHEEL_MS], *next;

		wheel[wheel_ms % WHEEL_MS] = NULL;
		for (; peer != NULL; peer = next) {
			next = peer->next;
			if (peer->fd < 0) {
				free(peer->in);
				free(peer);
			} else if (peer->due_ms > wheel_ms) {
				schedule(peer);
			} else {
				beat(peer);
			}
		}
	}
}

static void accept_all(int listener)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct peer *peer = fd < MAX_FD ? calloc(1, sizeof(*peer)) : NULL;

		if (peer == NULL || (peer->in = malloc(IN_BYTES)) == NULL) {
			free(peer);
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		peer->fd = event.data.fd = fd;
		peers[fd] = peer;
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event events[256] = {{.events = EPOLLIN}};
	struct rlimit files = {MAX_FD, MAX_FD};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, i, n;

	address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	setrlimit(RLIMIT_NOFILE, &files);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 4096) < 0) {
		perror("provider");
		return 1;
	}
	poll_fd = epoll_create1(0);
	events[0].data.fd = listener;
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &events[0]);
	for (wheel_ms = now_ms();; turn_wheel()) {
		n = epoll_wait(poll_fd, events, 256, 1);
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(listener);
			else if (peers[events[i].data.fd] != NULL)
				readable(peers[events[i].data.fd]);
		}
	}
}
