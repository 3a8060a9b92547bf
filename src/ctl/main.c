/* SPDX-License-Identifier: ISC
 * exedractl: what an administrator does, as thin calls of the SQL functions that psql can call too. */
#include <errno.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "config.h"
#include "ctl/run.h"
#include "ctl/script.h"
#include "ctl/transfer.h"
#include "ctl/work.h"
#include "base/arena.h"
#include "statements.h"
#include "store/db.h"
#include "store/secret.h"

enum { MAX_ARGS = 8, OLDEST_PROGRAM = 1, OLDEST_SERVER = 15 };

/* What the command line said. */
static struct {
	const char *conninfo, *config, *runtime_role, *admin_role, *since, *action, *role, *account, *label, *expires,
		*key, *model, *context, *preferred, *kind, *dimensions, *workspace, *tenant, *read_only, *groups,
		*workspaces, *cidr;
} said;

/* A command: words, the statement it is, where its parameters come from. */
struct command {
	const char *noun, *verb, *operands;
	const struct stmt *stmt;
	int n_operands;
	const char **options[MAX_ARGS]; /* parameters behind the operands */
};

static const struct command commands[] = {
	{"tenant", "create", "NAME", &sql_ctl_tenant_create, 1, {0}},
	{"tenant", "list", "", &sql_ctl_tenant_list, 0, {0}},
	{"tenant", "suspend", "NAME", &sql_ctl_tenant_suspend, 1, {0}},
	{"tenant", "resume", "NAME", &sql_ctl_tenant_resume, 1, {0}},
	{"tenant", "delete", "NAME", &sql_ctl_tenant_delete, 1, {0}},
	{"account", "create", "TENANT USERNAME [--role default|manager|admin]", &sql_ctl_account_create, 2,
		{&said.role}},
	{"account", "list", "TENANT", &sql_ctl_account_list, 1, {0}},
	{"account", "suspend", "TENANT USERNAME", &sql_ctl_account_suspend, 2, {0}},
	{"account", "resume", "TENANT USERNAME", &sql_ctl_account_resume, 2, {0}},
	{"account", "delete", "TENANT USERNAME", &sql_ctl_account_delete, 2, {0}},
	{"account", "grant", "TENANT USERNAME WORKSPACE", &sql_ctl_account_grant, 3, {0}},
	{"key", "create",
		"TENANT [--account USERNAME] [--label TEXT] [--expires SECONDS] [--read-only]\n"
		"               [--groups GROUP,...] [--workspaces SLUG,...] [--cidr NETWORK,...]",
		&sql_ctl_key_create, 1,
		{&said.account, &said.label, &said.expires, &said.read_only, &said.groups, &said.workspaces,
			&said.cidr}},
	{"key", "list", "TENANT", &sql_ctl_key_list, 1, {0}},
	{"key", "suspend", "TENANT ID", &sql_ctl_key_suspend, 2, {0}},
	{"key", "resume", "TENANT ID", &sql_ctl_key_resume, 2, {0}},
	{"key", "delete", "TENANT ID", &sql_ctl_key_delete, 2, {0}},
	{"limit", "set",
		"TENANT requests_minute|chats_day|tokens_day|tokens_month NUMBER\n"
		"               [--account USERNAME | --key ID]",
		&sql_ctl_limit_set, 3, {&said.account, &said.key}},
	{"limit", "unset", "TENANT LIMIT [--account USERNAME | --key ID]", &sql_ctl_limit_unset, 2,
		{&said.account, &said.key}},
	{"limit", "list", "TENANT", &sql_ctl_limit_list, 1, {0}},
	{"session", "list", "TENANT", &sql_ctl_session_list, 1, {0}},
	{"session", "end", "TENANT USERNAME", &sql_ctl_session_end, 2, {0}},
	{"provider", "list", "TENANT", &sql_ctl_provider_list, 1, {0}},
	{"provider", "delete", "TENANT NAME", &sql_ctl_provider_delete, 2, {0}},
	{"setting", "set", "TENANT NAME VALUE", &sql_ctl_setting_set, 3, {0}},
	{"setting", "unset", "TENANT NAME", &sql_ctl_setting_unset, 2, {0}},
	{"setting", "list", "TENANT", &sql_ctl_setting_list, 1, {0}},
	{"embedder", "set", "TENANT PROVIDER [--model MODEL] [--dimensions NUMBER] [--workspace SLUG]",
		&sql_ctl_embedder_set, 2, {&said.model, &said.dimensions, &said.workspace}},
	{"embedder", "unset", "TENANT [--workspace SLUG]", &sql_ctl_embedder_unset, 1, {&said.workspace}},
	{"embedder", "list", "TENANT", &sql_ctl_embedder_list, 1, {0}},
};

/* Those that are no statement alone; what is one word has no verb. */
static const struct command others[] = {
	{"init", "", "[--runtime-role ROLE] [--admin-role ROLE]", NULL, 0, {&said.runtime_role, &said.admin_role}},
	{"upgrade", "", "[--runtime-role ROLE] [--admin-role ROLE]", NULL, 0, {&said.runtime_role, &said.admin_role}},
	{"work", "", "", NULL, 0, {0}},
	{"provider", "set",
		"TENANT NAME URL [--key KEY|-] [--model MODEL] [--context TOKENS] [--preferred] [--kind openai|ollama]",
		NULL, 3, {&said.key, &said.model, &said.context, &said.preferred, &said.kind}},
	{"audit", "", "[--tenant NAME] [--since TIME] [--action NAME]", &sql_ctl_audit, 0,
		{&said.tenant, &said.since, &said.action}},
	{"export", "", "--tenant NAME >FILE", NULL, 0, {&said.tenant}},
	{"import", "", "[--tenant NAME] <FILE", NULL, 0, {&said.tenant}},
};

/* Options, but for those of all commands. */
static const struct {
	const char *name;
	int has_argument;
	const char **value;
} choices[] = {
	{"runtime-role", required_argument, &said.runtime_role},
	{"admin-role", required_argument, &said.admin_role},
	{"since", required_argument, &said.since},
	{"action", required_argument, &said.action},
	{"role", required_argument, &said.role},
	{"account", required_argument, &said.account},
	{"label", required_argument, &said.label},
	{"expires", required_argument, &said.expires},
	{"key", required_argument, &said.key},
	{"model", required_argument, &said.model},
	{"context", required_argument, &said.context},
	{"preferred", no_argument, &said.preferred},
	{"kind", required_argument, &said.kind},
	{"dimensions", required_argument, &said.dimensions},
	{"workspace", required_argument, &said.workspace},
	{"tenant", required_argument, &said.tenant},
	{"read-only", no_argument, &said.read_only},
	{"groups", required_argument, &said.groups},
	{"workspaces", required_argument, &said.workspaces},
	{"cidr", required_argument, &said.cidr},
};

enum {
	N_COMMANDS = sizeof(commands) / sizeof(commands[0]),
	N_OTHERS = sizeof(others) / sizeof(others[0]),
	N_CHOICES = sizeof(choices) / sizeof(choices[0]),
	FIRST_CHOICE = 256
};

static void usage(FILE *to)
{
	int i;

	fputs("usage: exedractl [-c FILE] [-d CONNINFO] COMMAND\n\n"
	      "  init [--runtime-role ROLE] [--admin-role ROLE]\n"
	      "                                  make the schema in the database\n"
	      "  upgrade [--runtime-role ROLE] [--admin-role ROLE]\n"
	      "                                  bring it to this program's version\n"
	      "  work                            do what waits to be done in the background, where no pool runs\n",
		to);
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %s %s %s\n", commands[i].noun, commands[i].verb, commands[i].operands);
	fputs("  provider set TENANT NAME URL [--key KEY|-] [--model MODEL] [--context TOKENS] [--preferred]\n"
	      "               [--kind openai|ollama]\n"
	      "                                  KEY is sealed with the file secret.file; - reads it from standard "
	      "input\n"
	      "  audit [--tenant NAME] [--since TIME] [--action NAME]\n"
	      "                                  who changed what\n"
	      "  export --tenant NAME            write all that a tenant has to standard output\n"
	      "  import [--tenant NAME]          make a tenant of such a file on standard input, here with another "
	      "name\n"
	      "\n  --version, --help\n",
		to);
}

/* A value, with control characters escaped as in JSON: labels, and names from a file that was imported, would make
 * columns and lines of their own, or speak to the terminal. */
static void print_value(const char *value)
{
	const unsigned char *at = (const unsigned char *)value;

	for (; *at != '\0'; at++) {
		if (*at == '\n' || *at == '\t' || *at == '\r')
			printf("\\%c", *at == '\n' ? 'n' : *at == '\t' ? 't' : 'r');
		else if (*at < 0x20 || *at == 0x7F)
			printf("\\u%04x", *at);
		else if (*at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0) /* U+0080 to U+009F, in two bytes */
			printf("\\u%04x", *++at);
		else
			putchar(*at);
	}
}

/* Rows as lines, columns separated by tabs.  A void function's empty column prints nothing. */
static void print_rows(const PGresult *rows)
{
	int row, column;

	for (row = 0; row < PQntuples(rows); row++) {
		if (PQnfields(rows) == 1 && *PQgetvalue(rows, row, 0) == '\0')
			continue;
		for (column = 0; column < PQnfields(rows); column++) {
			if (column > 0)
				putchar('\t');
			print_value(PQgetisnull(rows, row, column) ? "-" : PQgetvalue(rows, row, column));
		}
		putchar('\n');
	}
}

static int run_command(PGconn *pg, const struct command *command, char **operands, int n)
{
	const char *args[8] = {0};
	PGresult *rows;
	int i;

	for (i = 0; i < n; i++)
		args[i] = operands[i];
	for (; i < command->stmt->n_params; i++)
		args[i] = *command->options[i - n];
	rows = run(pg, command->stmt, args);
	if (rows == NULL)
		return 1;
	print_rows(rows);
	PQclear(rows);
	return 0;
}

/* Seal the key here, so that the database never sees it. */
static int seal_key(struct arena *arena, const char *belongs_to, const char **sealed)
{
	char problem[600] = "libsodium does not work here.";
	struct config *config = config_read(said.config, problem, sizeof(problem));
	const char *key = said.key;
	int result = 0;

	*sealed = NULL;
	if (config == NULL ||
		(key != NULL &&
			(secret_open() < 0 || secret_make_key(config->secret_file, problem, sizeof(problem)) < 0 ||
				secret_load_key(config->secret_file, problem, sizeof(problem)) < 0))) {
		fprintf(stderr, "exedractl: %s\n", problem);
		result = -1;
	} else if (key != NULL) {
		*sealed = secret_seal(arena, key, belongs_to);
	}
	config_free(config);
	return result;
}

static int set_provider(PGconn *pg, char **operands)
{
	struct arena *arena = arena_new();
	const char *args[8] = {NULL, operands[1], operands[2], NULL, said.model, said.context,
		said.preferred == NULL ? "false" : "true", said.kind == NULL ? "openai" : said.kind};
	const char *tenant[] = {operands[0]};
	PGresult *rows = NULL, *made = NULL;

	if (arena != NULL && (rows = run(pg, &sql_ctl_tenant_find, tenant)) != NULL) {
		args[0] = PQgetvalue(rows, 0, 0);
		if (seal_key(arena, arena_printf(arena, "%s %s %s", args[0], args[1], args[2]), &args[3]) == 0 &&
			(made = run(pg, &sql_ctl_provider_set, args)) != NULL)
			print_rows(made);
	}
	PQclear(rows);
	PQclear(made);
	if (arena != NULL)
		arena_free(arena);
	return made == NULL ? 1 : 0;
}

static int run_text(PGconn *pg, const struct script *script)
{
	PGresult *rows = PQexec(pg, script->text);
	int result = 0;

	if (PQresultStatus(rows) != PGRES_TUPLES_OK && PQresultStatus(rows) != PGRES_COMMAND_OK &&
		PQresultStatus(rows) != PGRES_EMPTY_QUERY) {
		fprintf(stderr, "exedractl: in %s/%s.sql:\n", script->folder, script->name);
		result = fail_with(pg, rows);
	}
	PQclear(rows);
	return result == 0 ? 0 : -1;
}

/* What a query of one value says; -1 when it fails. */
static int ask_number(PGconn *pg, const struct stmt *stmt)
{
	PGresult *rows = run(pg, stmt, NULL);
	int number = rows == NULL || PQntuples(rows) == 0 ? -1
		     : *PQgetvalue(rows, 0, 0) == 't'     ? 1
							  : atoi(PQgetvalue(rows, 0, 0));

	if (rows != NULL && PQntuples(rows) == 0)
		fputs("exedractl: the table schema_version is empty; the schema is none of Exedra's, or damaged.\n",
			stderr);
	PQclear(rows);
	return number;
}

/* Schema files behind the version that is there, in their order; all functions and policies; the grants. */
static int apply(PGconn *pg, int version)
{
	const struct script *script;
	char number[16], oldest[16];
	const char *args[] = {number, oldest};

	snprintf(oldest, sizeof(oldest), "%d", OLDEST_PROGRAM);
	for (script = scripts; script->folder != NULL; script++) {
		if (strcmp(script->folder, "schema") != 0 || atoi(script->name) <= version)
			continue;
		snprintf(number, sizeof(number), "%d", atoi(script->name));
		if (run_text(pg, script) < 0 || run_simple(pg, &sql_ctl_schema_applied, args) < 0)
			return -1;
	}
	for (script = scripts; script->folder != NULL; script++)
		if (strcmp(script->folder, "function") == 0 && run_text(pg, script) < 0)
			return -1;
	if (said.runtime_role != NULL && run_simple(pg, &sql_ctl_schema_grant, &said.runtime_role) < 0)
		return -1;
	if (said.admin_role != NULL)
		return run_simple(pg, &sql_ctl_schema_grant_admin, &said.admin_role);
	return 0;
}

/* Can the schema live there?  In another encoding all goes well until somebody writes what it has not. */
static int check_place(PGconn *pg)
{
	const char *encoding = PQparameterStatus(pg, "server_encoding");

	if (PQserverVersion(pg) < OLDEST_SERVER * 10000) {
		fprintf(stderr, "exedractl: the server is PostgreSQL %d; it must be %d or newer.\n",
			PQserverVersion(pg) / 10000, OLDEST_SERVER);
		return -1;
	}
	if (encoding == NULL || strcmp(encoding, "UTF8") != 0) {
		fprintf(stderr,
			"exedractl: the database has the encoding %s; it must be UTF8, as by createdb -E UTF8 -T "
			"template0.\n",
			encoding == NULL ? "of an unknown name" : encoding);
		return -1;
	}
	return 0;
}

static int upgrade_within(PGconn *pg, bool init)
{
	int unbound, found, version;

	if ((unbound = ask_number(pg, &sql_ctl_schema_begin)) < 0 ||
		(found = ask_number(pg, &sql_ctl_schema_found)) < 0)
		return -1;
	/* It works, so it is no error: functions that run as their owner are one wall short. */
	if (unbound)
		fputs("exedractl: warning: this role is a superuser or has BYPASSRLS, and row-level security does not "
		      "bind what it owns; better is a plain role that owns the database, as by PGOPTIONS='-c "
		      "role=exedra_owner'.\n",
			stderr);
	if (!found && !init) {
		fputs("exedractl: there is nothing to upgrade; use `exedractl init`.\n", stderr);
		return -1;
	}
	if (!found && (check_place(pg) < 0 || run_simple(pg, &sql_ctl_schema_create, NULL) < 0))
		return -1;
	version = found ? ask_number(pg, &sql_ctl_schema_version) : 0;
	if (version < 0)
		return -1;
	if (version > DB_SCHEMA_VERSION) {
		fprintf(stderr,
			"exedractl: the database has schema version %d, this program is for %d; use the newer "
			"release's exedractl.\n",
			version, DB_SCHEMA_VERSION);
		return -1;
	}
	return apply(pg, version);
}

static int upgrade(PGconn *pg, bool init)
{
	int result;

	PQclear(PQexec(pg, "BEGIN"));
	result = upgrade_within(pg, init);
	PQclear(PQexec(pg, result == 0 ? "COMMIT" : "ROLLBACK"));
	return result == 0 ? 0 : 1;
}

static void drop_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static PGconn *open_database(void)
{
	struct config *config = NULL;
	char problem[700];
	PGconn *pg;

	if (said.conninfo == NULL) {
		config = config_read(said.config, problem, sizeof(problem));
		if (config == NULL) {
			fprintf(stderr, "exedractl: %s\n", problem);
			return NULL;
		}
	}
	pg = PQconnectdb(said.conninfo != NULL ? said.conninfo : config->db_url != NULL ? config->db_url : "");
	config_free(config);
	if (PQstatus(pg) != CONNECTION_OK) {
		fprintf(stderr, "exedractl: %s", PQerrorMessage(pg));
		PQfinish(pg);
		return NULL;
	}
	PQsetNoticeProcessor(pg, drop_notice, NULL);
	return pg;
}

static bool is(const struct command *command, const char *noun, const char *verb)
{
	return strcmp(command->noun, noun) == 0 && strcmp(command->verb, verb) == 0;
}

static const struct command *find_command(char **words, int n)
{
	int i;

	for (i = 0; n > 0 && i < N_OTHERS; i++)
		if (is(&others[i], words[0], "") || (n > 1 && is(&others[i], words[0], words[1])))
			return &others[i];
	for (i = 0; n > 1 && i < N_COMMANDS; i++)
		if (is(&commands[i], words[0], words[1]))
			return &commands[i];
	return NULL;
}

static int words_of(const struct command *command)
{
	return *command->verb == '\0' ? 1 : 2;
}

static bool takes(const struct command *command, const char **value)
{
	int i;

	for (i = 0; i < MAX_ARGS && command->options[i] != NULL; i++)
		if (command->options[i] == value)
			return true;
	return false;
}

/* Put the key that was given into said.key, be it the first line of standard input: a command line is seen by everybody
 * on the machine.  One that is empty was to come from somewhere. */
static bool take_key(void)
{
	static char line[4096];

	if (said.key != NULL && strcmp(said.key, "-") == 0) {
		if (fgets(line, sizeof(line), stdin) == NULL)
			line[0] = '\0';
		line[strcspn(line, "\r\n")] = '\0';
		said.key = line;
	}
	if (said.key == NULL || *said.key != '\0')
		return true;
	fputs("exedractl: the key is empty; a provider that needs none is set without --key.\n", stderr);
	return false;
}

static void say_usage(const struct command *command)
{
	fprintf(stderr, "usage: exedractl %s%s%s%s%s\n", command->noun, *command->verb == '\0' ? "" : " ",
		command->verb, *command->operands == '\0' ? "" : " ", command->operands);
}

/* Is the command line one that can be run?  Else say how it is written.  An option of another command is no slip to
 * pass over: the key that was to see one --workspace would see all. */
static bool usable(const struct command *command, int n)
{
	int i;

	if (command == NULL) {
		usage(stderr);
		return false;
	}
	for (i = 0; i < N_CHOICES; i++)
		if (*choices[i].value != NULL && !takes(command, choices[i].value)) {
			fprintf(stderr, "exedractl: --%s is not for this command.\n", choices[i].name);
			say_usage(command);
			return false;
		}
	if (n - words_of(command) != command->n_operands || (is(command, "export", "") && said.tenant == NULL)) {
		say_usage(command);
		return false;
	}
	return !is(command, "provider", "set") || take_key();
}

static int dispatch(PGconn *pg, const struct command *command, char **operands)
{
	if (is(command, "init", "") || is(command, "upgrade", ""))
		return upgrade(pg, is(command, "init", ""));
	if (is(command, "export", ""))
		return export_tenant(pg, said.tenant);
	if (is(command, "import", ""))
		return import_tenant(pg, said.config, said.tenant);
	if (is(command, "provider", "set"))
		return set_provider(pg, operands);
	return run_command(pg, command, operands, command->n_operands);
}

/* Options of the command line into `said`.  -1 to go on, or the exit status. */
static int take_options(int argc, char **argv)
{
	struct option options[N_CHOICES + 3] = {{"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'}};
	int i, option;

	for (i = 0; i < N_CHOICES; i++)
		options[i + 2] = (struct option){choices[i].name, choices[i].has_argument, NULL, FIRST_CHOICE + i};
	while ((option = getopt_long(argc, argv, "c:d:h", options, NULL)) != -1) {
		if (option >= FIRST_CHOICE) {
			const char **value = choices[option - FIRST_CHOICE].value;

			if (*value != NULL) {
				fprintf(stderr, "exedractl: --%s is given twice.\n",
					choices[option - FIRST_CHOICE].name);
				return 2;
			}
			*value = optarg != NULL ? optarg : "true";
		} else if (option == 'c') {
			said.config = optarg;
		} else if (option == 'd') {
			said.conninfo = optarg;
		} else if (option == 'V') {
			puts("exedractl " PACKAGE_VERSION);
			return 0;
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	const struct command *command;
	PGconn *pg;
	int status = take_options(argc, argv);

	if (status >= 0)
		return status;
	command = find_command(argv + optind, argc - optind);
	if (!usable(command, argc - optind))
		return 2;
	if (is(command, "work", ""))
		return work(said.config, said.conninfo);
	if ((pg = open_database()) == NULL)
		return 1;
	status = dispatch(pg, command, argv + optind + words_of(command));
	PQfinish(pg);
	/* A key that nobody has seen is shown no second time. */
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		fprintf(stderr, "exedractl: what it prints could not be written: %s.\n", strerror(errno));
		return 1;
	}
	return status;
}
