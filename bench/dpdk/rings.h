// A fast driver for the rings of a port. DPDK's own virtio driver takes about 40 ns per packet, several times
// as long as librte_vhost takes in the back end. A back end would wait for it most of the time, and no slice
// would count. So DPDK's driver only sets up the ports and negotiates; then this file uses the rings. Per
// packet, this file writes the same data (descriptor, available entry, index, and kicks if the back end asks
// for kicks), but each slot always has the same buffer.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

struct ring {
  struct vring_desc* desc;
  struct vring_avail* avail;
  struct vring_used* used;
  uint16_t size, made, seen;  // made: available index; seen: used index
  int kick;
  uint8_t* buffer[1024];  // buffer of each slot; begins with the virtio-net header
  uint32_t length[1024];
};

/// Takes over ring `index` of the port that connected as number `port`. Returns false if the ring's address
/// is unknown or the ring is too large.
bool ring_take_over(struct ring* ring, unsigned port, unsigned index);

/// Returns the number of slots that the back end has used and that were not yet processed.
static inline uint16_t ring_done(const struct ring* ring) {
  return (uint16_t)(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) - ring->seen);
}

/// Returns the slot of an index of the ring.
static inline uint16_t ring_slot(const struct ring* ring, uint16_t index) { return index & (ring->size - 1); }

/// Prepares the next slot; ring_publish() then makes it visible to the back end.
static inline void ring_make(struct ring* ring, uint32_t length, uint16_t flags) {
  const uint16_t slot = ring_slot(ring, ring->made++);
  ring->desc[slot] = (struct vring_desc){(uintptr_t)ring->buffer[slot], length, flags, 0};
  ring->avail->ring[slot] = slot;
}

/// Publishes the prepared slots, and kicks the back end unless it has turned kicks off.
void ring_publish(struct ring* ring);
