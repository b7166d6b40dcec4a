#include "guest/numbered.h"

#include <algorithm>
#include <cstring>

namespace rxvhost::guest {

namespace {

constexpr uint16_t kEthertype = 0x88b5;
constexpr uint64_t kStep = 0x9e3779b97f4a7c15;  // odd, so that states repeat only after 2^64 words

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t seed_of(uint32_t source, uint64_t sequence, uint32_t length, uint64_t addresses) {
  return mix(sequence + kStep) + mix((uint64_t{source} << 32) ^ length) + addresses * kStep;
}

inline uint64_t word_of(uint64_t state) { return state ^ (state >> 29); }

uint64_t address_of(const uint8_t* mac) {
  uint64_t value = 0;
  for (int n = 0; n < 6; n++) value = value << 8 | mac[n];
  return value;
}

uint8_t byte_at(uint64_t seed, uint32_t position) {
  return static_cast<uint8_t>(word_of(seed + (position >> 3) * kStep) >> (position & 7) * 8);
}

void fill(std::byte* to, uint32_t length, uint64_t seed, uint32_t position) {
  for (; length && (position & 7); length--, position++) *to++ = std::byte{byte_at(seed, position)};
  const uint32_t words = length / 8;
  uint64_t state = seed + (position >> 3) * kStep;
  for (uint32_t n = 0; n < words; n++, state += kStep) {
    const uint64_t word = word_of(state);
    std::memcpy(to + n * 8, &word, 8);  // one unaligned store
  }
  for (uint32_t n = words * 8; n < length; n++) to[n] = std::byte{byte_at(seed, position + n)};
}

/// Returns a non-zero value if a byte differs from the expected stream.
uint64_t differs(const std::byte* from, uint32_t length, uint64_t seed, uint32_t position) {
  uint64_t difference = 0;
  for (; length && (position & 7); length--, position++)
    difference |= static_cast<uint8_t>(*from++) ^ byte_at(seed, position);
  const uint32_t words = length / 8;
  uint64_t state = seed + (position >> 3) * kStep;
  for (uint32_t n = 0; n < words; n++, state += kStep) {
    uint64_t word;
    std::memcpy(&word, from + n * 8, 8);
    difference |= word ^ word_of(state);
  }
  for (uint32_t n = words * 8; n < length; n++)
    difference |= static_cast<uint8_t>(from[n]) ^ byte_at(seed, position + n);
  return difference;
}

}  // namespace

bool Generator::configure(const GeneratorOptions& options) {
  if (options.minimum < kNumberedMinimum || options.maximum < options.minimum) return false;
  if (options.lengths > Lengths::imix) return false;
  options_ = options;
  sequence_ = options.first;
  addresses_ = address_of(options.destination) + address_of(options.address);
  return true;
}

uint32_t Generator::next_length() const {
  const uint32_t range = options_.maximum - options_.minimum + 1;
  switch (options_.lengths) {
    // 251 is a prime, so for most ranges all lengths occur, and consecutive frames have very different
    // lengths.
    case Lengths::sweep:
      return options_.minimum + static_cast<uint32_t>((sequence_ * 251) % range);
    case Lengths::imix: {  // of 12 frames, 7 are small, 4 are medium and 1 is large
      static constexpr uint16_t kImix[12] = {64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64};
      return std::clamp<uint32_t>(kImix[sequence_ % 12], options_.minimum, options_.maximum);
    }
    default:
      return options_.minimum;
  }
}

void Generator::write(const Span* pieces, uint32_t count) {
  uint32_t length = 0;
  for (uint32_t n = 0; n < count; n++) length += pieces[n].length;
  uint8_t header[kNumberedHeader];
  std::memcpy(header, options_.destination, 6);
  std::memcpy(header + 6, options_.address, 6);
  const uint16_t type = __builtin_bswap16(kEthertype);
  const uint64_t sequence = __builtin_bswap64(sequence_);
  const uint32_t source = __builtin_bswap32(options_.source);
  std::memcpy(header + 12, &type, 2);
  std::memcpy(header + 14, &sequence, 8);
  std::memcpy(header + 22, &source, 4);
  const uint64_t seed = seed_of(options_.source, sequence_, length, addresses_);
  uint32_t at = 0;  // in the frame
  for (uint32_t n = 0; n < count; n++) {
    std::byte* to = pieces[n].data;
    uint32_t left = pieces[n].length;
    if (at < kNumberedHeader) {
      const uint32_t part = std::min(left, kNumberedHeader - at);
      std::memcpy(to, header + at, part);
      to += part, left -= part, at += part;
    }
    fill(to, left, seed, at - kNumberedHeader);
    at += left;
  }
  sequence_++;
}

void Checker::reset(bool adopt) {
  for (Source& source : sources_) source = Source{};
  used_ = last_ = 0;
  adopt_ = adopt;
  corrupted_ = foreign_ = 0;
}

Checker::Source* Checker::find(uint32_t source) {
  if (last_ < used_ && sources_[last_].report.source == source) return &sources_[last_];
  for (uint32_t n = 0; n < used_; n++)
    if (sources_[n].report.source == source) return &sources_[last_ = n];
  return nullptr;
}

Checker::Source* Checker::add(uint32_t source, uint64_t sequence) {
  if (used_ == kSources) return nullptr;
  Source& entry = sources_[last_ = used_++];
  entry.report.source = source;
  entry.report.next = adopt_ ? sequence : 0;
  entry.seen = std::make_unique<uint64_t[]>(kWindow / 64);
  return &entry;
}

bool Checker::note(Source& source, uint64_t sequence) {
  SourceReport& report = source.report;
  auto bit = [](uint64_t number) { return uint64_t{1} << (number & 63); };
  auto word = [&source](uint64_t number) -> uint64_t& { return source.seen[number % kWindow / 64]; };
  if (sequence >= report.next) {
    const uint64_t skipped = sequence - report.next;
    report.lost += skipped;
    if (skipped >= kWindow)
      std::memset(source.seen.get(), 0, kWindow / 8);
    else
      for (uint64_t number = report.next; number < sequence; number++) word(number) &= ~bit(number);
    word(sequence) |= bit(sequence);
    report.next = sequence + 1;
    report.received++;
    return skipped == 0;
  }
  // A frame from before the first adopted number was neither seen nor counted as lost, so `lost` may be 0
  // here.
  if (report.next - sequence > kWindow || (word(sequence) & bit(sequence)) != 0 || report.lost == 0) {
    report.duplicated++;
    return false;
  }
  word(sequence) |= bit(sequence);
  report.lost--;
  report.reordered++;
  report.received++;
  return false;
}

bool Checker::check(const Span* pieces, uint32_t count, uint32_t length) {
  uint8_t header[kNumberedHeader];
  uint32_t at = 0;
  for (uint32_t n = 0; n < count && at < kNumberedHeader; n++) {
    const uint32_t part = std::min(pieces[n].length, kNumberedHeader - at);
    std::memcpy(header + at, pieces[n].data, part);
    at += part;
  }
  if (at < kNumberedHeader || header[12] != kEthertype >> 8 || header[13] != (kEthertype & 0xff)) {
    foreign_++;
    return false;
  }
  uint64_t sequence;
  uint32_t id;
  std::memcpy(&sequence, header + 14, 8);
  std::memcpy(&id, header + 22, 4);
  sequence = __builtin_bswap64(sequence);
  id = __builtin_bswap32(id);
  const uint64_t seed = seed_of(id, sequence, length, address_of(header) + address_of(header + 6));
  uint64_t difference = length < kNumberedMinimum;
  at = 0;
  for (uint32_t n = 0; n < count; n++) {
    const uint32_t skip = at < kNumberedHeader ? std::min(pieces[n].length, kNumberedHeader - at) : 0;
    const uint32_t left = pieces[n].length - skip;
    if (left) difference |= differs(pieces[n].data + skip, left, seed, at + skip - kNumberedHeader);
    at += pieces[n].length;
  }
  Source* source = find(id);
  if (difference != 0 || at != length) {
    corrupted_++;
    if (source) source->report.corrupted++;
    return false;
  }
  if (!source && !(source = add(id, sequence))) {
    foreign_++;
    return false;
  }
  return note(*source, sequence);
}

}  // namespace rxvhost::guest
