// Round trips of single frames: sends a frame and polls the ring until the frame comes back. The controller
// sets the time between two rounds; it can be long enough for an event-driven back end to fall asleep.
#include <rte_cycles.h>
#include <rte_pause.h>

#include "generator.h"

#define MAX_ROUNDS 200000
#define TIMEOUT_MS 2000  // a frame that has not come back after this time is lost

static uint64_t times[MAX_ROUNDS];

static int by_value(const void* a, const void* b) {
  const uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
  return (x > y) - (x < y);
}

// Returns the duration of a round trip, or 0 if the frame did not come back.
static uint64_t one_round(struct ring* out, struct ring* in) {
  const uint64_t began = rte_rdtsc();
  const uint64_t end = began + rte_get_tsc_hz() / 1000 * TIMEOUT_MS;
  ring_make(out, HEADER + gen.size, 0);
  ring_publish(out);
  while (ring_done(in) == 0) {
    if (rte_rdtsc() > end) return 0;
    rte_pause();
  }
  return rte_rdtsc() - began;
}

// Returns true if the received frame is the frame that was sent. Posts its buffer again.
static bool take_back(struct ring* in, uint32_t number) {
  const uint16_t slot = ring_slot(in, in->seen++);
  frame_number(gen.swapped, number);
  const bool good = in->used->ring[slot].id == slot && in->used->ring[slot].len == HEADER + gen.size &&
                    memcmp(in->buffer[slot] + HEADER, gen.swapped, gen.size) == 0;
  ring_make(in, in->length[slot], VRING_DESC_F_WRITE);
  ring_publish(in);
  return good;
}

static double us(uint64_t cycles) { return (double)cycles * 1e6 / (double)rte_get_tsc_hz(); }

static void print_times(uint32_t rounds, uint32_t count) {
  qsort(times, count, sizeof(times[0]), by_value);
  printf("{\"rounds\":%u,\"lost\":%u", rounds, rounds - count);
  if (count > 0)
    printf(",\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"least\":%.3f,\"most\":%.3f", us(times[count / 2]),
           us(times[(uint64_t)count * 99 / 100]), us(times[(uint64_t)count * 999 / 1000]), us(times[0]),
           us(times[count - 1]));
  printf("}\n");
}

void run_latency(int set, uint32_t rounds, uint32_t gap_us) {
  struct ring *out = &gen.rings[set][0].from_guest, *in = &gen.rings[set][0].to_guest;
  uint32_t count = 0;
  if (rounds == 0 || rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
  for (uint32_t round = 0; round < rounds; round++) {
    frame_number(out->buffer[ring_slot(out, out->made)] + HEADER, round);
    const uint64_t took = one_round(out, in);
    if (took == 0) break;  // a late frame would be mistaken for the next frame
    if (take_back(in, round)) times[count++] = took;
    const uint64_t next = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * gap_us;
    while (rte_rdtsc() < next) rte_pause();
  }
  print_times(rounds, count);
}
