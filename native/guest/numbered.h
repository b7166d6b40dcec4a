// Numbered frames: a generator and a checker that leave no byte of a frame unchecked, at the speed of memory.
// Knows Ethernet framing and nothing of rings: both work on a frame given as pieces of memory in order.
//
//   0 destination MAC   6 source MAC   12 ethertype 0x88B5 (local experimental)   14 sequence number, u64
//   big-endian 22 source id, u32 big-endian   26 payload: byte p is byte p % 8 of word p / 8 of a stream
//   seeded by the source, the sequence number, the frame's length and the sum of both MAC addresses
//
// So a frame that lost its tail, that carries a piece of another one or whose addresses changed is corrupted,
// while one whose addresses were swapped (a reflector such as DPDK's macswap) is not.
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
inline constexpr uint32_t kNumberedMinimum = 60;  // Ethernet's, without the check sequence

enum class Lengths : uint32_t { fixed, sweep, imix };

struct GeneratorOptions {
  uint32_t source = 0;
  uint64_t first = 0;  // sequence number of the first frame
  Lengths lengths = Lengths::fixed;
  uint32_t minimum = 64, maximum = 64;  // of a frame's length; `fixed` uses the minimum
  uint8_t destination[6] = {};
  uint8_t address[6] = {};
};

class Generator {
 public:
  /// False if the lengths make no sense.
  bool configure(const GeneratorOptions& options);
  uint64_t next_sequence() const { return sequence_; }
  uint32_t next_length() const;
  /// Writes the next frame, of next_length() bytes, into pieces that hold exactly that many.
  void write(const Span* pieces, uint32_t count);

 private:
  GeneratorOptions options_;
  uint64_t sequence_ = 0;
  uint64_t addresses_ = 0;
};

/// What became of one source's frames. received + lost = highest sequence number seen + 1 - the first
/// expected.
struct SourceReport {
  uint32_t source = 0;
  uint64_t received = 0;    // intact, each sequence number counted once
  uint64_t lost = 0;        // skipped so far; a late arrival takes itself off again
  uint64_t reordered = 0;   // arrived after a later one
  uint64_t duplicated = 0;  // arrived again, or too late to tell (more than kWindow behind)
  uint64_t corrupted = 0;   // said to be of this source, but with a wrong byte
  uint64_t next = 0;        // the sequence number that is expected next
};

class Checker {
 public:
  static constexpr uint32_t kSources = 64;
  static constexpr uint32_t kWindow = 65536;

  /// Forgets everything. `adopt`: the first frame of each source says where its numbers begin; otherwise at
  /// 0.
  void reset(bool adopt);
  /// Checks a frame of `length` bytes. False if anything is wrong with it, or it is no numbered frame.
  bool check(const Span* pieces, uint32_t count, uint32_t length);

  uint32_t sources() const { return used_; }
  SourceReport report(uint32_t n) const { return sources_[n].report; }
  uint64_t corrupted() const { return corrupted_; }  // of known and unknown sources
  uint64_t foreign() const { return foreign_; }      // not numbered frames, or of too many sources

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
