// All reads and writes of shared memory go through these functions. A guest can change its memory at any
// time. So each value is loaded once into a local variable, and only that variable is checked and used. The
// accesses are atomic or volatile, so that the compiler does not load the value twice. The files in
// core/virtqueue use the acquire and release functions, with a comment that names the race that each use
// prevents.
#pragma once

#include <cstdint>

#include "core/base/copy.h"

namespace rxvhost {

// A hook for tests, called after each load. It can change the memory that was loaded, like a guest that runs
// between two loads.
#ifdef RXVHOST_PROBE_GUEST_LOADS
inline void (*probe_guest_load)(const void* at, size_t size) = nullptr;
inline void guest_was_loaded(const void* at, size_t size) {
  if (probe_guest_load) probe_guest_load(at, size);
}
#else
inline void guest_was_loaded(const void*, size_t) {}
#endif

template <class T>
inline T guest_load(const T* at) {
  const T value = __atomic_load_n(at, __ATOMIC_RELAXED);
  guest_was_loaded(at, sizeof value);
  return value;
}
template <class T>
inline T guest_load_acquire(const T* at) {
  const T value = __atomic_load_n(at, __ATOMIC_ACQUIRE);
  guest_was_loaded(at, sizeof value);
  return value;
}
template <class T>
inline void guest_store(T* at, T value) {
  __atomic_store_n(at, value, __ATOMIC_RELAXED);
}
template <class T>
inline void guest_store_release(T* at, T value) {
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
}
/// Loads a header field once. The field need not be aligned.
template <class T>
inline T guest_load_unaligned(const void* at) {
  struct __attribute__((packed, may_alias)) Word {
    T value;
  };
  const T value = static_cast<const volatile Word*>(at)->value;
  guest_was_loaded(at, sizeof value);
  return value;
}
template <class T>
inline void guest_store_unaligned(void* at, T value) {
  struct __attribute__((packed, may_alias)) Word {
    T value;
  };
  static_cast<volatile Word*>(at)->value = value;
}
/// Copies packet bytes. No length is read from these bytes, so a guest that changes them during the copy
/// damages only its own packet.
inline void guest_copy_in(void* to, const void* from, size_t length) {
  copy_bytes(to, from, length);
  guest_was_loaded(from, length);
}
inline void guest_copy_out(void* to, const void* from, size_t length) { copy_bytes(to, from, length); }
/// Copies control data. The compiler barrier makes later code read the copy instead of reading guest memory
/// again.
inline void guest_copy_once(void* to, const void* from, size_t length) {
  guest_copy_in(to, from, length);
  __asm__ volatile("" ::: "memory");
}

}  // namespace rxvhost
