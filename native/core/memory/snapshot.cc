#include "core/memory/snapshot.h"

#include <algorithm>

#include "core/base/limits.h"

namespace rxvhost {

namespace {

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

// Wraps and overlaps, before anything is mapped. Overlapping regions would give one address two meanings, so
// that a check and the use after it could look at different bytes.
Reason check(std::span<const RegionSpec> specs) {
  for (size_t i = 0; i < specs.size(); i++) {
    const RegionSpec& r = specs[i];
    uint64_t end = 0;
    if (r.size == 0 || __builtin_add_overflow(r.guest, r.size, &end) ||
        __builtin_add_overflow(r.user, r.size, &end) || __builtin_add_overflow(r.offset, r.size, &end))
      return Reason::mem_range;
    for (size_t k = 0; k < i; k++) {
      const RegionSpec& s = specs[k];
      if (overlap(r.guest, r.size, s.guest, s.size) || overlap(r.user, r.size, s.user, s.size))
        return Reason::mem_overlap;
    }
  }
  return Reason::none;
}

}  // namespace

Reason MemorySnapshot::map(std::span<const RegionSpec> specs, std::vector<Fd> fds,
                           std::shared_ptr<const MemorySnapshot>* out) {
  if (specs.empty() || specs.size() > kMaxRegions || fds.size() != specs.size()) return Reason::mem_count;
  if (Reason reason = check(specs); reason != Reason::none) return reason;
  auto snapshot = std::make_shared<MemorySnapshot>();
  snapshot->regions_.reserve(specs.size());
  for (size_t i = 0; i < specs.size(); i++) {
    const RegionSpec& spec = specs[i];
    std::shared_ptr<const Mapping> mapping;
    if (Reason reason = Mapping::open(fds[i], spec.offset, spec.size, &mapping); reason != Reason::none)
      return reason;
    uint8_t* host = mapping->base() + spec.offset;
    snapshot->regions_.push_back({spec.guest, spec.size, spec.user, host, std::move(mapping)});
  }
  std::sort(snapshot->regions_.begin(), snapshot->regions_.end(),
            [](const Region& a, const Region& b) { return a.guest < b.guest; });
  *out = std::move(snapshot);
  return Reason::none;
}

const Region* MemorySnapshot::find(uint64_t address) const {
  for (const Region& region : regions_)
    if (address - region.guest < region.size)
      return &region;  // below the region, the difference wraps past any size
  return nullptr;
}

uint8_t* MemorySnapshot::user_range(uint64_t user, uint64_t length) const {
  for (const Region& region : regions_) {
    const uint64_t offset = user - region.user;
    if (offset >= region.size) continue;
    return length <= region.size - offset ? region.host + offset : nullptr;
  }
  return nullptr;
}

bool MemorySnapshot::poisoned() const {
  return std::any_of(regions_.begin(), regions_.end(), [](const Region& r) { return r.mapping->poisoned(); });
}

}  // namespace rxvhost
