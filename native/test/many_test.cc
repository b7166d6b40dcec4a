// What there may be thousands of: mapped ranges under the SIGBUS guard. The table that the handler reads
// grows in chunks while it may be read.
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

Backings files;  // of all: so few stay open

struct Shared {
  Fd file;
  std::shared_ptr<const Mapping> mapping;

  Shared() : file(memfd_create("many", MFD_CLOEXEC)) {
    check(ftruncate(file.get(), kPage) == 0, "the file has its size");
    Fd shared(fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
    check(Mapping::open(std::move(shared), 0, kPage, &files, &mapping) == Reason::none, "it maps");
  }
  void revoke() { check(ftruncate(file.get(), 0) == 0, "the file is cut"); }
  uint8_t touch() const { return *static_cast<volatile uint8_t*>(mapping->base()); }
};

void each_of_a_thousand_ranges_is_guarded() {
  std::vector<Shared> all(kMany);
  const uint64_t before = poison_epoch();
  for (size_t i = 0; i < kMany; i += 100) {
    all[i].revoke();
    check(all[i].touch() == 0, "a page that was taken away reads as zero");
  }
  check(poison_epoch() == before + kMany / 100, "each was told once");
  for (size_t i = 0; i < kMany; i++)
    check(all[i].mapping->poisoned() == (i % 100 == 0), "those and no others are poisoned");
}

void a_range_that_takes_the_place_of_a_poisoned_one_is_clean() {
  std::vector<Shared> all(kMany);
  for (Shared& one : all) {
    one.revoke();
    one.touch();
  }
  for (Shared& one : all) {
    one = Shared();
    check(!one.mapping->poisoned(), "nothing is left of the one before");
    one.revoke();
    one.touch();
    check(one.mapping->poisoned(), "and it is guarded");
  }
}

const Register tests[] = {
    {"each of a thousand mapped ranges is guarded", each_of_a_thousand_ranges_is_guarded},
    {"a range in the place of a poisoned one is clean and guarded",
     a_range_that_takes_the_place_of_a_poisoned_one_is_clean},
};

}  // namespace
}  // namespace rxvhost::test
