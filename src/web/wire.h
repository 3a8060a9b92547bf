/* SPDX-License-Identifier: ISC
 * Bytes in and out of one request: FastCGI records by libfcgi, or stdin and stdout as CGI (its accept serves FastCGI
 * only).  Nothing here knows what a request means. */
#ifndef EXEDRA_WIRE_H
#define EXEDRA_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <fcgiapp.h>

struct wire {
	FCGX_Request fcgi; /* unused in CGI */
	char **params;     /* NAME=value, NULL at the end */
	bool cgi;
	bool gone; /* a write has failed, or the client has left: nobody listens any more */
	bool cut;  /* what left is not the whole answer: its end must not look like one */
};

/* Set up a wire: once a thread.  FCGX_Init() must have been called in the process. */
void wire_open_fcgi(struct wire *);
void wire_open_cgi(struct wire *, char **environment);

/* Read the head of the next request from an accepted connection (`fd` >= 0), or from the one that was kept open
 * (-1).  0, or -1 when there is none: closed, timed out or no FastCGI; the connection is closed then. */
int wire_next(struct wire *, int fd);
/* Whether the connection stays open for another request after wire_end(). */
bool wire_kept(const struct wire *);
/* The connection's descriptor, or -1. */
int wire_fd(const struct wire *);
/* This request is the last of its connection. */
void wire_last(struct wire *);
/* End the request: the last data and the end record leave in one write. */
void wire_end(struct wire *);

/* Break off: the end of the answer is not to look like one.  wire_end() follows. */
void wire_cut(struct wire *);
/* Close a connection that was kept. */
void wire_close(struct wire *);

/* A parameter of the web server, or NULL.  Dies with the request. */
const char *wire_param(const struct wire *, const char *name);
/* Body bytes: how many, 0 at the end, -1 when the connection broke. */
ssize_t wire_read(struct wire *, char *buffer, size_t room);
/* -1 when the client has gone; later writes are dropped. */
int wire_write(struct wire *, const char *bytes, size_t len);
int wire_flush(struct wire *);

/* The descriptor that becomes readable when the client goes, or -1 (CGI: it has to be asked now and then); and whether
 * it has gone, to be asked then.  In FastCGI the body must have been read before. */
int wire_gone_fd(const struct wire *);
bool wire_gone(struct wire *);

#endif
