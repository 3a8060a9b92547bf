/* SPDX-License-Identifier: ISC
 * The guard of outbound calls to addresses that a user, a document or a model supplies. */
#ifndef EXEDRA_OUTBOUND_H
#define EXEDRA_OUTBOUND_H

#include <stdbool.h>
#include <sys/socket.h>

/* May a socket be opened to this address?  Yes when it is global unicast and not this machine's own, or listed:
 * `allowed` holds addresses and networks (10.1.0.0/16 fd00::/8 127.0.0.1) separated by spaces. */
bool outbound_permitted(const struct sockaddr *, const char *allowed);
/* Is every word of such a list an address or a network? */
bool outbound_list_valid(const char *allowed);
/* Is it numbers of ports with nothing but spaces between them? */
bool outbound_ports_valid(const char *ports);

#endif
