// Numbered frames: a generator, and a checker that checks every byte of a frame. Both are about as fast as
// the memory. They know Ethernet frames but do not depend on rings. A frame consists of pieces of memory in
// order. Its layout:
//
//    0  destination MAC
//    6  source MAC
//   12  ethertype 0x88B5 (local experimental)
//   14  sequence number, u64 big-endian
//   22  source id, u32 big-endian
//   26  payload: byte p is byte p % 8 of word p / 8 of a pseudo-random stream
//
// The seed of the stream is made of the source id, the sequence number, the frame's length and the sum of
// both MAC addresses. So a frame is corrupted if it lost its end, contains a piece of another frame, or has a
// changed address. A frame with swapped addresses, as from DPDK's macswap, is not corrupted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace rxvhost::guest {

struct Span {
  std::byte* data;
  uint32_t length;
};

inline constexpr uint32_t kNumberedHeader = 26;
inline constexpr uint32_t kNumberedMinimum = 60;  // the minimum of Ethernet, without the frame check sequence

enum class Lengths : uint32_t { fixed, sweep, imix };

struct GeneratorOptions {
  uint32_t source = 0;
  uint64_t first = 0;  // sequence number of the first frame
  Lengths lengths = Lengths::fixed;
  uint32_t minimum = 64, maximum = 64;  // frame lengths; `fixed` uses the minimum
  uint8_t destination[6] = {};
  uint8_t address[6] = {};
};

class Generator {
 public:
  /// Sets the options. Returns false if the lengths are invalid.
  bool configure(const GeneratorOptions& options);
  uint64_t next_sequence() const { return sequence_; }
  uint32_t next_length() const;
  /// Writes the next frame into pieces, which must have exactly next_length() bytes in total.
  void write(const Span* pieces, uint32_t count);

 private:
  GeneratorOptions options_;
  uint64_t sequence_ = 0;
  uint64_t addresses_ = 0;
};

/// Results for the frames of one source. received + lost is the number of sequence numbers from the first
/// expected one to the highest one seen.
struct SourceReport {
  uint32_t source = 0;
  uint64_t received = 0;    // intact, each sequence number counted once
  uint64_t lost = 0;        // skipped so far; a frame that arrives late is subtracted again
  uint64_t reordered = 0;   // arrived after a frame with a higher number
  uint64_t duplicated = 0;  // arrived again, or more than kWindow behind, where duplicates are not known
  uint64_t corrupted = 0;   // frames with the id of this source and a wrong byte
  uint64_t next = 0;        // the next expected sequence number
};

class Checker {
 public:
  static constexpr uint32_t kSources = 64;
  static constexpr uint32_t kWindow = 65536;

  /// Clears all results. If `adopt` is true, the numbers of a source begin with the number of its first
  /// frame. Otherwise they begin at 0.
  void reset(bool adopt);
  /// Checks a frame of `length` bytes. Returns false if the frame is wrong, not the expected one, or not
  /// numbered.
  bool check(const Span* pieces, uint32_t count, uint32_t length);

  uint32_t sources() const { return used_; }
  SourceReport report(uint32_t n) const { return sources_[n].report; }
  uint64_t corrupted() const { return corrupted_; }  // frames of known and unknown sources
  uint64_t foreign() const { return foreign_; }      // frames that are not numbered, or of too many sources

 private:
  struct Source {
    SourceReport report;
    std::unique_ptr<uint64_t[]> seen;  // one bit for each of the last kWindow numbers
  };

  Source* find(uint32_t source);
  Source* add(uint32_t source, uint64_t sequence);
  bool note(Source& source, uint64_t sequence);

  Source sources_[kSources];
  uint32_t used_ = 0, last_ = 0;
  bool adopt_ = false;
  uint64_t corrupted_ = 0, foreign_ = 0;
};

}  // namespace rxvhost::guest
