/* SPDX-License-Identifier: ISC
 * The least program of the same shape, to measure against: FastCGI, one insert, a provider, nothing else.  It knows no
 * tenants, keys, workspaces or history and stores no answer: a body is put into a table, and when that is committed it
 * goes to the provider as it is; what comes back is passed on as it comes.
 * usage: least SOCKET CONNINFO URL THREADS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <fcgiapp.h>
#include <libpq-fe.h>

enum { MAX_BODY = 65536 };

static int listener;
static const char *conninfo, *provider;

static size_t pass_on(char *bytes, size_t size, size_t n, void *arg)
{
	FCGX_Request *request = arg;

	FCGX_PutStr(bytes, (int)(size * n), request->out);
	FCGX_FFlush(request->out);
	return size * n;
}

static void answer(FCGX_Request *request, PGconn *pg, CURL *easy)
{
	char body[MAX_BODY];
	int len = FCGX_GetStr(body, MAX_BODY - 1, request->in);
	const char *args[] = {body};
	PGresult *stored;

	body[len] = '\0';
	stored = PQexecPrepared(pg, "store", 1, args, NULL, NULL, 0);
	if (PQresultStatus(stored) != PGRES_COMMAND_OK) {
		FCGX_FPrintF(request->out, "Status: 500\r\n\r\n%s", PQerrorMessage(pg));
		PQclear(stored);
		return;
	}
	PQclear(stored);
	FCGX_FPrintF(request->out, "Content-Type: text/event-stream\r\n\r\n");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)len);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl_easy_perform(easy);
}

static void *serve(void *unused)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	PGconn *pg = PQconnectdb(conninfo);
	CURL *easy = curl_easy_init();
	FCGX_Request request;

	(void)unused;
	PQclear(PQprepare(pg, "store", "INSERT INTO least (question) VALUES ($1)", 0, NULL));
	curl_easy_setopt(easy, CURLOPT_URL, provider);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, pass_on);
	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) >= 0) {
		answer(&request, pg, easy);
		FCGX_Finish_r(&request);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_attr_t small;
	pthread_t thread;
	int n;

	if (argc != 5) {
		fputs("usage: least SOCKET CONNINFO URL THREADS\n", stderr);
		return 2;
	}
	conninfo = argv[2];
	provider = argv[3];
	curl_global_init(CURL_GLOBAL_DEFAULT);
	FCGX_Init();
	listener = FCGX_OpenSocket(argv[1], 1024);
	if (listener < 0) {
		perror(argv[1]);
		return 1;
	}
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10);
	for (n = atoi(argv[4]); n > 1; n--)
		pthread_create(&thread, &small, serve, NULL);
	serve(NULL);
	return 1;
}
