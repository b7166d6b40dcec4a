// Includes the kernel's layouts and constants of rings and of the virtio-net header. The kernel's headers are
// C, so this file leaves out helpers that are invalid in C++ and renames a member called `class`.
#pragma once

#include <linux/virtio_config.h>

#define VIRTIO_RING_NO_LEGACY
#include <linux/virtio_ring.h>
#undef VIRTIO_RING_NO_LEGACY

#define class class_
#include <linux/virtio_net.h>
#undef class
