// What a virtio-user port tells its back end: where its rings are, and how to kick. The port itself keeps
// that to itself, so the messages that it sends are looked at on their way out (vhost-user, "Communication").
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

/// The port that connected as number `n`; NULL if there is none.
const struct overheard_port* overheard(unsigned n);
