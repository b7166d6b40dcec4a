// The generator's traffic: sends numbered frames and checks received frames. Per packet it does only the work
// that a driver must do, so that the back end is the bottleneck.
#include <rte_cycles.h>
#include <rte_pause.h>

#include "generator.h"

#define TIMEOUT_MS 1000  // after `end`: maximum time without a packet while packets are still expected
#define ROUNDS 64        // rounds between two reads of the clock
#define PAUSES 4         // pause instructions after an idle round, to leave the cache lines to the back end
#define LEAST 32         // minimum number of slots to fill or empty at once, unless no more packets will come

struct run {
  int set, job;
  bool check_all;
  uint32_t seeds;
  uint64_t sent, passing;
  uint64_t tries, fruitless;
  struct receiver receivers[PORTS];
};

static inline uint32_t send_some(struct run* run, uint32_t most) {
  struct ring* ring = &gen.rings[run->set][0].from_guest;
  const uint32_t busy = (uint16_t)(ring->made - __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE));
  uint32_t count = ring->size - busy;
  if (count < LEAST && count < most) return 0;
  if (count > BURST) count = BURST;
  if (count > most) count = most;
  for (uint32_t i = 0; i < count; i++)
    __builtin_prefetch(ring->buffer[ring_slot(ring, (uint16_t)(ring->made + i))] + HEADER, 1);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t number = (uint32_t)run->sent++;
    frame_number(ring->buffer[ring_slot(ring, ring->made)] + HEADER, number);
    run->passing += frame_passes(number);
    ring_make(ring, HEADER + gen.size, 0);
  }
  ring_publish(ring);
  return count;
}

// Returns the expected number of the frame after frame `number`.
static uint32_t after(const struct run* run, uint32_t number) {
  number++;
  if (run->job == JOB_SOURCE) return number % run->seeds;
  if (run->job == JOB_FILTER)
    while (!frame_passes(number)) number++;
  return number;
}

static bool intact(const struct run* run, const uint8_t* buffer, uint32_t number) {
  uint8_t* expected = run->job == JOB_ECHO ? gen.swapped : gen.expected;
  const struct virtio_net_hdr_mrg_rxbuf* header = (const void*)buffer;
  if ((gen.mergeable && header->num_buffers != 1) || header->hdr.flags != 0 || header->hdr.gso_type != 0)
    return false;
  frame_number(expected, number);
  return memcmp(buffer + HEADER, expected, gen.size) == 0;
}

static void check_frame(struct run* run, struct receiver* receiver, const uint8_t* buffer) {
  const uint32_t number = load32(buffer + HEADER + FRAME_NUMBER);
  if (!intact(run, buffer, number))
    receiver->corrupted++;
  else if (number - receiver->next < UINT32_MAX / 2)
    receiver->lost += number != receiver->next;
  else
    receiver->reordered++;
  receiver->next = after(run, number);
}

// Checks one of CHECK_EVERY frames. Its place gives the expected number. After a filter the numbers only
// increase.
static void check_one(struct run* run, struct receiver* receiver, const uint8_t* buffer, uint64_t place) {
  const uint32_t number = load32(buffer + HEADER + FRAME_NUMBER);
  receiver->corrupted += !intact(run, buffer, number);
  if (run->job == JOB_FILTER)
    receiver->reordered += number < receiver->next || !frame_passes(number);
  else
    receiver->reordered += number != (run->job == JOB_SOURCE ? place % run->seeds : (uint32_t)place);
  receiver->next = number;
}

static inline uint32_t receive_some(struct run* run, int port, uint32_t least) {
  struct ring* ring = &gen.rings[run->set][port].to_guest;
  struct receiver* receiver = &run->receivers[port];
  uint32_t count = ring_done(ring);
  if (count < least) return 0;
  if (count > BURST) count = BURST;
  uint64_t ahead = run->check_all ? 0 : -receiver->received % CHECK_EVERY;
  for (uint32_t i = 0; i < count; i++)
    __builtin_prefetch(ring->buffer[ring_slot(ring, (uint16_t)(ring->seen + i))] + HEADER);
  for (uint32_t i = 0; i < count; i++) {
    const uint16_t slot = ring_slot(ring, ring->seen++);
    const struct vring_used_elem done = ring->used->ring[slot];
    const uint8_t* buffer = ring->buffer[slot];
    if (done.id != slot || done.len != HEADER + gen.size)
      receiver->corrupted++;
    else if (run->check_all)
      check_frame(run, receiver, buffer);
    else if (i == ahead)
      check_one(run, receiver, buffer, receiver->received + i);
    // Read each packet, as a driver does. Otherwise its cache line would stay in the back end's cache.
    receiver->sum += load32(buffer + HEADER + FRAME_NUMBER);
    ring_make(ring, ring->length[slot], VRING_DESC_F_WRITE);
  }
  receiver->received += count;
  ring_publish(ring);
  return count;
}

// `job` is a constant in each call, so that the compiler removes the other branches.
static inline __attribute__((always_inline)) bool exchange(struct run* run, int job, bool sending) {
  uint32_t moved = sending && job != JOB_SOURCE ? send_some(run, BURST) : 0;
  const uint32_t least = sending ? LEAST : 1;
  if (job == JOB_SOURCE || job == JOB_ECHO) moved += receive_some(run, 0, least);
  if (job == JOB_FORWARD || job == JOB_FILTER || job == JOB_MIRROR) moved += receive_some(run, 1, least);
  if (job == JOB_MIRROR) moved += receive_some(run, 2, least);
  return moved > 0;
}

// Exchanges packets until a command arrives.
static inline __attribute__((always_inline)) void keep_on(struct run* run, int job, bool sending) {
  uint64_t next_look = 0;
  for (;;) {
    for (int round = 0; round < ROUNDS; round++) {
      const bool moved = exchange(run, job, sending);
      run->tries++;
      if (moved) continue;
      run->fruitless++;
      for (int i = 0; i < PAUSES; i++) rte_pause();
    }
    const uint64_t tsc = rte_rdtsc();
    if (tsc < next_look) continue;
    next_look = tsc + rte_get_tsc_hz() / 1000;
    if (control_waiting()) return;
  }
}

static void drive(struct run* run, bool sending) {
  switch (run->job) {
    case JOB_SINK:
      return keep_on(run, JOB_SINK, sending);
    case JOB_SOURCE:
      return keep_on(run, JOB_SOURCE, sending);
    case JOB_ECHO:
      return keep_on(run, JOB_ECHO, sending);
    case JOB_FORWARD:
      return keep_on(run, JOB_FORWARD, sending);
    case JOB_FILTER:
      return keep_on(run, JOB_FILTER, sending);
    case JOB_MIRROR:
      return keep_on(run, JOB_MIRROR, sending);
  }
}

// Receives until `expected` packets have arrived, or until none arrives for TIMEOUT_MS.
static void receive_rest(struct run* run, uint64_t expected) {
  const uint64_t timeout = rte_get_tsc_hz() / 1000 * TIMEOUT_MS;
  for (uint64_t moved_at = rte_rdtsc(); rte_rdtsc() - moved_at < timeout;) {
    uint64_t received = 0;
    uint32_t moved = 0;
    for (int port = 0; port < gen.ports; port++) {
      moved += receive_some(run, port, 1);
      received += run->receivers[port].received;
    }
    if (moved > 0) moved_at = rte_rdtsc();
    if (received >= expected) return;
  }
}

static void print_totals(const struct run* run) {
  printf("{\"sent\":%lu,\"passing\":%lu,\"tries\":%lu,\"fruitless\":%lu,\"receivers\":[", run->sent,
         run->passing, run->tries, run->fruitless);
  for (int port = 0; port < gen.ports; port++) {
    const struct receiver* receiver = &run->receivers[port];
    printf("%s{\"received\":%lu,\"lost\":%lu,\"reordered\":%lu,\"corrupted\":%lu,\"sum\":%u}",
           port > 0 ? "," : "", receiver->received, receiver->lost, receiver->reordered, receiver->corrupted,
           receiver->sum);
  }
  printf("]}\n");
}

void run_job(int set, int job, uint32_t size, bool check_all, uint32_t seeds) {
  struct run run = {.set = set, .job = job, .check_all = check_all, .seeds = seeds};
  struct command command;
  set_frame_size(size);
  if (job == JOB_FILTER)
    for (int port = 0; port < gen.ports; port++) run.receivers[port].next = after(&run, UINT32_MAX);
  printf("{\"running\":true}\n");
  drive(&run, true);
  if (!control_read(&command)) _exit(0);
  printf("{\"sent\":%lu}\n", run.sent);
  drive(&run, false);
  if (!control_read(&command)) _exit(0);
  receive_rest(&run, command_is(&command, "end", 1) ? command_number(&command, 1) : 0);
  print_totals(&run);
}

void send_seed(int set, uint32_t count) {
  struct run run = {.set = set};
  while (run.sent < count) send_some(&run, count - (uint32_t)run.sent);
  printf("{\"sent\":%lu}\n", run.sent);
}
