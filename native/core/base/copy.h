// Copies packets and prefetches cache lines.
//
// The method depends on the size. For a short frame, calling memcpy and choosing its variant take as long as
// the copying itself. So up to kInlineCopy bytes are copied here, in vectors that every x86-64 and arm64 CPU
// has. The last vector overlaps the previous one, so that no smaller vectors are needed. Longer copies use
// memcpy, which chooses the widest vectors of the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rxvhost {

inline constexpr size_t kCacheLine = 64;
/// From about this size on, memcpy is faster.
inline constexpr size_t kInlineCopy = 256;

template <size_t size>
inline void copy_vectors(uint8_t* to, const uint8_t* from) {
  typedef uint64_t Vector __attribute__((vector_size(16), aligned(1), may_alias));
  constexpr size_t count = size / sizeof(Vector);
  Vector v[count];
  for (size_t i = 0; i < count; i++) v[i] = reinterpret_cast<const Vector*>(from)[i];
  for (size_t i = 0; i < count; i++) reinterpret_cast<Vector*>(to)[i] = v[i];
}

/// Copies `length` bytes. The two ranges must not overlap.
inline void copy_bytes(void* to, const void* from, size_t length) {
  auto* t = static_cast<uint8_t*>(to);
  const auto* f = static_cast<const uint8_t*>(from);
  if (length - 64 <= kInlineCopy - 64) {
    size_t at = 0;
    for (; at + 64 <= length; at += 64) copy_vectors<64>(t + at, f + at);
    if (at < length) copy_vectors<64>(t + length - 64, f + length - 64);
  } else if (length - 32 < 32) {
    copy_vectors<32>(t, f);
    copy_vectors<32>(t + length - 32, f + length - 32);
  } else {
    std::memcpy(to, from, length);
  }
}

inline void prefetch(const void* at) { __builtin_prefetch(at, 0, 3); }
/// Prefetches, in exclusive state, a cache line that will be written. The write then needs no second request
/// to the core that has the line.
inline void prefetch_to_write(const void* at) {
#if defined(__x86_64__)
  // Compilers emit this instruction only for CPUs that are known to have it; other x86-64 CPUs ignore it.
  __asm__ volatile("prefetchw %0" ::"m"(*static_cast<const char*>(at)));
#else
  __builtin_prefetch(at, 1, 3);
#endif
}

}  // namespace rxvhost
