#include "rings.h"

#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "overhear.h"

bool ring_take_over(struct ring* ring, unsigned port, unsigned index) {
  const struct overheard_port* heard = overheard(port);
  if (heard == NULL || heard->ring[index].desc == 0 || heard->ring[index].size > 1024) return false;
  const struct overheard_ring* told = &heard->ring[index];
  ring->desc = (struct vring_desc*)told->desc;
  ring->avail = (struct vring_avail*)told->avail;
  ring->used = (struct vring_used*)told->used;
  ring->size = (uint16_t)told->size;
  ring->kick = told->kick;
  ring->made = ring->avail->idx;
  ring->seen = ring->used->idx;
  // Each slot keeps the buffer that the driver posted in it.
  for (uint16_t slot = 0; slot < ring->size; slot++) {
    ring->buffer[slot] = (uint8_t*)(uintptr_t)ring->desc[slot].addr;
    ring->length[slot] = ring->desc[slot].len;
  }
  return true;
}

void ring_publish(struct ring* ring) {
  __atomic_store_n(&ring->avail->idx, ring->made, __ATOMIC_RELEASE);
  // Make the index visible before reading the flag. Otherwise both sides may wait (virtio 1.2, 2.7.13.4.1).
  atomic_thread_fence(memory_order_seq_cst);
  if (*(volatile uint16_t*)&ring->used->flags & VRING_USED_F_NO_NOTIFY) return;
  const uint64_t one = 1;
  if (write(ring->kick, &one, sizeof(one)) < 0)
    return;  // fails only if the eventfd already has a pending kick
}
