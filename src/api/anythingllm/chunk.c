/* SPDX-License-Identifier: ISC */
#include "api/anythingllm/chunk.h"

int chunk_send(struct stream *stream, struct str *event, const char *uuid, const char *text, size_t len, bool close)
{
	str_clear(event);
	str_printf(event, "{\"uuid\":\"%s\",\"sources\":[],\"type\":\"textResponseChunk\",\"textResponse\":", uuid);
	str_json(event, text, len);
	str_printf(event, ",\"close\":%s,\"error\":false}", close ? "true" : "false");
	return stream_event(stream, event->at, event->len);
}
