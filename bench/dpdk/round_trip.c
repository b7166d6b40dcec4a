// Round trips of single frames: one goes out, and the port is polled until it is back. The time between two
// rounds is long enough for an event-driven back end to fall asleep, if the controller asks for that.
#include <rte_cycles.h>
#include <rte_pause.h>

#include "generator.h"

#define MAX_ROUNDS 200000
#define PATIENCE_MS 200  // a frame that is not back by then is lost

static uint64_t times[MAX_ROUNDS];

static int by_value(const void* a, const void* b) {
  const uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
  return (x > y) - (x < y);
}

// 0: it did not come back, or not as it was sent.
static uint64_t one_round(int set, uint32_t number) {
  struct rte_mbuf *out, *in;
  if (rte_mempool_get(gen.send_pool, (void**)&out) != 0) return 0;
  frame_number(rte_pktmbuf_mtod(out, uint8_t*), number);
  const uint64_t began = rte_rdtsc();
  const uint64_t end = began + rte_get_tsc_hz() / 1000 * PATIENCE_MS;
  if (rte_eth_tx_burst(port_id(set, 0), 0, &out, 1) != 1) return 0;
  while (rte_eth_rx_burst(port_id(set, 0), 0, &in, 1) == 0) {
    if (rte_rdtsc() > end) return 0;
    rte_pause();
  }
  const uint64_t took = rte_rdtsc() - began;
  frame_number(gen.swapped, number);
  const bool good =
      in->pkt_len == gen.size && memcmp(rte_pktmbuf_mtod(in, void*), gen.swapped, gen.size) == 0;
  rte_pktmbuf_free(in);
  return good ? took : 0;
}

static double us(uint64_t cycles) { return (double)cycles * 1e6 / (double)rte_get_tsc_hz(); }

void run_latency(int set, uint32_t rounds, uint32_t gap_us) {
  uint32_t count = 0, lost = 0;
  if (rounds == 0 || rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
  for (uint32_t round = 0; round < rounds; round++) {
    const uint64_t took = one_round(set, round);
    if (took > 0)
      times[count++] = took;
    else
      lost++;
    const uint64_t next = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * gap_us;
    while (rte_rdtsc() < next) rte_pause();
  }
  qsort(times, count, sizeof(times[0]), by_value);
  printf("{\"rounds\":%u,\"lost\":%u", rounds, lost);
  if (count > 0)
    printf(",\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"least\":%.3f,\"most\":%.3f", us(times[count / 2]),
           us(times[(uint64_t)count * 99 / 100]), us(times[(uint64_t)count * 999 / 1000]), us(times[0]),
           us(times[count - 1]));
  printf("}\n");
}
