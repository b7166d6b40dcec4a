// Runs the guest's port with a minimal device, mainly for the sanitizers: every layout and header length,
// frames of every length, and used rings with random entries.
#include "guest/port.h"

#include <linux/virtio_config.h>

#include <cstring>

#include "test/harness.h"

namespace rxvhost::guest {

namespace {

using test::check;

/// A device that sends each transmitted frame back to the guest. Like a real device, it finds buffers by the
/// addresses in descriptors and does not use the guest's memory plan for them.
class LoopDevice {
 public:
  LoopDevice(Port& port, uint32_t size, uint32_t header) : port_(port), size_(size), header_(header) {}

  void run() {
    while (next_[1] != available(1)->idx) {
      const uint16_t head = available(1)->ring[next_[1]++ & (size_ - 1)];
      std::vector<uint8_t> bytes;
      for (const vring_desc& d : walk(1, head)) {
        const auto* from = reinterpret_cast<const uint8_t*>(at(d.addr));
        bytes.insert(bytes.end(), from, from + d.len);
      }
      complete(1, head, 0);
      give(bytes);
    }
  }

  void complete(uint32_t ring, uint32_t id, uint32_t length) {
    vring_used* used = this->used(ring);
    used->ring[used->idx & (size_ - 1)] = {id, length};
    used->idx++;
  }

 private:
  std::byte* at(uint64_t address) { return port_.memory().at(address - Port::kGuestAddress); }
  vring_avail* available(uint32_t ring) {
    return reinterpret_cast<vring_avail*>(port_.memory().at(port_.plan().rings[ring].available));
  }
  vring_used* used(uint32_t ring) {
    return reinterpret_cast<vring_used*>(port_.memory().at(port_.plan().rings[ring].used));
  }

  std::vector<vring_desc> walk(uint32_t ring, uint16_t head) {
    std::vector<vring_desc> chain;
    auto* table = reinterpret_cast<vring_desc*>(port_.memory().at(port_.plan().rings[ring].descriptors));
    uint16_t index = head;
    if (table[head].flags & VRING_DESC_F_INDIRECT) {
      table = reinterpret_cast<vring_desc*>(at(table[head].addr));
      index = 0;
    }
    for (;; index = table[index].next) {
      chain.push_back(table[index]);
      if (!(table[index].flags & VRING_DESC_F_NEXT)) return chain;
    }
  }

  void give(const std::vector<uint8_t>& bytes) {
    uint16_t buffers = 0;
    std::byte* first = nullptr;
    for (size_t sent = 0; sent < bytes.size(); buffers++) {
      check(next_[0] != available(0)->idx, "the guest posted enough buffers");
      const uint16_t head = available(0)->ring[next_[0]++ & (size_ - 1)];
      const size_t before = sent;
      for (const vring_desc& d : walk(0, head)) {
        const size_t part = std::min<size_t>(d.len, bytes.size() - sent);
        if (!first) first = at(d.addr);
        std::memcpy(at(d.addr), bytes.data() + sent, part);
        sent += part;
      }
      complete(0, head, static_cast<uint32_t>(sent - before));
    }
    if (header_ == 12) std::memcpy(first + 10, &buffers, 2);
  }

  Port& port_;
  uint32_t size_, header_;
  uint16_t next_[2] = {};
};

constexpr uint64_t bit(unsigned n) { return uint64_t{1} << n; }
constexpr uint64_t kIndirect = bit(VIRTIO_RING_F_INDIRECT_DESC);

void frames_survive(Layout layout, uint32_t segments, uint32_t receive_buffer, uint64_t features) {
  PortOptions options;
  options.layout = layout;
  options.segments = segments;
  options.receive_buffer = receive_buffer;
  Port port;
  check(port.open(options) == 0, "the port opens");
  check(port.start(features | kIndirect) == 0, "the port starts");
  const bool long_header = (features & (bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_NET_F_MRG_RXBUF))) != 0;
  LoopDevice device(port, options.queue_size, long_header ? 12 : 10);
  GeneratorOptions numbers;
  numbers.lengths = Lengths::sweep;
  numbers.minimum = 60;
  numbers.maximum = 1514;
  check(port.generator().configure(numbers), "the generator accepts the options");
  uint64_t sent = 0;
  while (sent < 70'000) {  // so many that 16-bit indices wrap
    sent += port.generate(2).count;
    device.run();
    port.check(64);
  }
  const SourceReport report = port.checker().report(0);
  check(report.received == sent && report.lost == 0 && report.reordered == 0, "all frames arrive in order");
  check(port.checker().corrupted() == 0 && port.stats().bad_headers == 0, "no frame is corrupted");
}

test::Register layouts("guest: frames of every length arrive intact in every layout", [] {
  for (uint64_t features :
       {bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_NET_F_MRG_RXBUF), bit(VIRTIO_NET_F_MRG_RXBUF),
        bit(VIRTIO_F_VERSION_1), uint64_t{0}, bit(VIRTIO_RING_F_EVENT_IDX)})
    for (Layout layout : {Layout::single, Layout::split, Layout::indirect})
      for (uint32_t segments : {1u, 3u})
        frames_survive(layout, segments, features & bit(VIRTIO_NET_F_MRG_RXBUF) ? 200 : 1600, features);
});

test::Register rubbish("guest: random used ring entries break the ring but do no other harm", [] {
  uint64_t state = 1;
  auto next = [&state] { return static_cast<uint32_t>((state = state * 6364136223846793005 + 1) >> 33); };
  for (int round = 0; round < 2000; round++) {
    PortOptions options;
    options.queue_size = 16;
    options.layout = static_cast<Layout>(round % 3);
    Port port;
    check(port.open(options) == 0, "the port opens");
    port.start(bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_NET_F_MRG_RXBUF) | kIndirect);
    check(port.generator().configure({}), "the generator accepts the options");
    port.generate(8);
    LoopDevice device(port, 16, 12);
    for (uint32_t n = next() % 24; n > 0; n--) device.complete(next() % 2, next() % 20, next() % 2100);
    std::vector<uint8_t> into(4096), headers(12 * 8);
    std::vector<uint32_t> lengths(8);
    for (int again = 0; again < 4; again++) {
      port.receive(into, lengths, headers);
      port.check(8);
      port.generate(8);
    }
  }
});

}  // namespace

}  // namespace rxvhost::guest
