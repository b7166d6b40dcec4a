// Memory in huge pages of 2 MiB, which QEMU and DPDK use in production. Whole huge pages are mapped, even if
// the size of a region is not a multiple of 2 MiB. If the pool of huge pages is empty, a page is missing, as
// after a truncation. If the system has no huge pages, these tests print a line and are skipped.
#include <linux/memfd.h>
#include <sys/mman.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "test/fixture.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kHuge = 2 << 20;
/// A test uses at most this many pages, because the owner of a larger pool probably needs it.
constexpr uint64_t kMostPages = 512;
constexpr const char* kPool = "/sys/kernel/mm/hugepages/hugepages-2048kB/";

uint64_t pool(const char* name) {
  uint64_t pages = 0;
  std::ifstream(std::string(kPool) + name) >> pages;
  return pages;
}

void resize(uint64_t pages) { std::ofstream(std::string(kPool) + "nr_hugepages") << pages; }

/// Makes sure that the pool has at least `wanted` free pages, until the destructor runs. Only root can
/// enlarge the pool.
class Reserve {
 public:
  explicit Reserve(uint64_t wanted) : before_(pool("nr_hugepages")) {
    if (pool("free_hugepages") < wanted) resize(before_ + wanted);
    enough_ = pool("free_hugepages") >= wanted && pool("resv_hugepages") == 0;
    if (!enough_)
      std::printf("skipped: the system does not have %lu free pages of 2 MiB (vm.nr_hugepages)\n", wanted);
  }
  ~Reserve() {
    if (pool("nr_hugepages") != before_) resize(before_);
  }
  explicit operator bool() const { return enough_; }

 private:
  uint64_t before_;
  bool enough_;
};

Fd huge_file(uint64_t pages) {
  Fd fd(memfd_create("rxv-huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
  check(ftruncate(fd.get(), static_cast<off_t>(pages * kHuge)) == 0, "the file of huge pages has its size");
  return fd;
}

int mappings() {
  std::ifstream maps("/proc/self/maps");
  int found = 0;
  for (std::string line; std::getline(maps, line);) found += line.find("rxv-huge") != std::string::npos;
  return found;
}

void odd_region() {
  const Reserve reserve(2);
  if (!reserve) return;
  const Fd file = huge_file(2);
  uint8_t* theirs =
      static_cast<uint8_t*>(mmap(nullptr, 2 * kHuge, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  check(theirs != MAP_FAILED, "the front end maps the file");
  const RegionSpec spec{0x1000'0000, kHuge + 37, kUser, 100};
  {
    auto memory = std::make_shared<const MemorySnapshot>();
    check(add(memory, spec, Fd(dup(file.get())), &memory) == Reason::none, "C6: the region maps");
    const Region* last = nullptr;
    const auto at = [&](uint64_t offset) {
      return memory->translate<Access::write>(spec.guest + offset, 8, &last);
    };
    *at(0).data = 1;
    *at(spec.size - 1).data = 2;
    check(theirs[100] == 1 && theirs[100 + spec.size - 1] == 2,
          "C6: the first and the last byte are in the right place");
    check(at(spec.size - 1).size == 1 && at(spec.size).size == 0, "C6: the region ends at its last byte");
    check(memory->translate<Access::write>(spec.guest - 1, 8, &last).size == 0,
          "C6: the byte before the region is not mapped");
    RegionSpec beyond = spec;
    beyond.size = 2 * kHuge - 99;
    std::vector<Fd> fds;
    fds.push_back(Fd(dup(file.get())));
    std::shared_ptr<const MemorySnapshot> none;
    check(MemorySnapshot::map({&beyond, 1}, std::move(fds), &none) == Reason::mem_file_size,
          "C5: a region that is one byte too long is refused");
  }
  munmap(theirs, 2 * kHuge);
  check(mappings() == 0, "all huge pages are unmapped");
}

void pool_runs_out() {
  const Reserve reserve(1);
  if (!reserve) return;
  const uint64_t pages = pool("free_hugepages") + pool("nr_overcommit_hugepages") + 1;
  if (pages > kMostPages) {
    std::printf("skipped: the test would use %lu pages of 2 MiB\n", pages);
    return;
  }
  const RegionSpec spec{0x1000'0000, pages * kHuge, kUser, 0};
  auto memory = std::make_shared<const MemorySnapshot>();
  check(add(memory, spec, huge_file(pages), &memory) == Reason::none,
        "C8: the file maps, because no pages are reserved");
  const Region* last = nullptr;
  for (uint64_t page = 0; page < pages; page++)
    *memory->translate<Access::write>(spec.guest + page * kHuge, 8, &last).data = 1;
  check(memory->poisoned(), "C8: the access finds that a page is missing");
  check(memory->loss() == Loss::no_backing, "C8: the reason is not `truncated`");
  *memory->translate<Access::write>(spec.guest, 8, &last).data = 1;
}

const Register c6("hostile C6: the size of a region need not be a multiple of the huge page size",
                  odd_region);
const Register c8("hostile C8: an empty pool of huge pages is detected at the first access", pool_runs_out);

}  // namespace
}  // namespace rxvhost::test
