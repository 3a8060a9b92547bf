/* SPDX-License-Identifier: ISC
 * Whom we believe to be who they say, over TLS.  libcurl by itself reads the system's list anew for every connection:
 * with Debian's 144 certificates that takes 25 ms of processor time and 0.9 MB, for as long as the connection lasts.
 * Here a process reads it once, when it first needs it; a reload reads it again. */
#ifndef EXEDRA_TRUST_H
#define EXEDRA_TRUST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* Before any call: believe the certificates in this file (PEM); NULL: those that libcurl would. */
void trust_take(const char *file);
/* Can the file be used?  0, or -1 with the reason in `problem`. */
int trust_check(const char *file, char *problem, size_t room);
/* Have a transfer believe them.  False when it cannot be told to. */
bool trust_set_up(CURL *);
/* Why a transfer failed, in libcurl's words, or in OpenSSL's, which know more of certificates; the same for every
 * transfer. */
const char *trust_cause(CURL *, CURLcode);

#endif
