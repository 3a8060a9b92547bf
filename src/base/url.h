/* SPDX-License-Identifier: ISC
 * Addresses from strangers, taken apart by the library that will call them, so that both understand the same. */
#ifndef EXEDRA_URL_H
#define EXEDRA_URL_H

#include <stdbool.h>

#include "base/arena.h"

/* http or https; everything belongs to the arena. */
struct url {
	const char *text; /* as it is to be called: without credentials, without a fragment */
	const char *scheme, *host;
	const char *ascii_host; /* as browsers and resolvers know it; `host` when it has no such form */
	const char *path;       /* percent-decoded, valid UTF-8 without NUL; "/" at least */
	int port;               /* the scheme's when none is named */
	bool credentials;       /* a user or a password stood in it */
};

/* Take an absolute address apart.  -1 when it is none. */
int url_read(struct arena *, const char *text, struct url *);
/* What a reference on the page at `base` means, or what a redirect from there says.  -1 when it is none of ours. */
int url_follow(struct arena *, const struct url *base, const char *reference, struct url *);
/* Do two lie on the same server: scheme, host and port? */
bool url_same_origin(const struct url *, const struct url *);

#endif
