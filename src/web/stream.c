/* SPDX-License-Identifier: ISC */
#include "web/stream.h"

#include "web/reply.h"

void stream_open(struct stream *stream, struct request *req, const char *type)
{
	stream->req = req;
	stream->out = str_new(req->task.arena);
	stream->begun = false;
	stream->type = type;
}

/* The head and the first event leave in one write.  X-Accel-Buffering: nginx would otherwise keep all until the end. */
static int send(struct stream *stream)
{
	if (!stream->begun) {
		reply_head(stream->req, 200, stream->type, -1, "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
		stream->begun = true;
	}
	if (!stream->req->head)
		wire_write(stream->req->wire, stream->out->at, stream->out->len);
	return wire_flush(stream->req->wire);
}

int stream_event(struct stream *stream, const char *json, size_t len)
{
	str_clear(stream->out);
	str_puts(stream->out, "data: ");
	str_add(stream->out, json, len);
	str_puts(stream->out, "\n\n");
	return send(stream);
}

int stream_comment(struct stream *stream)
{
	str_clear(stream->out);
	str_puts(stream->out, ": keep-alive\n\n");
	return send(stream);
}
