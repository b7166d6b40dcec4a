// F25 of the catalogue of bad inputs: a guest changes memory that we have read, between the check and the
// use. The probe of core/base/guest_load.h is called for every load of guest memory, so it can simulate such
// a guest without threads. It counts the loads of each byte, and it inverts every bit of a control field
// after a load. The tests check that no byte is loaded twice and that the results are those of the first
// load.
#include <algorithm>
#include <cstring>
#include <vector>

#include "test/fixture.h"

namespace rxvhost::test {
namespace {

using guest::Layout;

// The minimum number of bytes that are loaded for a chain: its available ring entry and one descriptor.
constexpr uint64_t kHeadAndDescriptor = 2 + 16;

// The watched memory of one ring. `free` marks the ring's indices and flags, which may be loaded several
// times, because the driver may change them at any time. All other bytes may be loaded only once per burst.
struct Watch {
  const uint8_t* base = nullptr;
  std::vector<uint8_t> loads;
  std::vector<bool> free;
  bool flip = false;
  uint32_t twice = 0;
  uint64_t total = 0;  // bytes
};
Watch watch;

void seen(const void* at, size_t size) {
  const auto* byte = static_cast<const uint8_t*>(at);
  if (byte < watch.base || byte >= watch.base + watch.loads.size()) return;
  const size_t offset = static_cast<size_t>(byte - watch.base);
  watch.total += size;
  for (size_t i = offset; i < offset + size; i++) {
    if (watch.free[i]) continue;
    if (++watch.loads[i] > 1) watch.twice++;
    if (watch.flip) const_cast<uint8_t*>(watch.base)[i] ^= 0xff;
  }
}

struct Watching {
  Watching(Machine& machine, Virtqueue& queue, bool flip) {
    const Region& region = queue.memory().regions()[0];
    watch = Watch{};
    watch.base = region.host;
    watch.loads.assign(region.size, 0);
    watch.free.assign(region.size, false);
    watch.flip = flip;
    for (const auto& ring : machine.port.plan().rings) {
      for (uint64_t i = 0; i < 4; i++) watch.free[ring.available + i] = watch.free[ring.used + i] = true;
      for (uint64_t i = 0; i < 2; i++) watch.free[ring.available + 4 + 2 * queue_size + i] = true;
    }
    probe_guest_load = seen;
  }
  ~Watching() { probe_guest_load = nullptr; }
  static constexpr uint64_t queue_size = 256;
};

struct Bytes {
  std::vector<std::vector<uint8_t>> frames;
  bool operator==(const Bytes&) const = default;
};

Bytes take(Virtqueue& queue, Pool& pool, uint32_t* slots, uint32_t* count) {
  const uint32_t result = dequeue_burst(queue, pool, 1, 32, slots);
  check(!(result & kBurstFault), "no fault");
  *count = result & kBurstCount;
  Bytes bytes;
  for (uint32_t i = 0; i < *count; i++)
    bytes.frames.emplace_back(pool.data(slots[i]), pool.data(slots[i]) + pool.meta(slots[i]).length);
  return bytes;
}

struct Variant {
  Layout layout;
  uint64_t features;
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (int bits = 0; bits < 8; bits++)
    for (Layout layout : {Layout::single, Layout::split, Layout::indirect}) {
      uint64_t features = feature(VIRTIO_F_ANY_LAYOUT) | feature(VIRTIO_RING_F_INDIRECT_DESC);
      if (bits & 1) features |= feature(VIRTIO_RING_F_EVENT_IDX);
      if (bits & 2) features |= feature(VIRTIO_NET_F_MRG_RXBUF);
      if (bits & 4) features |= feature(VIRTIO_F_VERSION_1);
      all.push_back({layout, features});
    }
  return all;
}

guest::PortOptions options_of(const Variant& v) {
  guest::PortOptions options;
  options.layout = v.layout;
  options.queue_size = Watching::queue_size;
  options.segments = 3;
  options.receive_buffer = v.features & feature(VIRTIO_NET_F_MRG_RXBUF) ? 300 : 2048;
  return options;
}

void prepare(Machine& machine) {
  machine.port.generator().configure({.lengths = guest::Lengths::sweep, .minimum = 60, .maximum = 1000});
  machine.port.generate(24);
}

// Moves the indirect tables to odd addresses, so that their entries cross the boundaries of all our loads.
void move_table(Machine& machine) {
  const auto& ring = machine.port.plan().rings[1];
  auto* desc = reinterpret_cast<vring_desc*>(machine.port.memory().at(ring.descriptors));
  for (uint32_t i = 24; i-- > 0;) {  // the last table first, because the tables are adjacent
    if (!(desc[i].flags & VRING_DESC_F_INDIRECT)) continue;
    const uint64_t from = desc[i].addr - guest::Port::kGuestAddress;
    std::byte table[16 * 8];
    check(desc[i].len < sizeof table - 16, "the table is small");
    std::memcpy(table, machine.port.memory().at(from), desc[i].len);
    std::memcpy(machine.port.memory().at(from + 3), table, desc[i].len);
    desc[i].addr += 3;
  }
}

void once() {
  for (const Variant& v : variants()) {
    for (bool odd : {false, true}) {
      if (odd && v.layout != Layout::indirect) continue;
      for (bool flip : {false, true}) {
        Machine plain(options_of(v), v.features), watched(options_of(v), v.features),
            to(options_of(v), v.features);
        Pool pool;
        check(pool.open(8 << 20), "the pool opens");
        open_account(pool, 1);
        prepare(plain);
        prepare(watched);
        if (odd) move_table(watched);
        uint32_t slots[kMaxBurst], others[kMaxBurst], count = 0, expected = 0;
        const Bytes wanted = take(plain.from_guest, pool, others, &expected);
        Bytes got;
        {
          Watching from(watched, watched.from_guest, flip);
          got = take(watched.from_guest, pool, slots, &count);
          check(watch.total >= 24 * kHeadAndDescriptor, "the probe sees the loads");
          check(watch.twice == 0, "from guest: no byte is loaded twice");
        }
        check(count == 24 && got == wanted, "from guest: the frames are those of the first load");
        to.port.checker().reset(false);
        {
          Watching into(to, to.to_guest, flip);
          const uint32_t result = enqueue_burst(to.to_guest, pool, slots, count);
          check((result & kBurstCount) == count && !(result & kBurstFault), "to guest: all frames are taken");
          check(watch.total >= 24 * kHeadAndDescriptor, "the probe sees the loads");
          check(watch.twice == 0, "to guest: no byte is loaded twice");
        }
        while (to.port.check(64).count > 0) {
        }
        const auto report = to.port.checker().report(0);
        check(report.received == 24 && report.corrupted == 0 && report.lost == 0,
              "to guest: all frames are intact");
        for (uint32_t i = 0; i < count; i++) pool.give_back(slots[i]);
        for (uint32_t i = 0; i < expected; i++) pool.give_back(others[i]);
      }
    }
  }
}

// The available index is read again whenever all available entries have been taken. Each new value must be
// checked like the first one.
uint16_t* index_at = nullptr;
uint32_t index_loads = 0;
void change_index(const void* at, size_t) {
  if (at != index_at) return;
  index_loads++;
  *index_at = static_cast<uint16_t>(*index_at + 3 * Watching::queue_size);
}

void index_changes() {
  guest::PortOptions options;
  Machine machine(options, feature(VIRTIO_F_VERSION_1));
  Pool pool;
  check(pool.open(8 << 20), "the pool opens");
  open_account(pool, 1);
  prepare(machine);
  const auto* host = machine.from_guest.memory().regions()[0].host;
  auto* available =
      reinterpret_cast<vring_avail*>(const_cast<uint8_t*>(host) + machine.port.plan().rings[1].available);
  index_at = &available->idx;
  uint32_t slots[kMaxBurst];
  // The first load only checks whether the ring was cleared. At the second load, the index is out of range.
  probe_guest_load = change_index;
  const uint32_t result = dequeue_burst(machine.from_guest, pool, 1, 32, slots);
  probe_guest_load = nullptr;
  check(index_loads > 0, "the index was read");
  check(result & kBurstFault && machine.from_guest.fault() == Reason::avail_jump,
        "the invalid index is detected");
  for (uint32_t i = 0; i < (result & kBurstCount); i++) pool.give_back(slots[i]);
}

const Register f25("hostile F25: every control field of a chain is loaded only once", once);
const Register f25_index("hostile F25: the available index is checked at every load", index_changes);

}  // namespace
}  // namespace rxvhost::test
