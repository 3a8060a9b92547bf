/* SPDX-License-Identifier: ISC
 * exedra: options, and which of its lives it leads: master of a pool, one CGI request, or a word about itself. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fcgiapp.h>
#include <malloc.h>

#include "base/config.h"
#include "base/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/tally.h"
#include "base/trust.h"
#include "config.h"
#include "core/embed.h"
#include "core/extract.h"
#include "core/job.h"
#include "core/retain.h"
#include "core/watch.h"
#include "core/worker_id.h"
#include "llm/provider.h"
#include "llm/slots.h"
#include "start/master.h"
#include "start/setup.h"
#include "start/socket.h"
#include "store/pool.h"
#include "store/secret.h"
#include "store/used.h"
#include "web/dispatch.h"
#include "web/param.h"
#include "web/route.h"
#include "web/wire.h"

extern char **environ;

/* What a CGI process does beyond its request. */
enum { SLICE_JOBS = 4, SLICE_S = 5, SWEEP_ONE_IN = 20 };

static void usage(FILE *to)
{
	fputs("usage: exedra [-c FILE] [-v] [--listen ADDRESS]   serve FastCGI; ADDRESS is a path or a loopback "
	      "address:port\n"
	      "       exedra -t [-c FILE]                        check the configuration\n"
	      "       exedra --routes | --settings               print the table of routes, of settings\n"
	      "       exedra --version | --help\n",
		to);
}

static int print_routes(void)
{
	struct arena *arena = arena_new();
	const struct route *row;

	if (arena == NULL)
		return 1;
	for (row = routes; row->pattern != NULL; row++)
		printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", route_method_name(row->method), row->pattern,
			role_name(row->least), route_needs_text(arena, row->needs), route_form_name(row->form),
			row->description, route_group_name(row->group));
	arena_free(arena);
	return 0;
}

static int print_settings(void)
{
	const struct setting_text *s;

	for (s = config_list(); s->name != NULL; s++)
		printf("%s\t%s\t%s\t%s\n", s->name, s->kind, s->preset == NULL ? "" : s->preset, s->description);
	return 0;
}

/* Nobody else works in the background where there is no pool: a little of it at the end of each request, which has its
 * answer. */
static void work_a_little(const struct config *config)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing < 0 || dup2(nothing, STDOUT_FILENO) < 0)
		return;
	extract_limit(1);
	job_work(config, SLICE_JOBS, SLICE_S);
	if (secret_below(SWEEP_ONE_IN) == 0) {
		watch_sweep(config);
		retain_sweep(config);
		embed_note(config);
	}
}

/* A CGI process answers one request and is gone; the web server ends it when the client leaves. */
static int run_cgi(const struct config *config)
{
	struct arena *arena = arena_new();
	struct wire wire;
	char id[WORKER_ID_TEXT];

	if (arena == NULL)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	pool_open(config);
	worker_id_new(id, "cgi");
	worker_id_take(id);
	dispatch_limit_streams(1);
	slots_limit(1);
	watch_alone();
	trust_take(config->outbound_ca);
	wire_open_cgi(&wire, environ);
	dispatch(&wire, config, arena);
	used_flush();
	work_a_little(config);
	arena_free(arena);
	http_stop();
	pool_close();
	return 0;
}

/* The server's own provider has its name before tenants' take the rest. */
static void open_metrics(const struct config *config)
{
	int n = 0;

	while (routes[n].pattern != NULL)
		n++;
	if (metrics_open(n) < 0)
		log_event(LOG_WARNING, NULL, "metrics", "problem=\"out of memory: nothing is counted\"");
	metrics_provider(provider_of_server(config).name, METRICS_CHAT);
}

static int run_pool(struct config *config, const char *path, bool verbose)
{
	char problem[300], *own = NULL;
	int fd, status;

	master_hold_signals();
	if (socket_given(STDIN_FILENO)) {
		fd = socket_adopt(STDIN_FILENO);
		if (fd < 0)
			snprintf(problem, sizeof(problem), "The socket that was given: %s.", strerror(errno));
	} else {
		fd = socket_check(config->listen, problem, sizeof(problem)) < 0
			     ? -1
			     : socket_listen(config->listen, config->socket_mode, problem, sizeof(problem));
		own = strdup(config->listen); /* the master may read a new configuration */
	}
	if (fd < 0) {
		log_event(LOG_ERROR, NULL, "listen", "problem=\"%s\"", problem);
		free(own);
		config_free(config);
		return 1;
	}
	open_metrics(config);
	if (tally_open() < 0)
		log_event(LOG_WARNING, NULL, "metrics", "problem=\"out of memory: guesses are not counted\"");
	FCGX_Init();
	signal(SIGPIPE, SIG_IGN);
	/* Few arenas: a thousand threads would otherwise each keep memory of their own. */
	mallopt(M_ARENA_MAX, 2);
	/* Large pieces go back to the system at once; by default the threshold grows to 32 MiB with the first one
	 * freed. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	status = master_run(config, path, fd, own, verbose);
	free(own);
	return status;
}

static int check_config(struct config *config)
{
	char problem[300];
	int good = setup_check(config, problem, sizeof(problem)) == 0 &&
		   socket_check(config->listen, problem, sizeof(problem)) == 0;

	if (good && config->file != NULL)
		printf("The configuration is good: %s.\n", config->file);
	else if (good)
		puts("The configuration is good: defaults and the environment; there is no " DEFAULT_CONFIG ".");
	else
		fprintf(stderr, "exedra: %s\n", problem);
	config_free(config);
	return good ? 0 : 1;
}

/* Two descriptors a stream: the soft limit of 1024 is a default for programs that use select(). */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static bool is_cgi(void)
{
	return getenv("REQUEST_METHOD") != NULL && getenv("GATEWAY_INTERFACE") != NULL && !socket_given(STDIN_FILENO);
}

/* A web server hands a query without `=` over as words of the command line too (RFC 3875 section 4.4).  What a client
 * writes is no option: `?-c+/dev/stdin` would have it read its settings from the body, as php-cgi once did
 * (CVE-2012-1823). */
static bool is_option_in_query(void)
{
	const char *at = getenv("QUERY_STRING");
	bool begins = true;

	if (at == NULL || strchr(at, '=') != NULL)
		return false;
	for (; *at != '\0'; at++) {
		int low = *at == '%' && param_hex(at[1]) >= 0 ? param_hex(at[2]) : -1;
		int c = low < 0 ? (unsigned char)*at : param_hex(at[1]) << 4 | low;

		at += low < 0 ? 0 : 2;
		if (begins && c == '-')
			return true;
		begins = c == '+' || c <= ' ';
	}
	return false;
}

static int refuse_query(void)
{
	static const char answer[] = "Status: 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"
				     "{\"error\":\"The query looks like a command's options.\","
				     "\"detail\":\"The query looks like a command's options.\"}";
	struct wire wire;

	wire_open_cgi(&wire, environ);
	wire_write(&wire, answer, sizeof(answer) - 1);
	wire_end(&wire);
	return 0;
}

/* glibc keeps what a thread frees for that thread, seven pieces of each size up to 1032 bytes: 14 kB of every stream,
 * seen with a thousand.  It can be told only by the environment, and only before it begins: so this program begins
 * again. */
static void limit_thread_caches(char **argv)
{
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	static const char name[] = "GLIBC_TUNABLES";

	/* Of a program with capabilities of its own the environment is cleared of it: it would begin for ever. */
	if (getauxval(AT_SECURE) == 0 && getenv(name) == NULL && setenv(name, "glibc.malloc.tcache_max=136", 1) == 0)
		execv("/proc/self/exe", argv);
#else
	(void)argv;
#endif
}

/* Where one of the first three is closed, what is opened next would take its place: the log would go to the database.
 */
static void fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
		{"routes", no_argument, NULL, 'r'}, {"settings", no_argument, NULL, 's'},
		{"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *path = NULL; /* the usual one, if it is there: each reload looks again */
	struct config *config;
	char problem[700];
	bool check = false, verbose = false, cgi;
	int option, status;

	fill_standard();
	cgi = is_cgi();
	if (cgi && is_option_in_query())
		return refuse_query();
	while ((option = getopt_long(argc, argv, "c:tvh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'l':
			setenv("EXEDRA_SET_LISTEN", optarg, 1);
			break;
		case 't':
			check = true;
			break;
		case 'v':
			verbose = true;
			break;
		case 'r':
			return print_routes();
		case 's':
			return print_settings();
		case 'V':
			puts("exedra " PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc && !cgi) {
		usage(stderr);
		return 2;
	}
	if (!check && !cgi)
		limit_thread_caches(argv);
	prctl(PR_SET_NAME, "exedra"); /* not `exe`, as which it has begun again */
	config = config_read(path, problem, sizeof(problem));
	if (config == NULL) {
		fprintf(stderr, "exedra: %s\n", problem);
		return 1;
	}
	if (check)
		return check_config(config);
	if (setup_check(config, problem, sizeof(problem)) < 0) {
		fprintf(stderr, "exedra: %s\n", problem);
		return 1;
	}
	log_threshold(verbose ? LOG_DEBUG : (enum log_level)config->log_level);
	if (secret_open() < 0 || http_start() < 0) {
		fputs("exedra: libsodium or libcurl does not work here.\n", stderr);
		return 1;
	}
	if (secret_load_key(config->secret_file, problem, sizeof(problem)) < 0)
		log_event(LOG_WARNING, NULL, "secret", "problem=\"%s\"", problem);
	raise_descriptors();
	if (!cgi)
		return run_pool(config, path, verbose);
	status = run_cgi(config);
	config_free(config);
	return status;
}
