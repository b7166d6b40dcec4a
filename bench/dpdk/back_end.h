// State that all parts of the reference back end share: its ports, its memory, the current burst and the
// counters.
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
  uint64_t spin_waited;  // cycles of waiting after polls that found nothing
};

struct back_end {
  int ports;
  char path[MAX_PORTS][200];
  atomic_int vid[MAX_PORTS];  // -1: no front end is connected
  const uint16_t* made;       // available index of the ring from guest of port 0
  uint16_t taken;             // index up to which this ring has been dequeued
  struct rte_mempool* pool;
  struct counters now;
  // The current burst, its length (`held`), and how many of its packets were enqueued (`copied`: to the
  // monitor).
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

/// Listens on the sockets 0.sock, 1.sock and so on in a folder.
bool listen_at(const char* folder);

/// Waits until a guest is connected to each port, then prints the answer.
void wait_for_guests(void);

/// Dequeues `count` packets from the guest and stores them. The job `source` sends them.
void seed(uint32_t count);

/// Runs a job. Prints one answer when the measured time is over, and a second answer when the job has ended.
void run_job(int job, uint64_t warm_ms, uint64_t measured_ms);

/// Echoes packets until a command arrives. Sleeps until the guest kicks.
void run_event_driven_echo(void);

/// Step of the job `echo`. Returns false if there was nothing to do.
bool echo(void);

/// Prints the counters since `from`, as the members of a JSON object.
void print_counters(const struct counters* from);
