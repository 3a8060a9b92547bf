/* SPDX-License-Identifier: ISC
 * Settings: a flat file of `name = value` lines, then the environment (EXEDRA_SET_DB_URL sets db.url).  One table
 * names them all; exedra.conf(5) is checked against it. */
#ifndef EXEDRA_CONFIG_H
#define EXEDRA_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

/* How vectors are to come: as numbers in JSON, or their bytes in base64. */
enum embed_encoding { EMBED_FLOAT, EMBED_BASE64 };

struct config {
	const char *file; /* which was read; NULL: there was none */

	const char *listen;
	int socket_mode;
	int processes;
	int threads;
	int drain_s;
	int body_timeout_s;
	int keepalive_s;

	const char *db_url;
	int db_pool;
	bool db_prepare;
	int db_timeout_s;

	bool metrics_loopback;
	int log_level; /* enum log_level */

	const char *llm_provider; /* a preset's name, or what the provider is to be called */
	const char *llm_url;      /* NULL: the preset's; without one no model: the quote provider answers */
	const char *llm_key;
	const char *llm_model;
	int llm_context_tokens;
	int llm_connect_timeout_s;
	int llm_first_timeout_s;
	int llm_idle_timeout_s;
	int llm_total_timeout_s;

	const char *embed_provider; /* a preset's name, or what the embedder's provider is to be called */
	const char *embed_url;      /* NULL: the preset's; without one no embedder: searches go by words alone */
	const char *embed_key;
	const char *embed_model;
	int embed_dimensions; /* asked for; 0: the model's own */
	int embed_batch;
	int embed_encoding; /* enum embed_encoding */
	int embed_limit;    /* bytes of a text */
	int embed_timeout_s;

	const char *transcribe_provider; /* a preset's name, or what the service is to be called */
	const char *transcribe_url;      /* NULL: the preset's; without one no recording is transcribed */
	const char *transcribe_key;
	const char *transcribe_model;
	int transcribe_limit_mib;
	int transcribe_timeout_s;

	const char *rerank_provider; /* as above */
	const char *rerank_url;      /* NULL: the preset's; without one the order stays as it was found */
	const char *rerank_key;
	const char *rerank_model;
	int rerank_list; /* passages that are ranked */
	int rerank_timeout_s;

	const char *outbound_allow; /* networks that are not public and yet permitted to users' addresses */
	const char *outbound_ca;    /* PEM file; NULL: the system's */
	const char *outbound_ports; /* those that users' addresses may have, separated by spaces */
	int link_timeout_s;
	int link_parallel;
	const char *secret_file; /* the key that seals tenants' credentials */

	const char *extract_program;
	int extract_timeout_s;
	int extract_memory_mib;
	int extract_parallel;

	int chunk_chars;
	int chunk_overlap;

	/* Days that things are kept; 0: for ever. */
	int retain_chats;
	int retain_visitors;
	int retain_usage;
	int retain_events;

	bool widget_open;         /* embeds without a list of origins are for all */
	int widget_guesses;       /* of conversations, by an address in an embed in a minute; 0 = any number */
	const char *cors_origins; /* "*" or a list separated by spaces */
};

/* Read the file (NULL: the usual one, if there is one) and the environment.  Returns a config that lives until
 * config_free(), or NULL with a sentence in `problem` that names the line or variable. */
struct config *config_read(const char *path, char *problem, size_t room);
void config_free(struct config *);

/* Walk over all settings, for the manual's check: name, kind, default, one line of description.  NULL ends. */
struct setting_text {
	const char *name, *kind, *preset, *description;
};
const struct setting_text *config_list(void);

#endif
