/* SPDX-License-Identifier: ISC
 * The monotonic clock: for durations and deadlines. */
#ifndef EXEDRA_CLOCK_H
#define EXEDRA_CLOCK_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since some fixed moment; never goes back. */
int64_t clock_ms(void);
/* The same in microseconds. */
int64_t clock_us(void);
/* Milliseconds left until a deadline on clock_ms(), for poll(2): 0 when it has passed, at most a day. */
int clock_left_ms(int64_t deadline_ms);
/* Has another second begun since this was last true for these?  For what is told once a second; *last_s: -1 at first.
 */
bool clock_new_second(int64_t *last_s);
/* Wait so long, or until a signal comes. */
void clock_pause_ms(int ms);
/* Wait for a semaphore, whatever signals come, until a deadline on clock_ms() (0: for ever).  False when it has passed.
 */
bool clock_wait(sem_t *, int64_t deadline_ms);

#endif
