#include "test/harness.h"

int main() {
  for (const auto& test : rxvhost::test::cases()) {
    test.run();
    std::printf("ok: %s\n", test.name);
    std::fflush(stdout);
  }
  std::printf("%zu native tests passed\n", rxvhost::test::cases().size());
}
