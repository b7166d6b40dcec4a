// What the parts of the traffic generator share: its ports, its memory, and the run in hand.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "control.h"
#include "frame.h"
#include "jobs.h"
#include "rings.h"

#define SETS 2   // one for each back end
#define PORTS 3  // of a set
#define BURST 64
#define HEADER 12  // virtio-net, as VERSION_1 has it

// What arrives at one port.
struct receiver {
  uint64_t received, lost, reordered, corrupted;
  uint32_t next;  // the number that the next frame should have
  uint32_t sum;   // of all numbers
};

struct rings {
  struct ring to_guest, from_guest;
};

struct generator {
  int ports;  // of each set
  struct rings rings[SETS][PORTS];
  int ring_size;
  bool mergeable;
  struct rte_mempool *send_pool, *receive_pool;
  uint32_t size;
  uint8_t expected[FRAME_MAX];
  uint8_t swapped[FRAME_MAX];
};

extern struct generator gen;

/// The port of a set as DPDK knows it.
static inline uint16_t port_id(int set, int port) { return (uint16_t)(set * gen.ports + port); }

/// Gives every frame that will be sent this size. Nothing may be under way.
void set_frame_size(uint32_t size);

/// Sends and receives until a command comes; answers; then receives what is left until the next command, and
/// answers.
void run_job(int set, int job, uint32_t size, bool check_all, uint32_t seeds);

/// Sends `count` numbered frames at once.
void send_seed(int set, uint32_t count);

/// Round trips of single frames, `gap_us` apart; answers with their times in microseconds.
void run_latency(int set, uint32_t rounds, uint32_t gap_us);
