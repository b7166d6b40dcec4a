// The guests of one env by handle. A guest is an in-process front end, which guest/port implements.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "guest/port.h"

namespace rxvhost::addon {

class GuestTable {
 public:
  uint32_t add(std::unique_ptr<guest::Port> port) {
    ports_.emplace(++last_, std::move(port));
    return last_;
  }
  /// Returns null for a handle that was closed. Handles are not reused.
  guest::Port* get(uint32_t handle) const {
    const auto found = ports_.find(handle);
    return found == ports_.end() ? nullptr : found->second.get();
  }
  void remove(uint32_t handle) { ports_.erase(handle); }

 private:
  std::unordered_map<uint32_t, std::unique_ptr<guest::Port>> ports_;
  uint32_t last_ = 0;
};

}  // namespace rxvhost::addon
