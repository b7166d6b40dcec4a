// The smallest test runner: named cases in one table, a check that says where it failed. No framework, since
// what runs here runs under the sanitizers, which are the point.
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
