// The only way that shared memory is read and written. A guest rewrites its memory while we look at it, so a
// value is loaded once into a local, checked there, and used from there; volatile access keeps the compiler
// from loading twice. Acquire and release belong to the ring files, which name the race that each closes.
#pragma once

#include <cstdint>

#include "core/base/copy.h"

namespace rxvhost {

// A test's guest that runs between any two of our loads: it is called after each, and may change what was
// loaded.
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
/// A header's word at any address, loaded once.
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
/// Packet bytes. A guest may rewrite them meanwhile and tear its own packet; lengths never come from here.
inline void guest_copy_in(void* to, const void* from, size_t length) {
  copy_bytes(to, from, length);
  guest_was_loaded(from, length);
}
inline void guest_copy_out(void* to, const void* from, size_t length) { copy_bytes(to, from, length); }
/// Control data: what follows reads the copy, the compiler may not go back to the guest's memory for it.
inline void guest_copy_once(void* to, const void* from, size_t length) {
  guest_copy_in(to, from, length);
  __asm__ volatile("" ::: "memory");
}

}  // namespace rxvhost
