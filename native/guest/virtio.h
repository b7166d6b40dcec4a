// The kernel's layouts of rings and the virtio-net header. Their headers are C: the parts that C++ refuses
// are left out or renamed here.
#pragma once

#include <linux/virtio_config.h>

#define VIRTIO_RING_NO_LEGACY
#include <linux/virtio_ring.h>
#undef VIRTIO_RING_NO_LEGACY

#define class class_
#include <linux/virtio_net.h>
#undef class
