// The rings of a port, driven by hand. DPDK's own virtio driver takes some 40 ns a packet on this side,
// several times what librte_vhost takes on the other, so a back end would wait for it most of the time, and
// no slice would count. So the driver sets its ports up and negotiates, and then leaves its rings to this:
// what it writes into a ring for a packet (descriptor, available entry, index, and kicks where they are asked
// for) is written here as well, with a packet's buffer being always the one of its slot.
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
  uint8_t* buffer[1024];  // of each slot, from the virtio-net header on
  uint32_t length[1024];
};

/// Takes over ring `index` of the port that connected as number `port`. False: it has told no rings, or too
/// large ones.
bool ring_take_over(struct ring* ring, unsigned port, unsigned index);

/// Slots that the other side has done with and that were not yet seen.
static inline uint16_t ring_done(const struct ring* ring) {
  return (uint16_t)(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) - ring->seen);
}

/// The next slot, in turn.
static inline uint16_t ring_slot(const struct ring* ring, uint16_t index) { return index & (ring->size - 1); }

static inline void ring_make(struct ring* ring, uint32_t length, uint16_t flags) {
  const uint16_t slot = ring_slot(ring, ring->made++);
  ring->desc[slot] = (struct vring_desc){(uintptr_t)ring->buffer[slot], length, flags, 0};
  ring->avail->ring[slot] = slot;
}

/// Shows what was made to the other side, and kicks it if it wants that.
void ring_publish(struct ring* ring);
