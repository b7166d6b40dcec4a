// A process can have thousands of mapped ranges that the SIGBUS handler guards. The handler's table grows in
// chunks, and the handler may read it at any time.
#include <fcntl.h>
#include <sys/mman.h>

#include <memory>
#include <vector>

#include "core/memory/mapping.h"
#include "test/harness.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMany = 1000;  // several chunks

Backings files;  // shared by all mappings, so that only a few files stay open

struct Shared {
  Fd file;
  std::shared_ptr<const Mapping> mapping;

  Shared() : file(memfd_create("many", MFD_CLOEXEC)) {
    check(ftruncate(file.get(), kPage) == 0, "the file has its size");
    Fd shared(fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
    check(Mapping::open(std::move(shared), 0, kPage, &files, &mapping) == Reason::none, "the file maps");
  }
  void revoke() { check(ftruncate(file.get(), 0) == 0, "the file is truncated"); }
  uint8_t touch() const { return *static_cast<volatile uint8_t*>(mapping->base()); }
};

void each_of_a_thousand_ranges_is_guarded() {
  std::vector<Shared> all(kMany);
  const uint64_t before = poison_epoch();
  for (size_t i = 0; i < kMany; i += 100) {
    all[i].revoke();
    check(all[i].touch() == 0, "a missing page reads as zero");
  }
  check(poison_epoch() == before + kMany / 100, "each poisoned range was counted once");
  for (size_t i = 0; i < kMany; i++)
    check(all[i].mapping->poisoned() == (i % 100 == 0), "only the ranges of truncated files are poisoned");
}

void a_slot_that_is_used_again_is_clean() {
  std::vector<Shared> all(kMany);
  for (Shared& one : all) {
    one.revoke();
    one.touch();
  }
  for (Shared& one : all) {
    one = Shared();
    check(!one.mapping->poisoned(), "a new range is not poisoned");
    one.revoke();
    one.touch();
    check(one.mapping->poisoned(), "a new range is guarded");
  }
}

const Register tests[] = {
    {"each of a thousand mapped ranges is guarded", each_of_a_thousand_ranges_is_guarded},
    {"a new range that replaces a poisoned one is clean and guarded", a_slot_that_is_used_again_is_clean},
};

}  // namespace
}  // namespace rxvhost::test
