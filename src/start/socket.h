/* SPDX-License-Identifier: ISC
 * The socket that the web server connects to. */
#ifndef EXEDRA_SOCKET_H
#define EXEDRA_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

/* Listen on a path (a Unix socket of that mode; one left behind is replaced) or on a loopback "address:port".  The
 * descriptor does not block.  -1 with a sentence in `problem`. */
int socket_listen(const char *address, int mode, char *problem, size_t room);
/* Would socket_listen() take this address?  0, or -1 with a sentence in `problem`. */
int socket_check(const char *address, char *problem, size_t room);
/* Has somebody put a listening socket there (spawn-fcgi, mod_fcgid, systemd)? */
bool socket_given(int fd);
/* The address a socket listens on, as text for logs and names. */
void socket_name(int fd, char *text, size_t room);
/* Hold a name in the kernel for as long as this process and its children live.  0; -1 when somebody else holds it. */
int socket_hold(const char *name);
/* Make a given descriptor fit: non-blocking.  Returns it, or -1 with errno. */
int socket_adopt(int fd);
/* Remove what socket_listen() made in the file system, unless somebody has put another there since. */
void socket_remove(const char *address);

#endif
