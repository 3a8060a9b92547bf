/* SPDX-License-Identifier: ISC */
#include "base/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/utf8.h"

static void free_handle(void *handle)
{
	curl_url_cleanup(handle);
}

static CURLU *new_handle(struct arena *arena)
{
	CURLU *handle = curl_url();

	if (handle == NULL)
		arena_exhausted(arena);
	arena_later(arena, free_handle, handle);
	return handle;
}

/* A part as the arena's; NULL when it is not there. */
static const char *part(struct arena *arena, CURLU *handle, CURLUPart what, unsigned flags)
{
	char *text = NULL, *copy;

	if (curl_url_get(handle, what, &text, flags) != CURLUE_OK)
		return NULL;
	arena_later(arena, (void (*)(void *))curl_free, text);
	copy = arena_strdup(arena, text);
	return copy;
}

/* libcurl takes these where a browser would not, or leaves their meaning open. */
static bool odd(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == '\\')
			return true;
	return false;
}

static int take_apart(struct arena *arena, CURLU *handle, struct url *url)
{
	const char *port, *decoded;

	memset(url, 0, sizeof(*url));
	url->credentials =
		part(arena, handle, CURLUPART_USER, 0) != NULL || part(arena, handle, CURLUPART_PASSWORD, 0) != NULL;
	curl_url_set(handle, CURLUPART_USER, NULL, 0);
	curl_url_set(handle, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
	url->text = part(arena, handle, CURLUPART_URL, 0);
	url->scheme = part(arena, handle, CURLUPART_SCHEME, 0);
	url->host = part(arena, handle, CURLUPART_HOST, 0);
	url->ascii_host = part(arena, handle, CURLUPART_HOST, CURLU_PUNYCODE);
	if (url->ascii_host == NULL)
		url->ascii_host = url->host;
	url->path = part(arena, handle, CURLUPART_PATH, 0);
	decoded = part(arena, handle, CURLUPART_PATH, CURLU_URLDECODE);
	port = part(arena, handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	if (url->text == NULL || url->scheme == NULL || url->host == NULL || url->path == NULL || port == NULL)
		return -1;
	if (strcmp(url->scheme, "http") != 0 && strcmp(url->scheme, "https") != 0)
		return -1;
	if (decoded != NULL && utf8_valid(decoded, strlen(decoded)))
		url->path = decoded;
	url->port = atoi(port);
	return 0;
}

int url_read(struct arena *arena, const char *text, struct url *url)
{
	CURLU *handle = new_handle(arena);

	if (odd(text) || curl_url_set(handle, CURLUPART_URL, text, CURLU_URLENCODE) != CURLUE_OK)
		return -1;
	return take_apart(arena, handle, url);
}

int url_follow(struct arena *arena, const struct url *base, const char *reference, struct url *url)
{
	CURLU *handle = new_handle(arena);

	if (odd(reference) || curl_url_set(handle, CURLUPART_URL, base->text, 0) != CURLUE_OK ||
		curl_url_set(handle, CURLUPART_URL, reference, CURLU_URLENCODE) != CURLUE_OK)
		return -1;
	return take_apart(arena, handle, url);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->port == b->port && strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0;
}
