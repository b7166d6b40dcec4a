// libpcap: its compiler turns a filter expression into a program, its interpreter runs that on a frame. Both
// are in this binary where native/libpcap.mjs found an archive to link; otherwise a shared libpcap is loaded
// at run time. No build needs its headers: the few types of its ABI are declared here (pcap/bpf.h,
// pcap/pcap.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rxvhost {

namespace libpcap {

// Layouts that every libpcap.so.0.8 and libpcap.so.1 has; the kernel's struct sock_filter is the same.
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

/// A compiled filter expression for Ethernet frames. Several threads may run one at a time.
class FilterProgram {
 public:
  /// Null, and `error` says why, in libpcap's words. May block: the names of hosts are looked up.
  static std::unique_ptr<FilterProgram> compile(const char* expression, std::string* error);

  FilterProgram(const FilterProgram&) = delete;
  FilterProgram& operator=(const FilterProgram&) = delete;
  ~FilterProgram();

  /// Does the frame match? The memory must be private: the program may read a byte more than once.
  bool matches(const uint8_t* frame, uint32_t length) const;

 private:
  FilterProgram() = default;
  libpcap::Instructions program_;
};

/// Chooses the libpcap that all filters of this process use, at the first call: the file `path`, or, if that
/// is empty, the one in this binary, or else the system's. False if there is none, and `error` says why.
bool load_libpcap(const char* path, std::string* error);

}  // namespace rxvhost
