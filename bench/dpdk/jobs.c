// The jobs with librte_vhost's burst calls, and the loop that runs a job for a given time. Packets for which
// a ring has no room stay in the current burst, because rx-vhost does not drop them either.
#include <time.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "back_end.h"

#define STEPS 16  // steps between two reads of the clock
// A poll that found nothing is followed by a wait for the guest's next entry, at most this long. rx-vhost
// waits in the same way, so that empty polls are comparable. During the wait, the back end does not take the
// ring's cache lines from the front end, which was often delayed by an interrupt.
#define SPIN_WAIT_NS 2000
#define TIMEOUT_MS 1000  // after `stop`: maximum time without a packet while packets are still expected

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint16_t dequeue(struct rte_mbuf** burst) {
  const uint16_t count = rte_vhost_dequeue_burst(be.vid[0], GUEST_TRANSMITS, be.pool, burst, BURST);
  be.now.dequeues++;
  be.now.idle_dequeues += count == 0;
  be.now.dequeued += count;
  be.taken += count;
  return count;
}

static uint16_t enqueue(int port, struct rte_mbuf** burst, uint16_t count) {
  const uint16_t taken = rte_vhost_enqueue_burst(be.vid[port], GUEST_RECEIVES, burst, count);
  be.now.enqueues++;
  be.now.idle_enqueues += taken == 0;
  be.now.enqueued += taken;
  return taken;
}

static bool intact(const struct rte_mbuf* packet, uint32_t number, bool bytes) {
  const uint8_t* frame = rte_pktmbuf_mtod(packet, const uint8_t*);
  if (packet->pkt_len != be.size || packet->nb_segs != 1 || load32(frame + FRAME_NUMBER) != number)
    return false;
  if (!bytes) return true;
  frame_number(be.expected, number);
  return memcmp(frame, be.expected, be.size) == 0;
}

// Checks packets from the guest, which are numbered from 0. `first`: expected number of the first packet.
static void check(struct rte_mbuf** burst, uint16_t count, uint64_t first) {
  if (be.check_all) {
    for (uint16_t i = 0; i < count; i++) be.bad += !intact(burst[i], (uint32_t)(first + i), true);
    return;
  }
  const uint64_t ahead = -first % CHECK_EVERY;
  if (ahead < count) be.bad += !intact(burst[ahead], (uint32_t)(first + ahead), false);
}

// Steps of the jobs. A step returns false if there was no packet or no room.
static bool sink(void) {
  struct rte_mbuf* burst[BURST];
  const uint64_t first = be.now.dequeued;
  const uint16_t count = dequeue(burst);
  if (count == 0) return false;
  check(burst, count, first);
  rte_pktmbuf_free_bulk(burst, count);
  return true;
}

static bool source(void) {
  const uint32_t left = be.seeds - be.next_seed;
  const uint16_t taken = enqueue(0, be.seed + be.next_seed, left < BURST ? (uint16_t)left : BURST);
  be.next_seed += taken;
  if (be.next_seed == be.seeds) be.next_seed = 0;
  return taken > 0;
}

static bool refill(void) {
  be.held = dequeue(be.burst);
  be.sent = be.copied = 0;
  return be.held > 0;
}

static void free_burst(void) {
  rte_pktmbuf_free_bulk(be.burst, be.held);
  be.held = be.sent = 0;
}

static bool send_on(int port) {
  const uint16_t taken = enqueue(port, be.burst + be.sent, be.held - be.sent);
  be.sent += taken;
  if (be.sent == be.held) free_burst();
  return taken > 0;
}

bool echo(void) {
  if (be.held == 0) {
    if (!refill()) return false;
    for (uint16_t i = 0; i < be.held; i++) frame_swap_macs(rte_pktmbuf_mtod(be.burst[i], uint8_t*));
  }
  return send_on(0);
}

static bool forward(void) { return (be.held > 0 || refill()) && send_on(1); }

static bool matches(const uint8_t* frame) {
  return frame[FRAME_PROTOCOL] == PROTOCOL_UDP && load32(frame + FRAME_SOURCE) == FLOW_SOURCE &&
         load32(frame + FRAME_DESTINATION) == FLOW_DESTINATION &&
         load16(frame + FRAME_SOURCE_PORT) == FLOW_SOURCE_PORT &&
         load16(frame + FRAME_DESTINATION_PORT) == FLOW_DESTINATION_PORT;
}

static bool filter_forward(void) {
  if (be.held == 0) {
    struct rte_mbuf *burst[BURST], *others[BURST];
    const uint16_t count = dequeue(burst);
    uint16_t dropped = 0;
    for (uint16_t i = 0; i < count; i++) {
      if (matches(rte_pktmbuf_mtod(burst[i], const uint8_t*)))
        be.burst[be.held++] = burst[i];
      else
        others[dropped++] = burst[i];
    }
    rte_pktmbuf_free_bulk(others, dropped);
    if (be.held == 0) return count > 0;
  }
  return send_on(1);
}

static bool mirror(void) {
  if (be.held == 0 && !refill()) return false;
  const uint16_t before = be.sent + be.copied;
  if (be.copied < be.held) be.copied += enqueue(2, be.burst + be.copied, be.held - be.copied);
  if (be.sent < be.held) be.sent += enqueue(1, be.burst + be.sent, be.held - be.sent);
  const bool moved = be.sent + be.copied > before;
  if (be.sent == be.held && be.copied == be.held) free_burst();
  return moved;
}

// One run of a job: begin and end of the measured time, and the counters at its begin (`from`).
struct run {
  int job;
  uint64_t begin, end, next_look;
  uint64_t expected, seen, moved_at;  // after `stop`: packets expected, packets seen, time of the last packet
  enum { WARMING, MEASURING, MEASURED, STOPPING } phase;
  struct counters from;
  uint64_t from_ns;
};

void print_counters(const struct counters* from) {
  printf(
      "\"dequeued\":%lu,\"enqueued\":%lu,\"dequeues\":%lu,\"idleDequeues\":%lu,\"enqueues\":%lu,"
      "\"idleEnqueues\":%lu,\"spinWaitNs\":%.0f",
      be.now.dequeued - from->dequeued, be.now.enqueued - from->enqueued, be.now.dequeues - from->dequeues,
      be.now.idle_dequeues - from->idle_dequeues, be.now.enqueues - from->enqueues,
      be.now.idle_enqueues - from->idle_enqueues,
      (double)(be.now.spin_waited - from->spin_waited) * 1e9 / (double)rte_get_tsc_hz());
}

// Advances the phase of a run and handles commands. Called between two rounds of work, every millisecond or
// when a phase ends. Returns false if the run is over.
static bool look_around(struct run* run, uint64_t tsc) {
  const uint64_t ms = rte_get_tsc_hz() / 1000;
  run->next_look = tsc + ms;
  if (run->phase == WARMING && tsc >= run->begin) {
    run->phase = MEASURING;
    run->from = be.now;
    run->from_ns = now_ns();
  } else if (run->phase == MEASURING && tsc >= run->end) {
    run->phase = MEASURED;
    const uint64_t ns = now_ns() - run->from_ns;
    printf("{\"ns\":%lu,", ns);
    print_counters(&run->from);
    printf("}\n");
  }
  if (run->phase != STOPPING && control_waiting()) {
    struct command command;
    if (!control_read(&command)) exit(0);
    run->phase = STOPPING;
    run->expected = command_is(&command, "stop", 1) ? command_number(&command, 1) : 0;
    run->moved_at = tsc;
  }
  if (run->phase != STOPPING) return true;
  // A source always has packets to send, so `stop` ends it immediately.
  if (run->job == JOB_SOURCE || (be.now.dequeued >= run->expected && be.held == 0)) return false;
  if (run->seen != be.now.dequeued + be.now.enqueued) run->moved_at = tsc;
  run->seen = be.now.dequeued + be.now.enqueued;
  return tsc - run->moved_at < TIMEOUT_MS * ms;
}

static void spin_wait(void) {
  const uint64_t began = rte_rdtsc(), most = rte_get_tsc_hz() / 1000 * SPIN_WAIT_NS / 1000000;
  uint64_t waited = 0;
  // While a burst waits for room in a ring to guest, new entries in the ring from guest do not end the wait.
  while (waited < most && (be.held > 0 || __atomic_load_n(be.made, __ATOMIC_RELAXED) == be.taken)) {
    rte_pause();
    waited = rte_rdtsc() - began;
  }
  be.now.spin_waited += waited;
}

// `step` is a constant in each call, so that the compiler makes a separate loop for each job.
static inline __attribute__((always_inline)) void serve(struct run* run, bool (*step)(void)) {
  for (;;) {
    for (int i = 0; i < STEPS; i++)
      if (!step()) spin_wait();
    const uint64_t tsc = rte_rdtsc();
    if (tsc < run->next_look && !(run->phase == MEASURING && tsc >= run->end)) continue;
    if (!look_around(run, tsc)) return;
  }
}

void run_job(int job, uint64_t warm_ms, uint64_t measured_ms) {
  const uint64_t ms = rte_get_tsc_hz() / 1000;
  struct run run = {.job = job, .phase = WARMING};
  run.begin = rte_rdtsc() + warm_ms * ms;
  run.end = run.begin + measured_ms * ms;
  be.now = (struct counters){0};
  be.bad = 0;
  switch (job) {
    case JOB_SINK:
      serve(&run, sink);
      break;
    case JOB_SOURCE:
      serve(&run, source);
      break;
    case JOB_ECHO:
      serve(&run, echo);
      break;
    case JOB_FORWARD:
      serve(&run, forward);
      break;
    case JOB_FILTER:
      serve(&run, filter_forward);
      break;
    case JOB_MIRROR:
      serve(&run, mirror);
      break;
  }
  printf("{");
  print_counters(&(struct counters){0});
  printf(",\"held\":%u,\"bad\":%lu}\n", be.held, be.bad);
}

void seed(uint32_t count) {
  if (be.seeds > 0) rte_pktmbuf_free_bulk(be.seed, be.seeds);
  be.seeds = be.next_seed = 0;
  while (be.seeds < count && !control_waiting()) {
    const uint32_t left = count - be.seeds;
    const uint16_t got = rte_vhost_dequeue_burst(be.vid[0], GUEST_TRANSMITS, be.pool, be.seed + be.seeds,
                                                 left < BURST ? (uint16_t)left : BURST);
    be.seeds += got;
    be.taken += got;
  }
  printf("{\"seeds\":%u}\n", be.seeds);
}
