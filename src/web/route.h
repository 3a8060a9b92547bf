/* SPDX-License-Identifier: ISC
 * The service is a table (api/routes.c).  A row says who may, what the handler needs and how a failure is dressed;
 * the dispatcher does what the row says, so no handler can forget it. */
#ifndef EXEDRA_ROUTE_H
#define EXEDRA_ROUTE_H

#include "base/task.h"

struct request;

enum method { GET = 1, POST = 2, PUT = 4, PATCH = 8, DELETE = 16, OPTIONS = 32 };

enum need {
	BODY = 1,         /* a JSON object, at most LIMIT_JSON; req->json is never NULL then */
	LARGE_BODY = 2,   /* the same, at most LIMIT_TEXT */
	STREAM = 4,       /* may answer with an event stream: counts against the places for streams, as uploads do */
	WRITES = 8,       /* a GET that changes something after all; all else but GET writes anyway ... */
	READS = 512,      /* ... but for these: they only ask with a body */
	NEEDS_NO_DB = 16, /* answers without the database: for probes */
	LIST = 32,        /* with a body: it is an array, req->list, not an object */
	MULTI_USER = 256, /* only where the tenant's setting multi_user is on */
	WIDGET = 128,     /* for visitors of a page: only req->reader may read the answer; a body of LIMIT_WIDGET */
	UPLOAD = 64 /* a form with a file, at most LIMIT_UPLOAD: the handler reads it (upload.h), the key is good */
};

/* What a key may be made for: every row is in one of these groups (exedra.key_groups() knows their names). */
enum group {
	GROUP_OPEN = 1,   /* for every key, and for who has none: is it good, whose is it */
	GROUP_ACCOUNT,    /* the caller's own key and password */
	GROUP_ADMIN,      /* what holds for the whole tenant, everybody's chats */
	GROUP_CHAT,       /* asking models, threads, histories */
	GROUP_DOCUMENTS,  /* files and documents */
	GROUP_EMBED,      /* chats in web pages */
	GROUP_EMBEDDINGS, /* vectors for texts */
	GROUP_MODELS,     /* what can be asked */
	GROUP_SEARCH,     /* passages without a chat */
	GROUP_SYSTEM,     /* providers, settings, what is counted */
	GROUP_USERS,      /* accounts, invites, members of workspaces */
	GROUP_WORKSPACES, /* workspaces, and what is in them */
};

/* How a failure looks: the dialect's form, and within AnythingLLM's the route's own. */
enum form {
	FORM_ERROR,         /* {"error":"..."} */
	FORM_TEXT,          /* an unknown id is the bare reason phrase as text/plain; else as FORM_ERROR */
	FORM_MESSAGE,       /* {"message":"..."} */
	FORM_WORKSPACE,     /* {"workspace":null,"message":"..."} */
	FORM_USER,          /* {"user":null,"error":"..."} */
	FORM_SUCCESS,       /* {"success":false,"error":"..."} */
	FORM_DOCUMENTS,     /* the same, with "documents":[] when it is the content that could not be read */
	FORM_OUTCOME,       /* {"success":false,"message":"..."} */
	FORM_ABORT,         /* {"id":...,"type":"abort","textResponse":null,"sources":[],"close":true,"error":"..."} */
	FORM_WIDGET,        /* as FORM_ABORT whatever it is; but an unknown embed as FORM_TEXT */
	FORM_OPENAI,        /* {"error":{"message","type","param","code"},"detail":"..."} */
	FORM_DETAIL,        /* {"detail":"..."}, as Open WebUI; of a wrong field an array, as FastAPI writes it */
	FORM_NATIVE_OPENAI, /* the same, but AnythingLLM's 403 for a bad key, and 401 with no body for an unknown model
			     */
};

struct route {
	enum method method;
	const char *pattern; /* from the root, without /api; {x} binds one segment, {x...} the rest */
	enum role least;     /* 0 = shut */
	enum group group;    /* which keys it is for, if they are not for all; 0 = none of those */
	int needs;           /* enum need, or-ed */
	enum form form;
	int (*handler)(struct request *); /* 0 = answered; -1 = the reason is in the task */
	const char *description;
};

/* api/routes.c; the row without a pattern ends it. */
extern const struct route routes[];

enum { ROUTE_MAX_SEGMENTS = 24, ROUTE_MAX_PARAMS = 4 };

/* A path taken apart: each segment percent-decoded once. */
struct path {
	char *segments[ROUTE_MAX_SEGMENTS];
	int n_segments;
	bool slash_at_end;
	bool api; /* one leading /api has been taken off */
};

struct path_param {
	const char *name; /* of `len` bytes, in the pattern */
	size_t name_len;
	const char *value;
	char *const *rest; /* {x...}: all segments from here on */
	int n_rest;
};

/* Find the row.  `params` takes what {x} bound.  NULL when no row fits; *allowed then holds the methods of the rows
 * whose pattern fits (0: none). */
const struct route *route_find(
	const struct route *table, enum method, const struct path *, struct path_param *params, int *allowed);

const char *route_method_name(enum method);
const char *route_form_name(enum form);
const char *route_group_name(enum group);
/* "BODY STREAM", or "-".  The text belongs to the arena. */
const char *route_needs_text(struct arena *, int needs);

#endif
