// libpcap: its compiler turns a filter expression into a program, and its interpreter runs the program on a
// frame. If native/libpcap.mjs found an archive to link, compiler and interpreter are part of this binary.
// Otherwise a shared libpcap is loaded at run time. No build needs libpcap's headers, because this file
// declares the few types that we use (of pcap/bpf.h and pcap/pcap.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rxvhost {

namespace libpcap {

// Every libpcap.so.0.8 and libpcap.so.1 has these layouts. Instruction is the same as the kernel's struct
// sock_filter.
struct Instruction {
  uint16_t code;
  uint8_t jump_true, jump_false;
  uint32_t k;
};
static_assert(sizeof(Instruction) == 8);

struct Instructions {  // struct bpf_program
  unsigned length = 0;
  Instruction* first = nullptr;
};
static_assert(sizeof(Instructions) == 2 * sizeof(void*));
static_assert(offsetof(Instructions, first) == sizeof(void*));

}  // namespace libpcap

/// A compiled filter expression for Ethernet frames. Several threads may run the same program at the same
/// time.
class FilterProgram {
 public:
  /// Compiles an expression. On failure, returns null and sets `error`, in most cases to libpcap's message.
  /// May block, because libpcap looks up the names of hosts.
  static std::unique_ptr<FilterProgram> compile(const char* expression, std::string* error);

  FilterProgram(const FilterProgram&) = delete;
  FilterProgram& operator=(const FilterProgram&) = delete;
  ~FilterProgram();

  /// Returns whether the frame matches. No guest may be able to change the memory of the frame, because the
  /// program may read a byte more than once.
  bool matches(const uint8_t* frame, uint32_t length) const;

 private:
  FilterProgram() = default;
  libpcap::Instructions program_;
};

/// Chooses the libpcap that all filters of this process use. Only the first successful call has an effect. It
/// loads the file `path`. If `path` is empty, it uses the libpcap in this binary or, if there is none, the
/// system's. On failure, returns false and sets `error`.
bool load_libpcap(const char* path, std::string* error);

}  // namespace rxvhost
