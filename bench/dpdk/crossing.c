#define _GNU_SOURCE
#include "crossing.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <rte_cycles.h>

#define ROUNDS 2000
#define BATCHES 15

// Each index is on its own cache line, as the two indexes of a ring are.
static struct {
  _Alignas(128) atomic_uint there;
  _Alignas(128) atomic_uint back;
} ball;

static void* answer(void* core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(*(const int*)core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
  for (unsigned round = 1; round <= ROUNDS * BATCHES; round++) {
    while (atomic_load_explicit(&ball.there, memory_order_acquire) != round) __builtin_ia32_pause();
    atomic_store_explicit(&ball.back, round, memory_order_release);
  }
  return NULL;
}

static int by_value(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

// Returns the median of several batches, so that an interrupt during one batch does not change the result.
double crossing_ns(int core) {
  double batch[BATCHES];
  pthread_t other;
  ball.there = ball.back = 0;
  if (pthread_create(&other, NULL, answer, &core) != 0) return -1;
  unsigned round = 0;
  for (int i = 0; i < BATCHES; i++) {
    const uint64_t began = rte_rdtsc();
    for (int n = 0; n < ROUNDS; n++) {
      atomic_store_explicit(&ball.there, ++round, memory_order_release);
      while (atomic_load_explicit(&ball.back, memory_order_acquire) != round) __builtin_ia32_pause();
    }
    batch[i] = (double)(rte_rdtsc() - began) * 1e9 / (double)rte_get_tsc_hz() / (2.0 * ROUNDS);
  }
  pthread_join(other, NULL);
  qsort(batch, BATCHES, sizeof(batch[0]), by_value);
  return batch[BATCHES / 2];
}
