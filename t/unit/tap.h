/* SPDX-License-Identifier: ISC
 * The Test Anything Protocol, as much as unit tests need: a line a promise, what was got and wanted when it
 * is broken, the plan at the end. */
#ifndef EXEDRA_TAP_H
#define EXEDRA_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int tap_run, tap_failed;

/* A promise and its name; returns whether it holds. */
__attribute__((unused, format(printf, 2, 3))) static bool ok(bool holds, const char *name, ...)
{
	va_list args;

	printf("%sok %d - ", holds ? "" : "not ", ++tap_run);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	putchar('\n');
	tap_failed += !holds;
	fflush(stdout);
	return holds;
}

__attribute__((unused)) static bool is_int(intmax_t got, intmax_t wanted, const char *name)
{
	if (ok(got == wanted, "%s", name))
		return true;
	printf("#      got: %jd\n#   wanted: %jd\n", got, wanted);
	return false;
}

/* Bytes as a C literal, so that control characters do not break the protocol's lines. */
__attribute__((unused)) static void tap_bytes(const char *label, const char *at, size_t len)
{
	printf("# %8s: \"", label);
	for (size_t i = 0; i < len && i < 200; i++)
		if ((unsigned char)at[i] < 0x20 || at[i] == 0x7F)
			printf("\\x%02x", (unsigned char)at[i]);
		else
			putchar(at[i]);
	printf("\"%s\n", len > 200 ? "..." : "");
}

__attribute__((unused)) static bool is_bytes(
	const char *got, size_t got_len, const char *wanted, size_t wanted_len, const char *name)
{
	if (ok(got_len == wanted_len && (got_len == 0 || memcmp(got, wanted, got_len) == 0), "%s", name))
		return true;
	tap_bytes("got", got, got_len);
	tap_bytes("wanted", wanted, wanted_len);
	return false;
}

/* Either may be NULL. */
__attribute__((unused)) static bool is_text(const char *got, const char *wanted, const char *name)
{
	if (got != NULL && wanted != NULL)
		return is_bytes(got, strlen(got), wanted, strlen(wanted), name);
	if (ok(got == wanted, "%s", name))
		return true;
	printf("#      got: %s\n#   wanted: %s\n", got == NULL ? "NULL" : got, wanted == NULL ? "NULL" : wanted);
	return false;
}

/* Processor time of this process, to say how long something took. */
__attribute__((unused)) static double tap_cpu_s(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* Sanitizers and a busy machine slow all down; a limit is about quadratic or not, so it may be generous. */
#ifdef __SANITIZE_ADDRESS__
enum { TAP_SLOWER = 10 };
#else
enum { TAP_SLOWER = 1 };
#endif

__attribute__((unused)) static void is_quick(double since_s, double limit_s, const char *name)
{
	double took_s = tap_cpu_s() - since_s;

	ok(took_s < limit_s * TAP_SLOWER, "%s", name);
	printf("# %.4f s\n", took_s);
}

/* The plan; returns main()'s status. */
__attribute__((unused)) static int done_testing(void)
{
	printf("1..%d\n", tap_run);
	return tap_failed == 0 ? 0 : 1;
}

#endif
