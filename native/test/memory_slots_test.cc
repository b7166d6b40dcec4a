// Adds and removes memory regions one at a time, and compares the result with a reference, which is a simple
// list.
#include <sys/mman.h>

#include <algorithm>
#include <random>

#include "test/fixture.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kPage = 4096;

struct Memory {
  int fd = memfd_create("regions", MFD_CLOEXEC);
  explicit Memory(uint64_t size) {
    check(ftruncate(fd, static_cast<off_t>(size)) == 0, "the file has its size");
  }
  Memory(const Memory&) = delete;
  ~Memory() { close(fd); }
  Fd share() const { return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }
};

using Snapshot = std::shared_ptr<const MemorySnapshot>;

/// Returns region number n. The regions are adjacent, but there is a gap before every fourth one.
RegionSpec numbered(uint64_t n) {
  return {0x1000'0000 + (n * 2 + n / 4) * kPage, 2 * kPage, kUser + n * 4 * kPage, n * 2 * kPage};
}

void random_order() {
  Memory file(2 * kPage * 1024);
  std::mt19937 random(509);
  Snapshot memory = std::make_shared<MemorySnapshot>();
  std::vector<uint64_t> there;
  for (int step = 0; step < 4000; step++) {
    const uint64_t n = random() % 600;
    const auto at = std::find(there.begin(), there.end(), n);
    if (random() % 8 < 5) {
      const bool room = there.size() < kMaxRegions || at != there.end();
      const Reason reason = add(memory, numbered(n), file.share(), &memory);
      check(reason == (room ? Reason::none : Reason::mem_count), "a region is added if there is room for it");
      if (reason == Reason::none && at == there.end()) there.push_back(n);
    } else {
      check(memory->remove(numbered(n), &memory) == Reason::none, "removing a region is never an error");
      if (at != there.end()) there.erase(at);
    }
    check(memory->regions().size() == there.size(), "the table has each region once");
    const Region* last = nullptr;
    for (int look = 0; look < 20; look++) {
      const uint64_t region = random() % 600, offset = random() % (2 * kPage);
      const uint64_t address = numbered(region).guest + offset;
      const bool mapped = std::find(there.begin(), there.end(), region) != there.end();
      const Span span = memory->translate<Access::read>(address, 3 * kPage, &last);
      check(span.size == (mapped ? 2 * kPage - offset : 0), "the translation agrees with the reference");
    }
  }
  check(there.size() > 100, "the table has many regions in the end");
}

void bounds() {
  Memory file(64 * kPage);
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, numbered(1), file.share(), &memory) == Reason::none, "a region is added");
  const Snapshot before = memory;
  RegionSpec spec = numbered(1);
  check(add(memory, spec, file.share(), &memory) == Reason::none, "Q28: adding the same region is no error");
  check(memory->regions().size() == 1, "the table has the region once");
  spec.user += kPage;
  check(add(memory, spec, file.share(), &memory) == Reason::mem_overlap,
        "C13: a region whose guest addresses overlap is refused");
  check(memory->remove(spec, &memory) == Reason::mem_overlap, "C13: a partly equal region can't be removed");
  spec = numbered(1);
  spec.size = kPage;
  check(memory->remove(spec, &memory) == Reason::mem_overlap, "C13: a part of a region can't be removed");
  spec = numbered(2);
  spec.size = 0;
  check(add(memory, spec, file.share(), &memory) == Reason::mem_range, "an empty region is refused");
  spec.size = UINT64_MAX;
  check(add(memory, spec, file.share(), &memory) == Reason::mem_range, "a region that wraps is refused");
  spec = numbered(2);
  spec.offset = 63 * kPage;
  check(add(memory, spec, file.share(), &memory) == Reason::mem_file_size,
        "a region beyond its file is refused");
  check(add(memory, numbered(2), Fd(), &memory) == Reason::fd_type, "a region without an fd is refused");
  check(memory->remove(numbered(7), &memory) == Reason::none, "Q28: removing an unknown region is no error");
  check(before->regions().size() == 1 && memory->regions().size() == 1, "the table has not changed");
}

void unmapped() {
  Memory file(64 * kPage);
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, numbered(0), file.share(), &memory) == Reason::none, "a region is added");
  check(add(memory, numbered(1), file.share(), &memory) == Reason::none, "a second region is added");
  uint8_t* host = memory->regions()[1].host;
  unsigned char resident[2];
  check(mincore(host, 2 * kPage, resident) == 0, "the second region is mapped");
  check(memory->remove(numbered(1), &memory) == Reason::none, "the second region is removed");
  check(mincore(host, 2 * kPage, resident) != 0 && errno == ENOMEM, "C14: the second region is unmapped");
}

const Register c17("hostile C17: after random changes, the translation agrees with the reference",
                   random_order);
const Register c13("hostile C13: regions that exist already, do not exist, or partly match", bounds);
const Register c14("hostile C14: a removed region is unmapped", unmapped);

}  // namespace
}  // namespace rxvhost::test
