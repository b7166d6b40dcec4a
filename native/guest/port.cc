#include "guest/port.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rxvhost::guest {

namespace {

/// Maximum number of queue pairs of a vhost-user back end.
constexpr uint32_t kMaxPairs = 128;
constexpr uint64_t kMaxMemory = 1ull << 32;

bool has(uint64_t features, unsigned bit) { return (features >> bit & 1) != 0; }

}  // namespace

int Port::open(const PortOptions& options, uint32_t pairs) {
  if (pairs < 1 || pairs > kMaxPairs || !plan_memory(options, 0, plan_)) return EINVAL;
  if (plan_.size * pairs > kMaxMemory) return EINVAL;
  options_ = options;
  memory_ = std::make_shared<Memory>();
  if (const int error = memory_->create(plan_.size * pairs)) return error;
  return open_rings();
}

int Port::open_beside(const Port& first, uint32_t pair) {
  const uint64_t start = first.plan_.size * pair;
  if (start + first.plan_.size > first.memory_->size()) return EINVAL;
  if (!plan_memory(first.options_, start, plan_)) return EINVAL;
  options_ = first.options_;
  memory_ = first.memory_;
  return open_rings();
}

int Port::open_rings() {
  for (uint32_t ring : {kToGuest, kFromGuest}) {
    kick_[ring] = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    call_[ring] = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!kick_[ring] || !call_[ring]) return errno;
    free_[ring].reserve(plan_.rings[ring].chains);
  }
  spans_.reserve(size_t{plan_.rings[kToGuest].chains} * (options_.segments + 1));
  checker_.reset(false);
  return 0;
}

int Port::start(uint64_t features) {
  const bool indirect = options_.layout == Layout::indirect;
  if (indirect && !has(features, VIRTIO_RING_F_INDIRECT_DESC)) return EINVAL;
  mergeable_ = has(features, VIRTIO_NET_F_MRG_RXBUF);
  // virtio 1.2 §5.1.6.1: the header has num_buffers with VERSION_1. In a legacy device it has num_buffers
  // only with MRG_RXBUF.
  const bool has_num_buffers = mergeable_ || has(features, VIRTIO_F_VERSION_1);
  header_length_ = has_num_buffers ? sizeof(virtio_net_hdr_mrg_rxbuf) : sizeof(virtio_net_hdr);
  for (uint32_t ring : {kToGuest, kFromGuest}) {
    DriverRing::Setup setup{};
    setup.size = static_cast<uint16_t>(options_.queue_size);
    setup.event_index = has(features, VIRTIO_RING_F_EVENT_IDX);
    setup.indirect = indirect;
    setup.device_writes = ring == kToGuest;
    setup.chain_length = options_.layout == Layout::single ? 1 : options_.segments + 1;
    setup.guest_address = kGuestAddress;
    rings_[ring].reset(*memory_, plan_.rings[ring], setup);
    free_[ring].clear();
    // Chains are taken from the end of this list, so this order makes chain 0 the first one.
    for (uint32_t chain = plan_.rings[ring].chains; chain-- > 0;)
      free_[ring].push_back(static_cast<uint16_t>(chain));
  }
  rings_[kFromGuest].suppress_call();
  started_ = true;
  if (options_.auto_post) post_receive(UINT32_MAX);
  return 0;
}

void Port::kick_now(uint32_t ring) {
  stats_.kicks[ring]++;
  ::eventfd_write(kick_[ring].get(), 1);
}

void Port::publish(uint32_t ring) {
  if (rings_[ring].publish())
    kick_now(ring);
  else
    stats_.kicks_suppressed[ring]++;
}

/// Writes the pieces of a chain for the header and `data` bytes after it. Returns the number of pieces.
uint32_t Port::chain_pieces(uint32_t ring, uint16_t chain, uint32_t data, std::span<Piece> out) const {
  const RingPlace& place = plan_.rings[ring];
  const uint64_t buffer = place.buffers + place.buffer_stride * chain;
  if (options_.layout == Layout::single) {
    out[0] = {buffer, header_length_ + data};
    return 1;
  }
  out[0] = {place.headers + 16ull * chain, header_length_};
  // Spread the data over all segments, whose lengths may be odd. A short frame uses fewer segments.
  const uint32_t share =
      std::max<uint32_t>((data + options_.segments - 1) / options_.segments, kLeastSegment);
  uint32_t count = 1;
  for (uint32_t at = 0; at < data; at += share, count++)
    out[count] = {buffer + uint64_t{place.segment_stride} * (count - 1), std::min(share, data - at)};
  return count;
}

uint32_t Port::post_receive(uint32_t max) {
  auto& free = free_[kToGuest];
  if (!started_ || rings_[kToGuest].broken()) return 0;
  const auto count = static_cast<uint32_t>(std::min<size_t>(max, free.size()));
  Piece pieces[kMaxSegments + 1];
  for (uint32_t n = 0; n < count; n++) {
    const uint16_t chain = free.back();
    free.pop_back();
    const uint32_t used = chain_pieces(kToGuest, chain, options_.receive_buffer - header_length_, pieces);
    rings_[kToGuest].add(chain, pieces, used);
  }
  if (count) publish(kToGuest);
  return count;
}

/// Frees the transmit chains that the back end has used.
void Port::reclaim() {
  Completion done;
  for (uint32_t count = rings_[kFromGuest].completed(); count && rings_[kFromGuest].take(done); count--)
    free_[kFromGuest].push_back(done.chain);
}

/// Sends up to `max` frames. For frame `n`, `write.length(n)` returns its length, `write.header(n, …)` writes
/// its virtio-net header, and `write.frame(n, spans_)` writes its bytes.
template <typename Write>
BurstResult Port::send_burst(uint32_t max, Write&& write) {
  BurstResult result;
  DriverRing& ring = rings_[kFromGuest];
  auto& free = free_[kFromGuest];
  if (!started_) return {0, true, false, 0};
  Piece pieces[kMaxSegments + 1];
  for (reclaim(); result.count < max && !ring.broken();) {
    if (free.empty()) {
      reclaim();
      if (!free.empty()) continue;
      if (result.count) publish(kFromGuest);
      result.more = true;
      // Request one call when three quarters of the chains are used, instead of a call for each frame.
      if (!arm_call(kFromGuest, ring.in_flight() * 3 / 4)) {
        result.broken = ring.broken();
        return result;
      }
      ring.suppress_call();
      result.more = false;
      continue;
    }
    const uint32_t length = write.length(result.count);
    if (length == 0 || length > options_.transmit_buffer) {
      result.error = length ? EMSGSIZE : EINVAL;
      break;
    }
    const uint16_t chain = free.back();
    const uint32_t used = chain_pieces(kFromGuest, chain, length, pieces);
    write.header(result.count, memory_->at(pieces[0].offset), header_length_);
    spans_.clear();
    for (uint32_t n = 0; n < used; n++) {
      const uint32_t skip = n == 0 ? header_length_ : 0;
      if (pieces[n].length > skip)
        spans_.push_back({memory_->at(pieces[n].offset) + skip, pieces[n].length - skip});
    }
    write.frame(result.count, spans_);
    free.pop_back();
    ring.add(chain, pieces, used);
    result.count++;
    stats_.sent++;
    stats_.sent_bytes += length;
  }
  if (result.count) publish(kFromGuest);
  result.broken = ring.broken();
  return result;
}

namespace {

struct CopyOut {
  const uint8_t* next;
  std::span<const uint32_t> lengths;
  std::span<const uint8_t> headers;

  uint32_t length(uint32_t n) const { return lengths[n]; }
  void header(uint32_t n, std::byte* to, uint32_t size) const {
    std::memset(to, 0, size);
    if (!headers.empty())
      std::memcpy(to, headers.data() + size_t{n} * sizeof(virtio_net_hdr), sizeof(virtio_net_hdr));
  }
  void frame(uint32_t, const std::vector<Span>& spans) {
    for (const Span& span : spans) {
      std::memcpy(span.data, next, span.length);
      next += span.length;
    }
  }
};

struct WriteNumbered {
  Generator& generator;

  uint32_t length(uint32_t) const { return generator.next_length(); }
  void header(uint32_t, std::byte* to, uint32_t size) const { std::memset(to, 0, size); }
  void frame(uint32_t, const std::vector<Span>& spans) {
    generator.write(spans.data(), static_cast<uint32_t>(spans.size()));
  }
};

}  // namespace

BurstResult Port::send(std::span<const uint8_t> bytes, std::span<const uint32_t> lengths,
                       std::span<const uint8_t> headers) {
  uint64_t total = 0;
  for (uint32_t length : lengths) total += length;
  if (total > bytes.size()) return {0, false, false, EINVAL};
  if (!headers.empty() && headers.size() / sizeof(virtio_net_hdr) < lengths.size())
    return {0, false, false, EINVAL};
  return send_burst(static_cast<uint32_t>(lengths.size()), CopyOut{bytes.data(), lengths, headers});
}

BurstResult Port::generate(uint32_t max) { return send_burst(max, WriteNumbered{generator_}); }

/// Appends the contents of one completed buffer, without its first `skip` bytes, to spans_.
void Port::append_spans(const Completion& completion, uint32_t skip, uint32_t& length) {
  Piece pieces[kMaxSegments + 1];
  const uint32_t count =
      chain_pieces(kToGuest, completion.chain, options_.receive_buffer - header_length_, pieces);
  uint32_t left = completion.length;
  for (uint32_t n = 0; n < count && left; n++) {
    const uint32_t part = std::min(left, pieces[n].length);
    left -= part;
    const uint32_t cut = std::min(skip, part);
    skip -= cut;
    if (part == cut) continue;
    spans_.push_back({memory_->at(pieces[n].offset) + cut, part - cut});
    length += part - cut;
  }
}

/// Takes the buffers of one frame and puts their contents into spans_. The caller has already taken the first
/// buffer. Returns false if the frame has no complete header or no data.
bool Port::gather(const Completion& first, uint32_t& buffers, uint32_t& length) {
  spans_.clear();
  length = 0;
  append_spans(first, header_length_, length);
  free_[kToGuest].push_back(first.chain);
  for (uint32_t n = 1; n < buffers; n++) {
    Completion next;
    if (!rings_[kToGuest].take(next)) return false;
    append_spans(next, 0, length);
    free_[kToGuest].push_back(next.chain);
  }
  return first.length >= header_length_ && length > 0;
}

template <typename Read>
BurstResult Port::receive_burst(uint32_t max, Read&& read) {
  BurstResult result;
  DriverRing& ring = rings_[kToGuest];
  if (!started_) return result;
  ring.suppress_call();
  uint32_t ready = ring.completed();
  while (result.count < max && !ring.broken()) {
    if (ready == 0 && (ready = ring.completed()) == 0) {
      if (options_.auto_post) post_receive(UINT32_MAX);
      if (!arm_call(kToGuest, 0)) break;
      ring.suppress_call();
      continue;
    }
    Completion first;
    if (!ring.peek(first)) break;
    const std::byte* header =
        memory_->at(options_.layout == Layout::single
                        ? plan_.rings[0].buffers + plan_.rings[0].buffer_stride * first.chain
                        : plan_.rings[0].headers + 16ull * first.chain);
    // The header is copied once, because the back end may still write it.
    std::memcpy(header_.data(), header, header_length_);
    // Without MRG_RXBUF num_buffers has no meaning: drivers ignore it, and DPDK does not set it.
    uint16_t named = 1;
    if (mergeable_)
      std::memcpy(&named, header_.data() + offsetof(virtio_net_hdr_mrg_rxbuf, num_buffers), sizeof(named));
    const bool bad = named == 0 || named > options_.queue_size;
    uint32_t buffers = bad ? 1 : named;
    if (buffers > ready && buffers > (ready = ring.completed())) {
      // A device must put all buffers of a frame into the used ring together (§5.1.6.4.1). If it publishes
      // some of them earlier, we wait for the others.
      stats_.waits++;
      if (!arm_call(kToGuest, buffers - 1)) break;
      ready = ring.completed();
      continue;
    }
    uint32_t length = 0;
    ring.take(first);
    ready -= buffers;
    if (!gather(first, buffers, length) || bad) {
      stats_.bad_headers++;
      continue;
    }
    if (!read.room(length, result.count)) {
      stats_.oversize++;
      continue;
    }
    read.frame(result.count++, spans_, length, header_);
    stats_.received++;
    stats_.received_bytes += length;
    result.more = read.full();
    if (result.more) break;
  }
  if (options_.auto_post) post_receive(UINT32_MAX);
  result.more = result.more || (result.count == max && max > 0);
  result.broken = ring.broken();
  return result;
}

namespace {

struct CopyIn {
  std::span<uint8_t> into;
  std::span<uint32_t> lengths;
  std::span<uint8_t> headers;
  uint32_t longest;  // if less than this is left, the burst ends, because a longest frame would not fit
  size_t used = 0;

  bool room(uint32_t length, uint32_t) const { return length <= into.size() - used; }
  bool full() const { return into.size() - used < longest; }
  void frame(uint32_t n, const std::vector<Span>& spans, uint32_t length,
             const std::array<uint8_t, kMaxHeader>& header) {
    for (const Span& span : spans) {
      std::memcpy(into.data() + used, span.data, span.length);
      used += span.length;
    }
    lengths[n] = length;
    if (!headers.empty()) std::memcpy(headers.data() + size_t{n} * kMaxHeader, header.data(), kMaxHeader);
  }
};

struct CheckNumbered {
  Checker& checker;

  bool room(uint32_t, uint32_t) const { return true; }
  bool full() const { return false; }
  void frame(uint32_t, const std::vector<Span>& spans, uint32_t length,
             const std::array<uint8_t, kMaxHeader>&) {
    checker.check(spans.data(), static_cast<uint32_t>(spans.size()), length);
  }
};

}  // namespace

BurstResult Port::receive(std::span<uint8_t> into, std::span<uint32_t> lengths, std::span<uint8_t> headers) {
  auto max = static_cast<uint32_t>(std::min<size_t>(lengths.size(), 0xffff));
  if (!headers.empty()) max = std::min(max, static_cast<uint32_t>(headers.size() / kMaxHeader));
  // Enough for the longest frame of any offload. A longer frame is dropped as oversize.
  const auto longest = static_cast<uint32_t>(std::min<size_t>(into.size(), 65536 + 64));
  return receive_burst(max, CopyIn{into, lengths, headers, longest});
}

BurstResult Port::check(uint32_t max) { return receive_burst(max, CheckNumbered{checker_}); }

}  // namespace rxvhost::guest
