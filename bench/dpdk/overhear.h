// Ring addresses and kick fds of a virtio-user port. DPDK has no function that returns them, so they are read
// from the messages that the port sends to its back end (vhost-user, "Communication").
#pragma once

#include <stdint.h>

#define OVERHEARD_RINGS 2

struct overheard_ring {
  uint32_t size;
  uint64_t desc, used, avail;  // addresses in this process
  int kick;
};

struct overheard_port {
  int socket;
  uint64_t features;
  struct overheard_ring ring[OVERHEARD_RINGS];
};

/// Returns the port that connected as number `n`, or NULL if there is none.
const struct overheard_port* overheard(unsigned n);
