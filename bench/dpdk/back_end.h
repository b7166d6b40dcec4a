// What the parts of the reference back end share: its ports, its memory, the burst in hand and what was
// counted.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "control.h"
#include "frame.h"
#include "jobs.h"

#define BURST 32  // librte_vhost's own maximum
#define MAX_PORTS 3
#define MAX_SEED 1024
#define GUEST_RECEIVES 0  // virtqueue numbers
#define GUEST_TRANSMITS 1

struct counters {
  uint64_t dequeued, enqueued, dequeues, idle_dequeues, enqueues, idle_enqueues;
  uint64_t spin_waited;  // cycles spent waiting, behind polls that found nothing
};

struct back_end {
  int ports;
  char path[MAX_PORTS][200];
  atomic_int vid[MAX_PORTS];  // -1: nobody is connected
  const uint16_t* made;  // what the guest of port 0 has made available to us, and how much of that we took:
  uint16_t taken;        // indexes of its ring
  struct rte_mempool* pool;
  struct counters now;
  // A burst in hand: what leads on, and how far each way out has taken it.
  struct rte_mbuf* burst[BURST];
  uint16_t held, sent, copied;
  struct rte_mbuf* seed[MAX_SEED];
  uint32_t seeds, next_seed;
  bool check_all;
  uint32_t size;
  uint64_t bad;
  uint8_t expected[FRAME_MAX];
};

extern struct back_end be;

/// Binds the sockets 0.sock, 1.sock … of a folder.
bool listen_at(const char* folder);

/// Answers once a guest is connected to each port.
void wait_for_guests(void);

/// Holds the next `count` packets of the guest, for a source to send.
void seed(uint32_t count);

/// Does a job; answers when the measured time is over, and once more when it has ended.
void run_job(int job, uint64_t warm_ms, uint64_t measured_ms);

/// Echoes what a sleep on the guest's kick wakes it up for, until a command comes.
void run_event_driven_echo(void);

/// The step of the job `echo`: false when there was nothing to do.
bool echo(void);

/// Prints what was counted since `from`, as the inside of an answer.
void print_counters(const struct counters* from);
