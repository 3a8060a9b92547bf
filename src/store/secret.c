/* SPDX-License-Identifier: ISC */
#include "store/secret.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int secret_open(void)
{
	return sodium_init() < 0 ? -1 : 0;
}

static void put_uuid(char text[UUID_TEXT], unsigned char b[16])
{
	b[6] = (b[6] & 0x0f) | 0x40; /* RFC 9562: version 4 ... */
	b[8] = (b[8] & 0x3f) | 0x80; /* ... and its variant */
	snprintf(text, UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void secret_uuid(char text[UUID_TEXT])
{
	unsigned char b[16];

	randombytes_buf(b, sizeof(b));
	put_uuid(text, b);
}

const char *secret_uuid_of(struct arena *arena, const char *text)
{
	unsigned char hash[32];
	char *uuid = arena_get(arena, UUID_TEXT);

	secret_sha256(text, strlen(text), hash);
	put_uuid(uuid, hash);
	return uuid;
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

int secret_sha256_file(int fd, unsigned char hash[32])
{
	crypto_hash_sha256_state state;
	unsigned char piece[65536];
	off_t at = 0;
	ssize_t got;

	crypto_hash_sha256_init(&state);
	while ((got = pread(fd, piece, sizeof(piece), at)) > 0) {
		crypto_hash_sha256_update(&state, piece, (unsigned long long)got);
		at += got;
	}
	crypto_hash_sha256_final(&state, hash);
	return got < 0 ? -1 : 0;
}

_Static_assert(sizeof(struct secret_hash) >= sizeof(crypto_hash_sha256_state), "room for libsodium's state");

void secret_hash_begin(struct secret_hash *hash)
{
	crypto_hash_sha256_init((crypto_hash_sha256_state *)hash);
}

void secret_hash_add(struct secret_hash *hash, const char *bytes, size_t len)
{
	crypto_hash_sha256_update((crypto_hash_sha256_state *)hash, (const unsigned char *)bytes, len);
}

void secret_hash_end(struct secret_hash *hash, unsigned char result[32])
{
	crypto_hash_sha256_final((crypto_hash_sha256_state *)hash, result);
}

void secret_sha256(const char *text, size_t len, unsigned char hash[32])
{
	crypto_hash_sha256(hash, (const unsigned char *)text, len);
}

static struct {
	unsigned char bytes[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
	bool loaded;
} key;

int secret_load_key(const char *path, char *problem, size_t room)
{
	FILE *file = fopen(path, "re");
	char hex[2 * sizeof(key.bytes) + 1];
	size_t len = 0;

	if (file == NULL && errno == ENOENT)
		return 0;
	if (file == NULL) {
		snprintf(problem, room, "%s: %s.", path, strerror(errno));
		return -1;
	}
	key.loaded = fread(hex, 1, sizeof(hex) - 1, file) == sizeof(hex) - 1 &&
		     sodium_hex2bin(key.bytes, sizeof(key.bytes), hex, sizeof(hex) - 1, NULL, &len, NULL) == 0 &&
		     len == sizeof(key.bytes);
	fclose(file);
	sodium_memzero(hex, sizeof(hex));
	if (key.loaded)
		return 0;
	snprintf(problem, room, "%s holds no key: 64 hexadecimal digits.", path);
	return -1;
}

int secret_make_key(const char *path, char *problem, size_t room)
{
	unsigned char fresh[sizeof(key.bytes)];
	char hex[2 * sizeof(fresh) + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written;

	if (fd < 0 && errno == EEXIST)
		return 0;
	randombytes_buf(fresh, sizeof(fresh));
	sodium_bin2hex(hex, sizeof(hex), fresh, sizeof(fresh));
	hex[sizeof(hex) - 1] = '\n';
	/* What is sealed with it is in the database, and safe, before a machine that crashes would write it. */
	written = fd >= 0 && write(fd, hex, sizeof(hex)) == (ssize_t)sizeof(hex) && fsync(fd) == 0;
	sodium_memzero(hex, sizeof(hex));
	sodium_memzero(fresh, sizeof(fresh));
	if (fd >= 0 && close(fd) != 0)
		written = false;
	if (written)
		return 0;
	snprintf(problem, room, "%s: %s.", path, strerror(errno));
	if (fd >= 0)
		unlink(path); /* half a key would be in the way of a whole one */
	return -1;
}

/* nonce, ciphertext and tag, one behind the other. */
enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES };

const char *secret_seal(struct arena *arena, const char *text, const char *belongs_to)
{
	size_t len = strlen(text), sealed_len = NONCE + len + TAG;
	unsigned char *sealed = arena_get(arena, sealed_len);
	char *hex = arena_get(arena, 2 * sealed_len + 1);

	if (!key.loaded)
		return NULL;
	randombytes_buf(sealed, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, (const unsigned char *)text, len,
		(const unsigned char *)belongs_to, strlen(belongs_to), NULL, sealed, key.bytes);
	return sodium_bin2hex(hex, 2 * sealed_len + 1, sealed, sealed_len);
}

const char *secret_unseal(struct arena *arena, const char *hex, const char *belongs_to)
{
	size_t hex_len = strlen(hex), len = 0;
	unsigned char *sealed = arena_get(arena, hex_len / 2 + 1);
	char *text = arena_get(arena, hex_len / 2 + 1);

	if (!key.loaded || sodium_hex2bin(sealed, hex_len / 2, hex, hex_len, NULL, &len, NULL) != 0 ||
		len < NONCE + TAG)
		return NULL;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)text, NULL, NULL, sealed + NONCE, len - NONCE,
		    (const unsigned char *)belongs_to, strlen(belongs_to), sealed, key.bytes) != 0)
		return NULL;
	return text;
}

_Static_assert(PASSWORD_TEXT >= crypto_pwhash_STRBYTES, "room for libsodium's text");

int secret_hash_password(char hash[PASSWORD_TEXT], const char *password)
{
	enum { PASSES = 2, BYTES = 19 << 20 };

	return crypto_pwhash_str_alg(hash, password, strlen(password), PASSES, BYTES, crypto_pwhash_ALG_ARGON2ID13);
}

bool secret_password_fits(const char *stored, const char *password)
{
	/* Of nobody's password, with the costs of secret_hash_password(). */
	static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$9d++OwmZUEFEMwZYRtNTXg$"
				     "QtO4bv3nimFOhDV3LBJchma0wV4XA/HZ9j+5ooRbgB4";
	struct crypt_data data = {0};
	const char *made;

	if (stored != NULL && strncmp(stored, "$2", 2) == 0) {
		made = strlen(password) > 72 ? NULL : crypt_r(password, stored, &data);
		return made != NULL && strlen(made) == strlen(stored) &&
		       sodium_memcmp(made, stored, strlen(stored)) == 0;
	}
	return crypto_pwhash_str_verify(stored == NULL ? nobody : stored, password, strlen(password)) == 0 &&
	       stored != NULL;
}

const char *secret_new_token(struct arena *arena, const char *prefix)
{
	unsigned char bytes[32];
	char text[sodium_base64_ENCODED_LEN(sizeof(bytes), sodium_base64_VARIANT_URLSAFE_NO_PADDING)];

	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2base64(text, sizeof(text), bytes, sizeof(bytes), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return arena_printf(arena, "%s%s", prefix, text);
}

unsigned secret_below(unsigned below)
{
	return randombytes_uniform(below);
}
