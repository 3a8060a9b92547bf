/* SPDX-License-Identifier: ISC */
#include "ctl/work.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/trust.h"
#include "core/extract.h"
#include "core/job.h"
#include "core/retain.h"
#include "core/watch.h"
#include "core/worker_id.h"
#include "llm/slots.h"
#include "store/pool.h"
#include "store/secret.h"

enum { MOST_S = 3600 };

int work(const char *path, const char *conninfo)
{
	char problem[700], id[WORKER_ID_TEXT];
	struct config *config = config_read(path, problem, sizeof(problem));
	int n;

	if (config == NULL) {
		fprintf(stderr, "exedractl: %s\n", problem);
		return 1;
	}
	if (conninfo != NULL) {
		free((char *)config->db_url);
		config->db_url = strdup(conninfo);
		if (config->db_url == NULL) { /* libpq would take that for its default, another database */
			fputs("exedractl: out of memory\n", stderr);
			return 1;
		}
	}
	if (secret_open() < 0 || http_start() < 0) {
		fputs("exedractl: libsodium or libcurl does not work here.\n", stderr);
		return 1;
	}
	if (secret_load_key(config->secret_file, problem, sizeof(problem)) < 0)
		fprintf(stderr, "exedractl: %s\n", problem);
	pool_open(config);
	worker_id_new(id, "cgi"); /* nobody sees it die either */
	worker_id_take(id);
	slots_limit(1);
	extract_limit(1);
	trust_take(config->outbound_ca);
	watch_sweep(config);
	retain_sweep(config);
	n = job_work(config, INT_MAX, MOST_S);
	if (n < 0)
		fputs("exedractl: the database does not say what is to be done; the lines above say why.\n", stderr);
	else
		printf("%d jobs\n", n);
	http_stop();
	pool_close();
	config_free(config);
	return n < 0 ? 1 : 0;
}
