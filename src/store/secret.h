/* SPDX-License-Identifier: ISC
 * Randomness and hashes, by libsodium. */
#ifndef EXEDRA_SECRET_H
#define EXEDRA_SECRET_H

#include <stddef.h>

#include "base/arena.h"

enum { UUID_TEXT = 37, REQUEST_ID_TEXT = 17 };

/* Once a process, before the first thread; -1 when the library does not work here. */
int secret_open(void);
/* A random (version 4) uuid, with its NUL. */
void secret_uuid(char text[UUID_TEXT]);
const char *secret_new_uuid(struct arena *);
/* 16 hexadecimal digits: enough to tell requests apart in a log. */
void secret_request_id(char text[REQUEST_ID_TEXT]);
void secret_sha256(const char *text, size_t len, unsigned char hash[32]);
/* A random number below `below`. */
unsigned secret_below(unsigned below);

#endif
