/* SPDX-License-Identifier: ISC */
#include "store/secret.h"

#include <sodium.h>
#include <stdio.h>

int secret_open(void)
{
	return sodium_init() < 0 ? -1 : 0;
}

void secret_uuid(char text[UUID_TEXT])
{
	unsigned char b[16];

	randombytes_buf(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40; /* RFC 9562: version 4 ... */
	b[8] = (b[8] & 0x3f) | 0x80; /* ... and its variant */
	snprintf(text, UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
		b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

const char *secret_new_uuid(struct arena *arena)
{
	char *text = arena_get(arena, UUID_TEXT);

	secret_uuid(text);
	return text;
}

void secret_request_id(char text[REQUEST_ID_TEXT])
{
	unsigned char bytes[8];

	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2hex(text, REQUEST_ID_TEXT, bytes, sizeof(bytes));
}

void secret_sha256(const char *text, size_t len, unsigned char hash[32])
{
	crypto_hash_sha256(hash, (const unsigned char *)text, len);
}

unsigned secret_below(unsigned below)
{
	return randombytes_uniform(below);
}
