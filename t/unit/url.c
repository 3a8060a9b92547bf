/* SPDX-License-Identifier: ISC
 * Promised: an address is http or https and taken apart the way libcurl will call it, however oddly it is written; a
 * reference means what RFC 3986 says; and an outbound address is permitted when it is public, or listed. */
#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/outbound.h"
#include "tap.h"

static const struct {
	const char *text, *called, *host, *path;
	int port;
	bool credentials;
} good[] = {
	{"https://example.com", "https://example.com/", "example.com", "/", 443, false},
	{"http://example.com/a/b?c=d#e", "http://example.com/a/b?c=d", "example.com", "/a/b", 80, false},
	{"http://example.com:8080/", "http://example.com:8080/", "example.com", "/", 8080, false},
	{"HTTP://EXAMPLE.com/", "http://EXAMPLE.com/", "EXAMPLE.com", "/", 80, false},
	{"http://u:p@example.com/", "http://example.com/", "example.com", "/", 80, true},
	{"http://u@example.com/", "http://example.com/", "example.com", "/", 80, true},
	{"http://example.com#@other.com/", "http://example.com/", "example.com", "/", 80, false},
	{"http://example.com/a%20b/%C3%A9", "http://example.com/a%20b/%C3%A9", "example.com", "/a b/é", 80, false},
	{"http://example.com/a b/é", "http://example.com/a%20b/%c3%a9", "example.com", "/a b/é", 80, false},
	{"http://example.com/%ff", "http://example.com/%ff", "example.com", "/%ff", 80, false},
	{"http://example.com/%00", "http://example.com/%00", "example.com", "/%00", 80, false},
	{"http://[::1]:80/", "http://[::1]:80/", "[::1]", "/", 80, false},
	{"http://127.1/", "http://127.0.0.1/", "127.0.0.1", "/", 80, false},
	{"http://0x7f000001/", "http://127.0.0.1/", "127.0.0.1", "/", 80, false},
	{"http://%31%32%37.0.0.1/", "http://127.0.0.1/", "127.0.0.1", "/", 80, false},
};

static const char *const bad[] = {"", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd",
	"gopher://example.com/", "javascript:alert(1)", "http://", "http:// /", "http://a b/", "http://a\nb/",
	"http://a\\b/", "http://[::1/", "http://[x]/", "http://a:99999/", "http://a:-1/", "http://a:8x/",
	"http://a%00b/", "\x01http://a/"};

static const struct {
	const char *reference, *called; /* NULL: none of ours */
} followed[] = {
	{"/x", "http://example.com:8080/x"},
	{"x", "http://example.com:8080/a/x"},
	{"../x", "http://example.com:8080/x"},
	{"?q=1", "http://example.com:8080/a/b?q=1"},
	{"//other.com/x", "http://other.com/x"},
	{"https://other.com", "https://other.com/"},
	{"file:///etc/passwd", NULL},
	{"ftp://example.com/", NULL},
	{"http://a b/", NULL},
};

static const struct {
	const char *a, *b;
	bool same;
} origins[] = {
	{"http://a.com/x", "http://a.com/y", true},
	{"http://a.com/", "http://A.com:80/", true},
	{"http://a.com/", "https://a.com/", false},
	{"http://a.com/", "http://a.com:81/", false},
	{"http://a.com/", "http://b.com/", false},
};

static const struct {
	const char *address, *allowed;
	bool permitted;
} outbound[] = {
	{"93.184.216.34", "", true},
	{"127.0.0.1", "", false},
	{"127.0.0.1", "127.0.0.0/8", true},
	{"127.0.0.1", "10.0.0.0/8 127.0.0.1", true},
	{"127.0.0.2", "127.0.0.1", false},
	{"10.1.2.3", "", false},
	{"169.254.169.254", "", false},
	{"168.63.129.16", "", false},
	{"2606:2800:220:1:248:1893:25c8:1946", "", true},
	{"::1", "", false},
	{"::ffff:127.0.0.1", "", false},
	{"::ffff:127.0.0.1", "127.0.0.1", true},
	{"64:ff9b::7f00:1", "", false},
	{"2002:7f00:1::", "", false},
	{"fd00::1", "", false},
	{"fd00::1", "fd00::/8", true},
};

static bool permitted(const char *text, const char *allowed)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return outbound_permitted((const struct sockaddr *)&four, allowed);
	return inet_pton(AF_INET6, text, &six.sin6_addr) == 1 &&
	       outbound_permitted((const struct sockaddr *)&six, allowed);
}

static void check_good(struct arena *arena)
{
	struct url url;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!ok(url_read(arena, good[i].text, &url) == 0, "%s", good[i].text))
			continue;
		is_text(url.text, good[i].called, "what is called");
		is_text(url.host, good[i].host, "its host");
		is_text(url.path, good[i].path, "its path");
		is_int(url.port, good[i].port, "its port");
		ok(url.credentials == good[i].credentials, "whether it has credentials");
	}
}

int main(void)
{
	struct arena *arena = arena_new();
	struct url base, a, b;
	size_t i;

	check_good(arena);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(url_read(arena, bad[i], &a) < 0, "none: row %zu", i);
	url_read(arena, "http://example.com:8080/a/b?c", &base);
	for (i = 0; i < sizeof(followed) / sizeof(followed[0]); i++) {
		int result = url_follow(arena, &base, followed[i].reference, &a);

		ok((result == 0) == (followed[i].called != NULL), "followed: %s", followed[i].reference);
		if (result == 0 && followed[i].called != NULL)
			is_text(a.text, followed[i].called, "to where it leads");
	}
	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
		ok(url_read(arena, origins[i].a, &a) == 0 && url_read(arena, origins[i].b, &b) == 0 &&
				url_same_origin(&a, &b) == origins[i].same,
			"%s and %s", origins[i].a, origins[i].b);
	for (i = 0; i < sizeof(outbound) / sizeof(outbound[0]); i++)
		ok(permitted(outbound[i].address, outbound[i].allowed) == outbound[i].permitted,
			"%s where %s is listed", outbound[i].address,
			*outbound[i].allowed == '\0' ? "nothing" : outbound[i].allowed);
	arena_free(arena);
	return done_testing();
}
