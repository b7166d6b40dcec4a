// The filter programs of one env, by handle. They are destroyed with the env.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "core/bpf/libpcap.h"

namespace rxvhost::addon {

class FilterTable {
 public:
  uint32_t add(std::unique_ptr<FilterProgram> program) {
    programs_.emplace(++last_, std::move(program));
    return last_;
  }
  /// Returns null for a handle that was freed. Handles are not reused.
  const FilterProgram* get(uint32_t handle) const {
    const auto found = programs_.find(handle);
    return found == programs_.end() ? nullptr : found->second.get();
  }
  void remove(uint32_t handle) { programs_.erase(handle); }
  size_t size() const { return programs_.size(); }

 private:
  std::unordered_map<uint32_t, std::unique_ptr<FilterProgram>> programs_;
  uint32_t last_ = 0;
};

}  // namespace rxvhost::addon
