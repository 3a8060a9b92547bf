/* SPDX-License-Identifier: ISC */
#include "base/trust.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	const char *file;
	X509_STORE *store; /* NULL: not read yet */
} trust = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool load(X509_STORE *store, const char *file)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	bool any;

	if (file != NULL)
		return X509_STORE_load_file(store, file) == 1;
	any = curl->cainfo != NULL && X509_STORE_load_file(store, curl->cainfo) == 1;
	return (curl->capath != NULL && X509_STORE_load_path(store, curl->capath) == 1) || any;
}

/* What libcurl makes of the same file. */
static X509_STORE *read_store(const char *file)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL)
		return NULL;
	if (load(store, file) &&
		X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN) == 1)
		return store;
	X509_STORE_free(store);
	return NULL;
}

static CURLcode give(CURL *easy, void *context, void *nothing)
{
	X509_STORE *store;

	(void)easy;
	(void)nothing;
	pthread_mutex_lock(&trust.lock);
	if (trust.store == NULL)
		trust.store = read_store(trust.file);
	store = trust.store;
	pthread_mutex_unlock(&trust.lock);
	if (store == NULL)
		return CURLE_SSL_CACERT_BADFILE;
	SSL_CTX_set1_cert_store(context, store);
	return CURLE_OK;
}

void trust_take(const char *file)
{
	trust.file = file;
}

int trust_check(const char *file, char *problem, size_t room)
{
	X509_STORE *store = read_store(file);

	if (store == NULL) {
		snprintf(problem, room, "outbound.ca: %.200s cannot be read as certificates (PEM).", file);
		return -1;
	}
	X509_STORE_free(store);
	return 0;
}

bool trust_set_up(CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, give) == CURLE_OK;
}

const char *trust_cause(CURL *easy, CURLcode result)
{
	long verified = X509_V_OK;

	if (result != CURLE_PEER_FAILED_VERIFICATION)
		return curl_easy_strerror(result);
	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verified);
	/* Names are libcurl's own check, and it has no number for them. */
	if (verified == X509_V_OK || verified == X509_V_ERR_UNSPECIFIED)
		return "certificate is for another name";
	return X509_verify_cert_error_string(verified);
}
