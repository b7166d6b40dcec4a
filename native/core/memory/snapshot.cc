#include "core/memory/snapshot.h"

#include <algorithm>

#include "core/base/limits.h"

namespace rxvhost {

namespace {

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
  return a - b < b_size || b - a < a_size;  // without a + a_size, which may be 2^64; no size is 0
}

// Refuses a region that is empty or wraps. A region may end at the last address, so the check uses its last
// byte.
Reason check_range(const RegionSpec& r) {
  const auto wraps = [&](uint64_t start) { return start + (r.size - 1) < start; };
  return r.size == 0 || wraps(r.guest) || wraps(r.user) || wraps(r.offset) ? Reason::mem_range : Reason::none;
}

// Regions must not overlap: an address would have two meanings, and a check and a later use of the address
// could access different bytes.
template <class A, class B>
bool overlap(const A& a, const B& b) {
  return overlap(a.guest, a.size, b.guest, b.size) || overlap(a.user, a.size, b.user, b.size);
}

template <class A, class B>
bool same(const A& a, const B& b) {
  return a.guest == b.guest && a.size == b.size && a.user == b.user;
}

// Looks for regions that wrap or overlap, before anything is mapped.
Reason check(std::span<const RegionSpec> specs) {
  for (size_t i = 0; i < specs.size(); i++) {
    if (Reason reason = check_range(specs[i]); reason != Reason::none) return reason;
    for (size_t k = 0; k < i; k++)
      if (overlap(specs[i], specs[k])) return Reason::mem_overlap;
  }
  return Reason::none;
}

void sort_by_guest(std::vector<Region>& regions) {
  std::sort(regions.begin(), regions.end(),
            [](const Region& a, const Region& b) { return a.guest < b.guest; });
}

}  // namespace

Reason open_region(const RegionSpec& spec, Fd fd, Backings* known, Region* out) {
  if (Reason reason = check_range(spec); reason != Reason::none) return reason;
  std::shared_ptr<const Mapping> mapping;
  if (Reason reason = Mapping::open(std::move(fd), spec.offset, spec.size, known, &mapping);
      reason != Reason::none)
    return reason;
  uint8_t* host = mapping->base() + spec.offset;
  *out = {spec.guest, spec.size, spec.user, host, std::move(mapping)};
  return Reason::none;
}

Reason MemorySnapshot::map(std::span<const RegionSpec> specs, std::vector<Fd> fds,
                           std::shared_ptr<const MemorySnapshot>* out) {
  if (specs.empty() || specs.size() > kMaxRegions || fds.size() != specs.size()) return Reason::mem_count;
  if (Reason reason = check(specs); reason != Reason::none) return reason;
  auto snapshot = std::make_shared<MemorySnapshot>();
  snapshot->regions_.resize(specs.size());
  Backings files;
  for (size_t i = 0; i < specs.size(); i++)
    if (Reason reason = open_region(specs[i], std::move(fds[i]), &files, &snapshot->regions_[i]);
        reason != Reason::none)
      return reason;
  sort_by_guest(snapshot->regions_);
  *out = std::move(snapshot);
  return Reason::none;
}

Reason MemorySnapshot::add(const Region& region, std::shared_ptr<const MemorySnapshot>* out) const {
  auto next = std::make_shared<MemorySnapshot>(*this);
  const bool there =
      std::any_of(regions_.begin(), regions_.end(), [&](const Region& r) { return same(r, region); });
  if (!there) {
    if (regions_.size() >= kMaxRegions) return Reason::mem_count;
    for (const Region& other : regions_)
      if (overlap(other, region)) return Reason::mem_overlap;
    next->regions_.push_back(region);
    sort_by_guest(next->regions_);
  }
  *out = std::move(next);
  return Reason::none;
}

Reason MemorySnapshot::remove(const RegionSpec& spec, std::shared_ptr<const MemorySnapshot>* out) const {
  if (Reason reason = check_range(spec); reason != Reason::none) return reason;
  auto next = std::make_shared<MemorySnapshot>(*this);
  std::erase_if(next->regions_, [&](const Region& r) { return same(r, spec); });
  // An overlap means that the front end named only a part of a region, or a range across regions. Neither can
  // be removed.
  for (const Region& region : next->regions_)
    if (overlap(region, spec)) return Reason::mem_overlap;
  *out = std::move(next);
  return Reason::none;
}

std::shared_ptr<const MemorySnapshot> MemorySnapshot::with(Logging logging) const {
  auto next = std::make_shared<MemorySnapshot>(*this);
  next->logging_ = std::move(logging);
  return next;
}

const Region* MemorySnapshot::find(uint64_t address) const {
  constexpr size_t kFew = 4;  // up to this number of regions a linear scan is faster than a binary search
  if (regions_.size() <= kFew) {
    for (const Region& region : regions_)
      if (address - region.guest < region.size)
        return &region;  // for an address below the region, the difference wraps and is larger than any size
    return nullptr;
  }
  // Find the last region that begins at or below the address.
  const auto after = std::upper_bound(regions_.begin(), regions_.end(), address,
                                      [](uint64_t at, const Region& region) { return at < region.guest; });
  if (after == regions_.begin()) return nullptr;
  const Region& region = *std::prev(after);
  return address - region.guest < region.size ? &region : nullptr;
}

// A host address lies in at most one region, because each region has its own mapping.
bool MemorySnapshot::guest_address(const uint8_t* host, uint64_t* out) const {
  for (const Region& region : regions_) {
    const uint64_t offset = reinterpret_cast<uintptr_t>(host) - reinterpret_cast<uintptr_t>(region.host);
    if (offset >= region.size) continue;
    *out = region.guest + offset;
    return true;
  }
  return false;
}

bool MemorySnapshot::can_mark(const Span& span) const {
  uint64_t address = 0;
  return guest_address(span.data, &address) && logging_.log->covers(address, span.size);
}

void MemorySnapshot::mark(const Span& span) const {
  uint64_t address = 0;
  if (guest_address(span.data, &address)) logging_.log->mark(address, span.size);
}

uint8_t* MemorySnapshot::user_range(uint64_t user, uint64_t length) const {
  for (const Region& region : regions_) {
    const uint64_t offset = user - region.user;
    if (offset >= region.size) continue;
    return length <= region.size - offset ? region.host + offset : nullptr;
  }
  return nullptr;
}

uint32_t MemorySnapshot::regions_on_disk() const {
  return static_cast<uint32_t>(
      std::count_if(regions_.begin(), regions_.end(), [](const Region& r) { return r.mapping->on_disk(); }));
}

Loss MemorySnapshot::loss() const {
  Loss found = logging_.log ? logging_.log->loss() : Loss::unknown;
  for (const Region& region : regions_)
    if (found == Loss::unknown) found = region.mapping->loss();
  return found;
}

Backings MemorySnapshot::backings() const {
  Backings files;
  for (const Region& region : regions_)
    if (const auto& file = region.mapping->backing(); file && file->open())
      if (std::ranges::find(files, file) == files.end()) files.push_back(file);
  return files;
}

bool MemorySnapshot::poisoned() const {
  if (logging_.log && logging_.log->poisoned()) return true;
  return std::any_of(regions_.begin(), regions_.end(), [](const Region& r) { return r.mapping->poisoned(); });
}

}  // namespace rxvhost
