#include "core/virtqueue/descriptor_table.h"

#include <cstring>

namespace rxvhost {

bool DescriptorTable::indirect(const MemorySnapshot& memory, const Descriptor& d, const Region** last,
                               DescriptorTable* out) {
  const Span span = memory.translate<Access::read>(d.address, d.length, last);
  if (span.size == 0) return false;
  // Unaligned tables are legal; loads of 8 bytes from them are fine on the machines that we run on, but not
  // in C++.
  const bool direct = span.size == d.length && reinterpret_cast<uintptr_t>(span.data) % 8 == 0;
  *out = DescriptorTable(direct ? reinterpret_cast<const vring_desc*>(span.data) : nullptr, d.length / 16);
  out->memory_ = &memory;
  out->address_ = d.address;
  return true;
}

bool DescriptorTable::gather(uint32_t index, Descriptor* out) const {
  uint8_t raw[16];
  uint64_t address = address_ + uint64_t{16} * index;
  const Region* last = nullptr;
  for (uint32_t got = 0; got < sizeof raw;) {
    const Span span = memory_->translate<Access::read>(address, sizeof raw - got, &last);
    if (span.size == 0) return false;
    guest_copy_once(raw + got, span.data, span.size);
    got += span.size;
    address += span.size;
    if (address == 0 && got < sizeof raw) return false;  // behind the last address there is nothing
  }
  static_assert(sizeof(Descriptor) == sizeof raw);
  std::memcpy(out, raw, sizeof raw);
  return true;
}

}  // namespace rxvhost
