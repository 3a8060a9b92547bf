/* SPDX-License-Identifier: ISC */
#include "start/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* a full backlog becomes nginx's 502 */

/* What listen_unix() made: by now another pool's may lie at its path. */
static struct stat made;

bool socket_given(int fd)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

void socket_name(int fd, char *text, size_t room)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_storage room;
	} address = {.any.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(address);
	char host[64], port[16];
	struct stat itself;

	if (getsockname(fd, &address.any, &len) == 0) {
		if (address.any.sa_family == AF_UNIX && len > sizeof(sa_family_t) && address.un.sun_path[0] != '\0') {
			snprintf(text, room, "%s", address.un.sun_path);
			return;
		}
		if (address.any.sa_family != AF_UNIX && getnameinfo(&address.any, len, host, sizeof(host), port,
								sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
			snprintf(text, room, "%s:%s", host, port);
			return;
		}
	}
	/* A socket without a name, as mod_fcgid's. */
	snprintf(text, room, "socket-%llu", fstat(fd, &itself) == 0 ? (unsigned long long)itself.st_ino : 0ULL);
}

int socket_hold(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(name);

	/* An abstract name (a NUL first) leaves nothing in the file system; it is gone with the last descriptor. */
	if (len > sizeof(address.sun_path) - 1)
		name += len - (sizeof(address.sun_path) - 1);
	memcpy(address.sun_path + 1, name, strlen(name));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) == 0)
		return 0; /* kept open on purpose */
	if (fd >= 0)
		close(fd);
	return -1;
}

int socket_adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -1 : fd;
}

/* Does somebody answer there?  Then it is not ours to replace. */
static bool served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return answered;
}

static int listen_unix(const char *path, int mode, char *problem, size_t room)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat there;
	mode_t mask;
	int fd, bound;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(problem, room, "The socket's path %s is longer than %zu bytes.", path,
			sizeof(address.sun_path) - 1);
		return -1;
	}
	strcpy(address.sun_path, path);
	if (lstat(path, &there) == 0) {
		if (!S_ISSOCK(there.st_mode)) {
			snprintf(problem, room, "%s is there and is no socket.", path);
			return -1;
		}
		if (served(&address)) {
			snprintf(problem, room, "Another program serves %s already.", path);
			return -1;
		}
		unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask((mode_t)~mode & 0777);
	bound = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound == 0 && lstat(path, &made) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	snprintf(problem, room, "Cannot listen on %s: %s.", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == 127;
	return address->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static bool in_figures(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool is_port(const char *text)
{
	long port = strtol(text, NULL, 10);

	return strspn(text, "0123456789") == strlen(text) && strlen(text) <= 5 && port >= 1 && port <= 65535;
}

/* "address:port", the address in figures and a loopback one.  NULL with a sentence in `problem`. */
static struct addrinfo *parse_tcp(const char *text, char *problem, size_t room)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM},
			*found = NULL;
	const char *colon = strrchr(text, ':');
	char host[64] = "";

	if (colon != NULL && *text == '[' && colon > text && colon[-1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text - 2), text + 1);
	else if (colon != NULL)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	/* getaddrinfo() takes * for an address, and 65536 for a port. */
	if (!in_figures(host) || !is_port(colon + 1) || getaddrinfo(host, colon + 1, &hints, &found) != 0) {
		snprintf(problem, room, "listen: %s is neither a path nor address:port.", text);
		return NULL;
	}
	/* FastCGI has no authentication: whoever connects is the web server. */
	if (loopback(found->ai_addr))
		return found;
	snprintf(problem, room, "listen: %s is no loopback address; FastCGI trusts its peer.", text);
	freeaddrinfo(found);
	return NULL;
}

static int listen_tcp(const char *text, char *problem, size_t room)
{
	struct addrinfo *address = parse_tcp(text, problem, room);
	int fd, on = 1;

	if (address == NULL)
		return -1;
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		snprintf(problem, room, "Cannot listen on %s: %s.", text, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(address);
	return fd;
}

int socket_check(const char *address, char *problem, size_t room)
{
	struct addrinfo *parsed;

	if (address == NULL) {
		snprintf(problem, room, "listen: there is no address.");
		return -1;
	}
	if (*address == '/') {
		if (strlen(address) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return 0;
		snprintf(problem, room, "listen: the path %s is too long for a socket.", address);
		return -1;
	}
	parsed = parse_tcp(address, problem, room);
	if (parsed == NULL)
		return -1;
	freeaddrinfo(parsed);
	return 0;
}

int socket_listen(const char *address, int mode, char *problem, size_t room)
{
	return *address == '/' ? listen_unix(address, mode, problem, room) : listen_tcp(address, problem, room);
}

void socket_remove(const char *address)
{
	struct stat there;

	if (*address == '/' && lstat(address, &there) == 0 && there.st_dev == made.st_dev &&
		there.st_ino == made.st_ino)
		unlink(address);
}
