#include <string_view>

#include "test/harness.h"

// Runs all tests, or only the tests whose name contains the argument.
int main(int argc, char** argv) {
  size_t passed = 0;
  for (const auto& test : rxvhost::test::cases()) {
    if (argc > 1 && std::string_view(test.name).find(argv[1]) == std::string_view::npos) continue;
    passed++;
    test.run();
    std::printf("ok: %s\n", test.name);
    std::fflush(stdout);
  }
  std::printf("%zu native tests passed\n", passed);
  return passed == 0;
}
