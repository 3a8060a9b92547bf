/* SPDX-License-Identifier: ISC
 * Randomness and hashes, by libsodium. */
#ifndef EXEDRA_SECRET_H
#define EXEDRA_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum { UUID_TEXT = 37, REQUEST_ID_TEXT = 17, PASSWORD_TEXT = 128 };

/* Once a process, before the first thread; -1 when the library does not work here. */
int secret_open(void);
/* A random (version 4) uuid, with its NUL. */
void secret_uuid(char text[UUID_TEXT]);
const char *secret_new_uuid(struct arena *);
/* One that looks like it, always the same for the same text. */
const char *secret_uuid_of(struct arena *, const char *text);
/* 16 hexadecimal digits: enough to tell requests apart in a log. */
void secret_request_id(char text[REQUEST_ID_TEXT]);
void secret_sha256(const char *text, size_t len, unsigned char hash[32]);
/* The same of what comes in pieces. */
struct secret_hash {
	unsigned long long state[16]; /* libsodium's */
};
void secret_hash_begin(struct secret_hash *);
void secret_hash_add(struct secret_hash *, const char *bytes, size_t len);
void secret_hash_end(struct secret_hash *, unsigned char hash[32]);
/* Of a file from its beginning, wherever its offset stands; -1 when it cannot be read. */
int secret_sha256_file(int fd, unsigned char hash[32]);
/* The key file: read it once, before the first thread.  -1 with a sentence in `problem`; a file that is not there is no
 * failure, nothing can be sealed or unsealed then. */
int secret_load_key(const char *path, char *problem, size_t room);
/* Make a key file that only its owner can read; leaves one that is there. */
int secret_make_key(const char *path, char *problem, size_t room);
/* Seal a secret; what it belongs to is bound in, and must be the same when it is unsealed.  Hexadecimal; NULL without a
 * key.  The result belongs to the arena. */
const char *secret_seal(struct arena *, const char *text, const char *belongs_to);
const char *secret_unseal(struct arena *, const char *hex, const char *belongs_to);
/* A password as it is stored: argon2id with 19 MiB and 2 passes (OWASP's least); -1 without memory.  Who is asked for
 * it from outside goes by core/password.h. */
int secret_hash_password(char hash[PASSWORD_TEXT], const char *password);
/* Is this the password that was stored so (argon2id, or bcrypt)?  `stored` NULL: takes as long, and is false. */
bool secret_password_fits(const char *stored, const char *password);
/* A fresh secret: `prefix` and 43 base64url characters, 256 bits.  The result belongs to the arena. */
const char *secret_new_token(struct arena *, const char *prefix);
/* A random number below `below`. */
unsigned secret_below(unsigned below);

#endif
