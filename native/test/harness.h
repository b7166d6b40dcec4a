// A minimal test runner: a table of named cases, and a check that prints where it failed. There is no
// framework, because the main purpose of these tests is to run the code under the sanitizers.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <vector>

namespace rxvhost::test {

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Register {
  Register(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

inline void check(bool ok, const char* what, std::source_location at = std::source_location::current()) {
  if (ok) return;
  std::fprintf(stderr, "not ok: %s (%s:%u)\n", what, at.file_name(), at.line());
  std::abort();
}

}  // namespace rxvhost::test
