// Sends numbered frames from one guest to another through the pool, for every combination of features that a
// driver may negotiate. The receiver checks every byte. No frame may be lost or reordered, and no lease may
// remain.
#include <algorithm>

#include "test/fixture.h"

namespace rxvhost::test {
namespace {

using guest::Layout;

struct Variant {
  bool event_index, indirect, mergeable, version_1;
  Layout layout;
};

uint64_t features_of(const Variant& v) {
  uint64_t features = 0;
  if (v.event_index) features |= feature(VIRTIO_RING_F_EVENT_IDX);
  if (v.indirect) features |= feature(VIRTIO_RING_F_INDIRECT_DESC);
  if (v.mergeable) features |= feature(VIRTIO_NET_F_MRG_RXBUF);
  if (v.version_1) features |= feature(VIRTIO_F_VERSION_1);
  return features | feature(VIRTIO_F_ANY_LAYOUT);
}

void release(Pool& pool, const uint32_t* slots, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
}

void exchange(const Variant& v, uint32_t frames, uint32_t length_from, uint32_t length_to) {
  guest::PortOptions options;
  options.layout = v.layout;
  // With mergeable buffers, the buffers are smaller than the frames, so that a frame needs several buffers.
  options.receive_buffer = v.mergeable ? 600 : 2048;
  const uint64_t features = features_of(v);
  Machine a(options, features), b(options, features);
  Pool pool;
  check(pool.open(8 << 20), "the pool opens");
  open_account(pool, 1);
  check(a.port.generator().configure(
            {.lengths = guest::Lengths::sweep, .minimum = length_from, .maximum = length_to}),
        "the generator accepts the lengths");
  b.port.checker().reset(false);
  uint32_t held[kMaxBurst], count = 0;
  uint64_t moved = 0;
  for (uint32_t idle = 0; moved < frames && idle < 1000; idle++) {
    const uint64_t left = frames - a.port.generator().next_sequence();
    if (left > 0) a.port.generate(static_cast<uint32_t>(std::min<uint64_t>(left, 64)));
    if (count == 0) count = dequeue_burst(a.from_guest, pool, 1, 32, held) & kBurstCount;
    const uint32_t taken = enqueue_burst(b.to_guest, pool, held, count) & kBurstCount;
    release(pool, held, taken);
    std::copy(held + taken, held + count, held);
    count -= taken;
    moved += taken;
    if (b.port.check(64).count + taken > 0) idle = 0;
  }
  while (b.port.check(64).count > 0) {
  }
  const auto report = b.port.checker().report(0);
  check(report.received == frames, "all frames arrived");
  check(report.lost == 0 && report.reordered == 0 && report.corrupted == 0 && report.duplicated == 0,
        "the frames are intact and in order");
  check(pool.account(1).packets == 0 && pool.account(1).bytes == 0, "no lease is left");
  check(a.from_guest.fault() == Reason::none && b.to_guest.fault() == Reason::none, "no fault");
}

void all_variants() {
  for (int bits = 0; bits < 16; bits++)
    for (Layout layout : {Layout::single, Layout::split, Layout::indirect}) {
      const Variant v{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, layout};
      if (layout == Layout::indirect && !v.indirect) continue;
      exchange(v, 3000, 60, 1514);
    }
}

const Register every_variant("rings: frames arrive intact in every variant of ring and header", all_variants);

}  // namespace
}  // namespace rxvhost::test
