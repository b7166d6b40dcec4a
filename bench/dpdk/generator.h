// State that all parts of the traffic generator share: its ports and its memory.
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

#define SETS 2   // one set per back end
#define PORTS 3  // maximum number of ports per set
#define BURST 64
#define HEADER 12  // size of the virtio-net header with VERSION_1

// Counters of frames that arrive at one port.
struct receiver {
  uint64_t received, lost, reordered, corrupted;
  uint32_t next;  // expected number of the next frame
  uint32_t sum;   // sum of all frame numbers
};

struct rings {
  struct ring to_guest, from_guest;
};

struct generator {
  int ports;  // number of ports in each set
  struct rings rings[SETS][PORTS];
  int ring_size;
  bool mergeable;
  struct rte_mempool *send_pool, *receive_pool;
  uint32_t size;
  uint8_t expected[FRAME_MAX];
  uint8_t swapped[FRAME_MAX];
};

extern struct generator gen;

/// Returns DPDK's port number of a port in a set.
static inline uint16_t port_id(int set, int port) { return (uint16_t)(set * gen.ports + port); }

/// Sets the size of all frames to send. No frame may be in a ring.
void set_frame_size(uint32_t size);

/// Sends and receives until a command arrives, and prints an answer. Then only receives, until the next
/// command arrives and the expected frames have been received, and prints the totals.
void run_job(int set, int job, uint32_t size, bool check_all, uint32_t seeds);

/// Sends `count` numbered frames.
void send_seed(int set, uint32_t count);

/// Measures round trips of single frames, with `gap_us` between them. Prints their times in microseconds.
void run_latency(int set, uint32_t rounds, uint32_t gap_us);
