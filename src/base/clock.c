/* SPDX-License-Identifier: ISC */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

/* ThreadSanitizer (gcc 12) does not know sem_clockwait(): it has to be told what came before sem_post(). */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_acquire(address) ((void)(address))
#endif

int64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int clock_left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_ms();

	if (left < 0)
		return 0;
	return left > 86400000 ? 86400000 : (int)left;
}

bool clock_new_second(int64_t *last_s)
{
	int64_t now_s = clock_ms() / 1000;

	return __atomic_exchange_n(last_s, now_s, __ATOMIC_RELAXED) != now_s;
}

void clock_pause_ms(int ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

bool clock_wait(sem_t *semaphore, int64_t deadline_ms)
{
	const struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
	int result;

	do
		result = deadline_ms == 0 ? sem_wait(semaphore) : sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
	while (result < 0 && errno == EINTR);
	if (result == 0)
		__tsan_acquire(semaphore);
	return result == 0;
}
