/* SPDX-License-Identifier: ISC */
#include "web/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Record type of the FastCGI specification, section 8: libfcgi keeps it to itself. */
enum { FCGI_ABORT_REQUEST = 2 };

enum { LOOK_MS = 500 }; /* between two looks whether SIGTERM has come */

/* mod_cgi sends SIGTERM when the client has left, and SIGKILL three seconds later. */
static volatile sig_atomic_t terminated;

static void on_term(int signal)
{
	(void)signal;
	terminated = 1;
}

void wire_open_fcgi(struct wire *wire)
{
	memset(wire, 0, sizeof(*wire));
	/* No listening socket: we accept ourselves, so that the connection has its time-outs before a byte is read. */
	FCGX_InitRequest(&wire->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR);
}

void wire_open_cgi(struct wire *wire, char **environment)
{
	const struct sigaction term = {.sa_handler = on_term};

	memset(wire, 0, sizeof(*wire));
	wire->cgi = true;
	wire->params = environment;
	sigaction(SIGTERM, &term, NULL);
}

int wire_next(struct wire *wire, int fd)
{
	wire->gone = wire->cut = false;
	if (fd >= 0) {
		wire->fcgi.ipcFd = fd;
		/* FCGX_Accept_r() first ends the request before, which would close the connection. */
		wire->fcgi.keepConnection = 1;
	}
	if (FCGX_Accept_r(&wire->fcgi) < 0) {
		wire->fcgi.ipcFd = -1;
		return -1;
	}
	/* libfcgi takes parameters that break off for all of them: half a request is none. */
	if (FCGX_GetError(wire->fcgi.in) != 0) {
		FCGX_Free(&wire->fcgi, 1);
		return -1;
	}
	wire->params = wire->fcgi.envp;
	return 0;
}

bool wire_kept(const struct wire *wire)
{
	return !wire->cgi && wire->fcgi.ipcFd >= 0;
}

int wire_fd(const struct wire *wire)
{
	return wire->cgi ? -1 : wire->fcgi.ipcFd;
}

void wire_last(struct wire *wire)
{
	wire->fcgi.keepConnection = 0;
}

static void end_fcgi(struct wire *wire)
{
	FCGX_Request *fcgi = &wire->fcgi;
	bool unsent, whole = fcgi->in == NULL; /* what is left of a body would be taken for the next request's head */

	/* A write that failed once may be followed by one that does not, such as the end record. */
	if (wire->cut)
		shutdown(fcgi->ipcFd, SHUT_RDWR);
	unsent = FCGX_FClose(fcgi->err) < 0;
	unsent |= FCGX_FClose(fcgi->out) < 0;
	if (unsent || wire->cut || !whole)
		fcgi->keepConnection = 0;
	/* libfcgi waits for the web server to close first, so that what that still sends does not take the answer away
	 * from it.  Who has sent all need not be waited for. */
	FCGX_Free(fcgi, !whole);
	if (whole && !fcgi->keepConnection)
		wire_close(wire);
}

/* mod_cgid speaks through one socket: closed with bytes of a body that nobody has read, it takes the answer with them.
 */
static void end_cgi(void)
{
	char rest[4096];

	if (shutdown(STDIN_FILENO, SHUT_RD) == 0)
		while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
			;
}

void wire_end(struct wire *wire)
{
	if (wire->cgi)
		end_cgi();
	else
		end_fcgi(wire);
	wire->params = NULL;
}

void wire_cut(struct wire *wire)
{
	wire->gone = wire->cut = true;
}

void wire_close(struct wire *wire)
{
	if (!wire_kept(wire))
		return;
	close(wire->fcgi.ipcFd);
	wire->fcgi.ipcFd = -1;
}

const char *wire_param(const struct wire *wire, const char *name)
{
	size_t len = strlen(name);
	char **param;

	for (param = wire->params; *param != NULL; param++)
		if (strncmp(*param, name, len) == 0 && (*param)[len] == '=')
			return *param + len + 1;
	return NULL;
}

/* Where the body ends its stream is given back: 8 kB that a long answer would hold. */
static ssize_t read_fcgi(struct wire *wire, char *buffer, int room)
{
	int got = FCGX_GetStr(buffer, room, wire->fcgi.in);

	if (FCGX_GetError(wire->fcgi.in) != 0)
		return got == 0 ? -1 : got;
	if (FCGX_HasSeenEOF(wire->fcgi.in) != 0)
		FCGX_FreeStream(&wire->fcgi.in);
	return got;
}

ssize_t wire_read(struct wire *wire, char *buffer, size_t room)
{
	ssize_t got;

	if (room > 65536)
		room = 65536;
	if (!wire->cgi)
		return wire->fcgi.in == NULL ? 0 : read_fcgi(wire, buffer, (int)room);
	while ((got = read(STDIN_FILENO, buffer, room)) < 0 && errno == EINTR)
		;
	return got;
}

static int write_all(const char *bytes, size_t len)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	/* A piece that fits does not block: SIGTERM is heard also while nobody reads. */
	while (len > 0 && !terminated) {
		ssize_t wrote;

		if (poll(&out, 1, LOOK_MS) <= 0)
			continue;
		wrote = write(STDOUT_FILENO, bytes, len < PIPE_BUF ? len : PIPE_BUF);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		bytes += wrote;
		len -= (size_t)wrote;
	}
	return len == 0 ? 0 : -1;
}

int wire_write(struct wire *wire, const char *bytes, size_t len)
{
	if (wire->gone)
		return -1;
	if (wire->cgi && write_all(bytes, len) < 0)
		wire_cut(wire);
	while (!wire->cgi && len > 0 && !wire->gone) {
		int piece = len > 1 << 20 ? 1 << 20 : (int)len;

		if (FCGX_PutStr(bytes, piece, wire->fcgi.out) < piece)
			wire_cut(wire);
		bytes += piece;
		len -= (size_t)piece;
	}
	return wire->gone ? -1 : 0;
}

int wire_flush(struct wire *wire)
{
	if (!wire->cgi && !wire->gone && FCGX_FFlush(wire->fcgi.out) < 0)
		wire_cut(wire);
	return wire->gone ? -1 : 0;
}

int wire_gone_fd(const struct wire *wire)
{
	return wire_fd(wire); /* a web server that leaves closes it */
}

/* Nothing but an abort record may come behind the body; the web server that leaves closes the connection. */
static bool fcgi_gone(const struct wire *wire)
{
	unsigned char record[2];
	ssize_t got = recv(wire->fcgi.ipcFd, record, sizeof(record), MSG_PEEK | MSG_DONTWAIT);

	if (got < 0)
		return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
	return got == 0 || (got == 2 && record[1] == FCGI_ABORT_REQUEST);
}

bool wire_gone(struct wire *wire)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	if (wire->gone)
		return true;
	if (wire->cgi)
		wire->gone = terminated || (poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0);
	else
		wire->gone = fcgi_gone(wire);
	return wire->gone;
}
