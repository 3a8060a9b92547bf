/* SPDX-License-Identifier: ISC
 * The provider that needs no model: it answers with what stands in the documents, word for word. */
#include <string.h>

#include "base/utf8.h"
#include "llm/provider.h"

enum { MAX_QUOTES = 3, MAX_CHARS = 600 };

/* Does a sentence end with the character at `at`?  Then white space or the end follows. */
static bool sentence_end(const char *at, size_t len, int size, uint32_t code)
{
	if (code == 0x3002 || code == 0xff01 || code == 0xff1f) /* the full stops of Chinese and Japanese */
		return true;
	if (code != '.' && code != '!' && code != '?')
		return false;
	return (size_t)size == len || strchr(" \t\r\n", at[size]) != NULL;
}

/* How many bytes of the text to quote: all of it, or up to the last sentence, else the last word, that ends within
 * MAX_CHARS characters. */
static size_t quote_len(const char *text, size_t len)
{
	size_t at = 0, sentence = 0, word = 0;
	int n;

	for (n = 0; at < len && n < MAX_CHARS; n++) {
		uint32_t code = 0;
		int size = utf8_read(text + at, len - at, &code);

		if (size == 0)
			return at;
		if (code == ' ' || code == '\n')
			word = at;
		if (sentence_end(text + at, len - at, size, code))
			sentence = at + (size_t)size;
		at += (size_t)size;
	}
	if (at == len)
		return len;
	return sentence > 0 ? sentence : word > 0 ? word : at;
}

static int quote(struct llm_call *call, const struct passage *passage, bool first)
{
	struct str *piece = str_new(call->task->arena);

	str_puts(piece, first ? "" : "\n\n");
	str_add(piece, passage->text, quote_len(passage->text, strlen(passage->text)));
	str_printf(piece, "\n(%s)", passage->title);
	return call->on_text(call->arg, piece->at, piece->len, LLM_TEXT);
}

static int complete(struct llm_call *call)
{
	int i, stop = 0;

	call->on_asked(call->arg);
	if (call->has_tools)
		return fail_field(call->task, 400, "tools_unsupported", "tools",
			"No model is configured, and quoting documents calls no tools.");
	for (i = 0; i < call->n_passages && i < MAX_QUOTES && stop == 0; i++)
		stop = quote(call, &call->passages[i], i == 0);
	if (call->n_passages == 0)
		stop = call->on_text(call->arg, call->nothing_found, strlen(call->nothing_found), LLM_TEXT);
	call->stopped = stop != 0;
	call->finish_reason = "stop";
	call->usage = LLM_UNCOUNTED;
	return 0;
}

const struct provider provider_quote = {"quote", complete};
