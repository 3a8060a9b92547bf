/* SPDX-License-Identifier: ISC */
#include "base/metrics.h"

#include <config.h> /* the build's, not the one beside this file */

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/utf8.h"

/* ---- the table ---- */

struct row {
	const char *name;
	enum { COUNTER, GAUGE, HISTOGRAM } type;
	enum metrics_label first, second;
	const char *help;
};

/* clang-format off */
static const struct row table[N_METRICS] = {
	[METRIC_BUILD] = {"exedra_build_info", GAUGE, LABEL_VERSION, NO_LABEL,
		"The version of the program; always 1."},
	[METRIC_START_TIME] = {"process_start_time_seconds", GAUGE, NO_LABEL, NO_LABEL,
		"When the master was started, in seconds since 1970; counters begin there."},
	[METRIC_WORKERS] = {"exedra_workers", GAUGE, LABEL_STATE, NO_LABEL,
		"Worker processes."},
	[METRIC_WORKER_RESTARTS] = {"exedra_worker_restarts_total", COUNTER, NO_LABEL, NO_LABEL,
		"Workers that ended unasked, and were replaced."},
	[METRIC_THREADS_BUSY] = {"exedra_threads_busy", GAUGE, NO_LABEL, NO_LABEL,
		"Threads that serve a request, or a connection that is kept."},
	[METRIC_THREADS_MOST] = {"exedra_threads_most", GAUGE, NO_LABEL, NO_LABEL,
		"How many threads may serve at the same time."},
	[METRIC_REQUESTS] = {"exedra_requests_total", COUNTER, LABEL_ROUTE, LABEL_STATUS,
		"Requests that were answered."},
	[METRIC_REQUEST_TIME] = {"exedra_request_duration_seconds", HISTOGRAM, LABEL_ROUTE, NO_LABEL,
		"Time from the head of a request to the end of its answer."},
	[METRIC_STREAMS] = {"exedra_streams_open", GAUGE, NO_LABEL, NO_LABEL,
		"Requests that hold one of the places for streams and uploads."},
	[METRIC_STREAMS_MOST] = {"exedra_streams_most", GAUGE, NO_LABEL, NO_LABEL,
		"How many places for streams and uploads there are."},
	[METRIC_CHATS_OPEN] = {"exedra_chats_open", GAUGE, NO_LABEL, NO_LABEL,
		"Chats whose question is on record, and whose outcome is not."},
	[METRIC_CHATS] = {"exedra_chats_total", COUNTER, LABEL_OUTCOME, NO_LABEL,
		"Chats by what became of them."},
	[METRIC_TOKENS] = {"exedra_tokens_total", COUNTER, LABEL_PROVIDER, LABEL_DIRECTION,
		"Tokens charged: counted by the provider, or estimated."},
	[METRIC_ATTEMPTS] = {"exedra_provider_attempts_total", COUNTER, LABEL_PROVIDER, NO_LABEL,
		"Requests to a provider, each try of a call."},
	[METRIC_ATTEMPT_ENDS] = {"exedra_provider_attempt_ends_total", COUNTER, LABEL_PROVIDER, LABEL_END,
		"The same by how they ended."},
	[METRIC_PROVIDER_ERRORS] = {"exedra_provider_errors_total", COUNTER, LABEL_PROVIDER, LABEL_CODE,
		"Calls of a provider that failed in the end, by the code that the caller was told."},
	[METRIC_FIRST_BYTE] = {"exedra_provider_first_byte_seconds", HISTOGRAM, LABEL_PROVIDER, NO_LABEL,
		"Time from a request to the first byte of an answer with status 200."},
	[METRIC_DOCUMENTS] = {"exedra_documents_total", COUNTER, NO_LABEL, NO_LABEL,
		"Documents that were stored, and texts of documents that were replaced."},
	[METRIC_DOCUMENT_FAILURES] = {"exedra_document_failures_total", COUNTER, LABEL_REASON, NO_LABEL,
		"Tries to store a document that failed, by reason."},
	[METRIC_EXTRACTIONS] = {"exedra_extractions_total", COUNTER, LABEL_EXTRACTED, NO_LABEL,
		"Files given to the program that reads them, by what came of it: done, or the code of the failure."},
	[METRIC_EXTRACTION_TIME] = {"exedra_extraction_duration_seconds", HISTOGRAM, NO_LABEL, NO_LABEL,
		"How long that program ran."},
	[METRIC_JOBS] = {"exedra_jobs_total", COUNTER, LABEL_KIND, LABEL_JOB_END,
		"Jobs that ended here: done, to be tried again, or failed for good."},
	[METRIC_JOBS_RUNNING] = {"exedra_jobs_running", GAUGE, LABEL_KIND, NO_LABEL,
		"Jobs under way here."},
	[METRIC_JOBS_WAITING] = {"exedra_jobs_waiting", GAUGE, LABEL_KIND, NO_LABEL,
		"Jobs in the database that wait for a worker, or for their time."},
	[METRIC_DB_OPEN] = {"exedra_db_connections_open", GAUGE, NO_LABEL, NO_LABEL,
		"Connections to the database that are open, or being opened."},
	[METRIC_DB_IN_USE] = {"exedra_db_connections_in_use", GAUGE, NO_LABEL, NO_LABEL,
		"Connections to the database that are at work."},
	[METRIC_DB_MOST] = {"exedra_db_connections_most", GAUGE, NO_LABEL, NO_LABEL,
		"How many connections there may be."},
	[METRIC_DB_WAITING] = {"exedra_db_waiting", GAUGE, NO_LABEL, NO_LABEL,
		"Threads that wait for a connection."},
	[METRIC_DB_WAIT] = {"exedra_db_wait_seconds", HISTOGRAM, NO_LABEL, NO_LABEL,
		"Time that was waited for a connection; who found one free is not counted."},
	[METRIC_DB_TRANSACTIONS] = {"exedra_db_transactions_total", COUNTER, NO_LABEL, NO_LABEL,
		"Round trips to the database, each one transaction."},
	[METRIC_DB_SHARED] = {"exedra_db_transactions_shared_total", COUNTER, NO_LABEL, NO_LABEL,
		"Pieces of work that went along in another's transaction."},
};
/* clang-format on */

enum { MAX_PROVIDERS = 16, PROVIDER_TEXT = 64 };

/* Answers as they are: redirects and the like are none of ours. */
static const int statuses[] = {
	200, 204, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 501, 502, 503, 504};

static const char other[] = "other"; /* what a label does not know */
static const char *const versions[] = {PACKAGE_VERSION};
static const char *const ends[] = {"done", "done_early", "stopped", "client_gone", "unreachable", "connect_timeout",
	"first_timeout", "idle_timeout", "broken", "task_stopped", "forbidden", "refused"};
static const char *const codes[] = {"chat_stopped", "client_gone", "context_length_exceeded", "embed_busy",
	"embed_count", "embed_cut", "embed_dimension", "embed_error", "embed_forbidden", "embed_invalid", "embed_model",
	"embed_refused", "embed_timeout", "embed_unavailable", "embed_unreachable", "embed_vector", "provider_busy",
	"server_ending", "service_busy", "service_cut", "service_error", "service_forbidden", "service_invalid",
	"service_model", "service_refused", "service_timeout", "service_unavailable", "service_unreachable",
	"upstream_busy", "upstream_cut", "upstream_error", "upstream_forbidden", "upstream_invalid", "upstream_model",
	"upstream_refused", "upstream_timeout", "upstream_unavailable", "upstream_unreachable", other};
static const char *const directions[] = {"in", "out"};
static const char *const outcomes[] = {"done", "stopped", "failed", "lost", "abandoned"};
static const char *const states[] = {"serving", "draining"};
static const char *const calls[METRICS_CALLS] = {"chat", "embedding", "service"};
static const char *const extracted[] = {"done", "file_empty", "file_unknown_kind", "file_broken", "file_encrypted",
	"file_too_large", "file_too_slow", "file_too_hungry", "file_no_text", "file_tool_missing", "file_audio", "busy",
	"chat_stopped", "disk", "extract_failed", "extract_missing", "server_ending", other};
static const char *const kinds[] = {"read_file", "embed_version", "embed_check", "merge_words", "retain", other};
static const char *const job_ends[] = {"done", "again", "failed"};

/* Codes of failures are many: documents are told apart by what failed. */
static const struct {
	const char *prefix, *reason;
} classes[] = {
	{"file_unknown_kind", "file"},
	{"file_unknown", "gone"},
	{"file_", "file"},
	{"extract_", "extractor"},
	{"busy", "extractor"},
	{"embed_", "embedder"},
	{"service_", "service"},
	{"provider_busy", "embedder"},
	{"database_", "database"},
	{"conflict", "gone"},
	{"version_gone", "gone"},
	{"document_unknown", "gone"},
	{"disk", "disk"},
	{"memory", "memory"},
	{"server_ending", "ended"},
	{"chat_stopped", "ended"},
};
static const char *const reasons[] = {
	"file", "extractor", "embedder", "service", "database", "disk", "memory", "gone", "ended", other};

#define WORDS(list) list, (int)(sizeof(list) / sizeof((list)[0]))

_Static_assert(sizeof(ends) / sizeof(ends[0]) == METRICS_REFUSED + 1 && METRICS_REFUSED == HTTP_FORBIDDEN + 1,
	"ends are enum http_end, and refused");

/* How many values each label has, and what they are called, where that is known beforehand. */
static struct {
	const char *name;
	const char *const *words;
	int n;
} labels[N_LABELS] = {
	[NO_LABEL] = {NULL, NULL, 1},
	[LABEL_VERSION] = {"version", WORDS(versions)},
	[LABEL_ROUTE] = {NULL, NULL, 0},
	[LABEL_STATUS] = {"status", NULL, sizeof(statuses) / sizeof(statuses[0]) + 1},
	[LABEL_PROVIDER] = {"provider", NULL, (MAX_PROVIDERS + 1) * METRICS_CALLS},
	[LABEL_END] = {"end", WORDS(ends)},
	[LABEL_CODE] = {"code", WORDS(codes)},
	[LABEL_DIRECTION] = {"direction", WORDS(directions)},
	[LABEL_OUTCOME] = {"outcome", WORDS(outcomes)},
	[LABEL_STATE] = {"state", WORDS(states)},
	[LABEL_REASON] = {"reason", WORDS(reasons)},
	[LABEL_EXTRACTED] = {"outcome", WORDS(extracted)},
	[LABEL_KIND] = {"kind", WORDS(kinds)},
	[LABEL_JOB_END] = {"outcome", WORDS(job_ends)},
};

/* Upper bounds of the histograms' buckets; behind them comes the one without a bound, then the sum. */
static const int64_t bounds_us[] = {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
	5000000, 10000000, 30000000, 60000000, 300000000};

enum { N_BOUNDS = sizeof(bounds_us) / sizeof(bounds_us[0]), SUM = N_BOUNDS + 1, HISTOGRAM_WORDS };

/* ---- memory ---- */

/* A name that came up while running. */
struct named {
	uint64_t hash; /* of the name; 0: free */
	bool written;
	char name[PROVIDER_TEXT];
};

/* What the workers have in common. */
struct head {
	int n_slots;    /* that were ever in use */
	int64_t turn_s; /* when somebody looked last, in seconds since the machine was started */
	struct named providers[MAX_PROVIDERS];
};

enum { MASTER_SLOT, N_SLOTS = METRICS_WORKERS + 1 };

static struct head *head;
static uint64_t *slots, *own; /* own == NULL: nothing is counted */
static size_t slot_words, start[N_METRICS];

static size_t words_of(const struct row *row)
{
	return (size_t)labels[row->first].n *
	       (row->type == HISTOGRAM ? (size_t)HISTOGRAM_WORDS : (size_t)labels[row->second].n);
}

/* Where each metric begins in a slot; a slot is whole pages, so that no two processes write to one cache line. */
static void lay_out(size_t page_words)
{
	size_t at = 0;
	int i;

	for (i = 0; i < N_METRICS; i++) {
		start[i] = at;
		at += words_of(&table[i]);
	}
	slot_words = (at + page_words - 1) / page_words * page_words;
}

int metrics_open(int n_routes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), head_bytes = (sizeof(*head) + page - 1) / page * page;
	char *shared;

	labels[LABEL_ROUTE].n = n_routes + 1;
	lay_out(page / sizeof(*slots));
	/* Pages that nobody has touched take no memory. */
	shared = mmap(NULL, head_bytes + N_SLOTS * slot_words * sizeof(*slots), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		return -1;
	head = (struct head *)shared;
	slots = (uint64_t *)(shared + head_bytes);
	head->n_slots = 1;
	own = slots + MASTER_SLOT * slot_words;
	metrics_set(METRIC_BUILD, 0, 1);
	metrics_set(METRIC_START_TIME, 0, (int64_t)time(NULL));
	return 0;
}

/* When it is no longer as it was, *from says what it is. */
static bool change(int *at, int *from, int to)
{
	return __atomic_compare_exchange_n(at, from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

bool metrics_counted(void)
{
	return own != NULL;
}

void metrics_take(int place)
{
	int n = MASTER_SLOT + 1 + place + 1, before = 0;

	assert(place >= 0 && place < METRICS_WORKERS);
	if (own == NULL)
		return;
	while (before < n && !change(&head->n_slots, &before, n))
		;
	own = slots + (size_t)(n - 1) * slot_words;
}

void metrics_bury(int place)
{
	uint64_t *slot = slots + (size_t)(MASTER_SLOT + 1 + place) * slot_words;
	size_t word;
	int i;

	if (own == NULL)
		return;
	/* Its chats have nobody any more: the database calls them stopped or failed, when it hears of it. */
	metrics_add(METRIC_CHATS, metrics_place(LABEL_OUTCOME, "abandoned"), 0,
		(int64_t)__atomic_load_n(&slot[start[METRIC_CHATS_OPEN]], __ATOMIC_RELAXED));
	for (i = 0; i < N_METRICS; i++)
		for (word = 0; table[i].type == GAUGE && word < words_of(&table[i]); word++)
			__atomic_store_n(&slot[start[i] + word], 0, __ATOMIC_RELAXED);
}

/* ---- counting ---- */

static uint64_t *word_at(enum metric metric, int first, int second)
{
	const struct row *row = &table[metric];

	assert(first >= 0 && first < labels[row->first].n && second >= 0 && second < labels[row->second].n);
	return own + start[metric] + (size_t)(first * labels[row->second].n + second);
}

void metrics_add(enum metric metric, int first, int second, int64_t n)
{
	if (own != NULL)
		__atomic_fetch_add(word_at(metric, first, second), (uint64_t)n, __ATOMIC_RELAXED);
}

void metrics_set(enum metric metric, int first, int64_t value)
{
	if (own != NULL)
		__atomic_store_n(word_at(metric, first, 0), (uint64_t)value, __ATOMIC_RELAXED);
}

/* In the master's pages: the last word is everybody's, and outlives who said it. */
void metrics_set_shared(enum metric metric, int first, int64_t value)
{
	if (own != NULL)
		__atomic_store_n(slots + (word_at(metric, first, 0) - own), (uint64_t)value, __ATOMIC_RELAXED);
}

bool metrics_turn(int seconds)
{
	int64_t last, now = clock_ms() / 1000;

	if (own == NULL)
		return false;
	last = __atomic_load_n(&head->turn_s, __ATOMIC_RELAXED);
	return now - last >= seconds &&
	       __atomic_compare_exchange_n(&head->turn_s, &last, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void metrics_observe(enum metric metric, int first, int64_t us)
{
	uint64_t *words;
	int bucket = 0;

	if (own == NULL)
		return;
	assert(table[metric].type == HISTOGRAM && first >= 0 && first < labels[table[metric].first].n);
	words = own + start[metric] + (size_t)(first * HISTOGRAM_WORDS);
	while (bucket < N_BOUNDS && us > bounds_us[bucket])
		bucket++;
	__atomic_fetch_add(&words[bucket], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&words[SUM], (uint64_t)us, __ATOMIC_RELAXED);
}

int metrics_status(int status)
{
	int place = 0;

	while (place < labels[LABEL_STATUS].n - 1 && statuses[place] != status)
		place++;
	return place;
}

/* FNV-1a; never 0. */
static uint64_t hash_of(const char *text, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
	return hash == 0 ? 1 : hash;
}

/* The place is this name's, or free and becomes it. */
static bool claim(struct named *place, uint64_t hash)
{
	uint64_t found = 0;

	return __atomic_compare_exchange_n(&place->hash, &found, hash, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
	       found == hash;
}

/* Whoever comes first with a name takes a place for its hash, and all who find it without the name write that, the same
 * bytes: so one that dies in the middle leaves nothing half done. */
static int provider_place(const char *name)
{
	size_t len = utf8_cut(name, strlen(name), PROVIDER_TEXT - 1), i;
	struct named *places = head->providers;
	int place = 0;

	if (strcmp(name, other) == 0 || !utf8_valid(name, len))
		return MAX_PROVIDERS;
	while (place < MAX_PROVIDERS && !claim(&places[place], hash_of(name, len)))
		place++;
	if (place == MAX_PROVIDERS || __atomic_load_n(&places[place].written, __ATOMIC_RELAXED))
		return place;
	for (i = 0; i < len; i++)
		__atomic_store_n(&places[place].name[i], name[i], __ATOMIC_RELAXED);
	__atomic_store_n(&places[place].written, true, __ATOMIC_RELEASE);
	return place;
}

int metrics_provider(const char *name, enum metrics_call call)
{
	return own == NULL ? 0 : provider_place(name) * METRICS_CALLS + (int)call;
}

static const char *class_of(const char *code)
{
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(code, classes[i].prefix, strlen(classes[i].prefix)) == 0)
			return classes[i].reason;
	return other;
}

int metrics_place(enum metrics_label label, const char *name)
{
	int place = 0;

	if (label == LABEL_REASON)
		name = class_of(name);
	while (place < labels[label].n - 1 && strcmp(labels[label].words[place], name) != 0)
		place++;
	return place;
}

/* ---- telling ---- */

struct telling {
	struct str *out;
	void (*route)(int place, const char **method, const char **pattern);
	int n_slots;
};

static int64_t sum_of(const struct telling *telling, size_t word)
{
	uint64_t sum = 0;
	int slot;

	for (slot = 0; slot < telling->n_slots; slot++)
		sum += __atomic_load_n(&slots[(size_t)slot * slot_words + word], __ATOMIC_RELAXED);
	return (int64_t)sum;
}

/* `quotes`: as a label's value; else as a line of help, where they stand for themselves. */
static void put_escaped(struct str *out, const char *text, bool quotes)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			str_puts(out, "\\n");
		else if (*text == '\\' || (*text == '"' && quotes))
			str_printf(out, "\\%c", *text);
		else
			str_putc(out, *text);
	}
}

/* Behind a metric's name, or another label. */
static void put_label(struct str *out, const char *name, const char *value)
{
	char last = out->at[out->len - 1];

	str_printf(out, "%s%s=\"", last == '"' ? "," : "{", name);
	put_escaped(out, value, true);
	str_putc(out, '"');
}

static const char *provider_name(struct arena *arena, int place)
{
	char *name = arena_get(arena, PROVIDER_TEXT);
	int i;

	if (place == MAX_PROVIDERS || !__atomic_load_n(&head->providers[place].written, __ATOMIC_ACQUIRE))
		return other;
	for (i = 0; i < PROVIDER_TEXT; i++)
		name[i] = __atomic_load_n(&head->providers[place].name[i], __ATOMIC_RELAXED);
	return name;
}

static void put_place(const struct telling *telling, enum metrics_label label, int place)
{
	const char *method, *pattern;

	if (label == LABEL_ROUTE) {
		telling->route(place, &method, &pattern);
		put_label(telling->out, "method", method);
		put_label(telling->out, "route", pattern);
	} else if (label == LABEL_STATUS && place < labels[label].n - 1) {
		put_label(telling->out, "status", arena_printf(telling->out->arena, "%d", statuses[place]));
	} else if (label == LABEL_STATUS) {
		put_label(telling->out, "status", other);
	} else if (label == LABEL_PROVIDER) {
		put_label(telling->out, "provider", provider_name(telling->out->arena, place / METRICS_CALLS));
		put_label(telling->out, "call", calls[place % METRICS_CALLS]);
	} else if (label != NO_LABEL) {
		put_label(telling->out, labels[label].name, labels[label].words[place]);
	}
}

static void put_value(struct str *out, int64_t value)
{
	str_printf(out, "%s %lld\n", out->at[out->len - 1] == '"' ? "}" : "", (long long)value);
}

static void put_seconds(struct str *out, int64_t us)
{
	str_printf(out, "%s %lld.%06lld\n", out->at[out->len - 1] == '"' ? "}" : "", (long long)us / 1000000,
		(long long)us % 1000000);
}

/* Routes and providers there are many; those that have nothing to tell are left out. */
static bool many(const struct row *row)
{
	return row->first == LABEL_ROUTE || row->first == LABEL_PROVIDER;
}

static void put_numbers(const struct telling *telling, const struct row *row, size_t word)
{
	int first, second;

	for (first = 0; first < labels[row->first].n; first++)
		for (second = 0; second < labels[row->second].n; second++) {
			int64_t value = sum_of(telling, word++);

			if (value == 0 && many(row))
				continue;
			str_puts(telling->out, row->name);
			put_place(telling, row->first, first);
			put_place(telling, row->second, second);
			put_value(telling->out, value);
		}
}

static void put_bucket(const struct telling *telling, const struct row *row, int first, int bucket, int64_t value)
{
	const char *bound =
		bucket == N_BOUNDS ? "+Inf" : arena_printf(telling->out->arena, "%g", (double)bounds_us[bucket] / 1e6);

	str_printf(telling->out, "%s_bucket", row->name);
	put_place(telling, row->first, first);
	put_label(telling->out, "le", bound);
	put_value(telling->out, value);
}

static void put_histogram(const struct telling *telling, const struct row *row, int first, size_t word)
{
	int64_t counts[N_BOUNDS + 1], so_far = 0, us = sum_of(telling, word + SUM);
	int i;

	for (i = 0; i <= N_BOUNDS; i++)
		counts[i] = so_far += sum_of(telling, word + (size_t)i);
	if (so_far == 0 && many(row))
		return;
	for (i = 0; i <= N_BOUNDS; i++)
		put_bucket(telling, row, first, i, counts[i]);
	str_printf(telling->out, "%s_sum", row->name);
	put_place(telling, row->first, first);
	put_seconds(telling->out, us);
	str_printf(telling->out, "%s_count", row->name);
	put_place(telling, row->first, first);
	put_value(telling->out, so_far);
}

void metrics_write(struct str *out, void (*route)(int place, const char **method, const char **pattern))
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	struct telling telling = {out, route, own == NULL ? 0 : __atomic_load_n(&head->n_slots, __ATOMIC_RELAXED)};
	int i, first;

	for (i = 0; i < N_METRICS && own != NULL; i++) {
		const struct row *row = &table[i];

		str_printf(out, "# HELP %s ", row->name);
		put_escaped(out, row->help, false);
		str_printf(out, "\n# TYPE %s %s\n", row->name, types[row->type]);
		if (row->type != HISTOGRAM)
			put_numbers(&telling, row, start[i]);
		for (first = 0; row->type == HISTOGRAM && first < labels[row->first].n; first++)
			put_histogram(&telling, row, first, start[i] + (size_t)(first * HISTOGRAM_WORDS));
	}
}
