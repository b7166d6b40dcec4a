// The kernel's layouts and constants of rings and the virtio-net header. The headers are C: the helpers that
// C++ refuses are left out, and a member called `class` is renamed.
#pragma once

#include <linux/virtio_config.h>

#define VIRTIO_RING_NO_LEGACY
#include <linux/virtio_ring.h>
#undef VIRTIO_RING_NO_LEGACY

#define class class_
#include <linux/virtio_net.h>
#undef class
