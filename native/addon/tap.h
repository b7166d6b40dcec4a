// The TAP interfaces of one env, by handle. They are closed when the env ends.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "core/tap/tap.h"

namespace rxvhost::addon {

struct AddonEnv;

class TapTable {
 public:
  explicit TapTable(AddonEnv& env) : env_(env) {}
  ~TapTable();

  uint32_t add(std::unique_ptr<Tap> tap);
  void remove(uint32_t handle);
  /// Returns null for a handle that was closed. Handles are not reused.
  Tap* get(uint32_t handle) const {
    const auto found = taps_.find(handle);
    return found == taps_.end() ? nullptr : found->second.get();
  }

 private:
  AddonEnv& env_;
  std::unordered_map<uint32_t, std::unique_ptr<Tap>> taps_;
  uint32_t last_ = 0;
};

}  // namespace rxvhost::addon
