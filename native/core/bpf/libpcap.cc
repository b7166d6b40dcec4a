#include "core/bpf/libpcap.h"

#include <dlfcn.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "core/base/limits.h"

namespace rxvhost {

namespace {

using libpcap::Instruction;
using libpcap::Instructions;

struct Pcap;  // pcap_t

// From pcap/dlt.h: DLT_EN10MB, the link type of our frames.
constexpr int kEthernet = 1;
// From pcap/pcap.h. The netmask is unknown because the frames of one ring may belong to several networks.
// With this value `ip broadcast` is an error.
constexpr unsigned kNetmaskUnknown = 0xffffffff;

// From linux/filter.h. A load from one of these offsets reads a property that only a live capture knows, for
// instance the packet's direction. In our programs such a load would silently match no frame.
constexpr uint32_t kAncillary = 0xfffff000, kAncillaries = 0x100;
constexpr uint16_t kLoadAbsoluteMask = 0xe7, kLoadAbsolute = 0x20;  // BPF_LD | BPF_ABS, of any size

bool asks_for_ancillary(const Instructions& program) {
  for (unsigned i = 0; i < program.length; i++) {
    const Instruction& one = program.first[i];
    if ((one.code & kLoadAbsoluteMask) == kLoadAbsolute && one.k - kAncillary < kAncillaries) return true;
  }
  return false;
}

// File names of the library: Debian's name, the name that upstream and other distributions use, and the name
// in a development package.
constexpr const char* kNames[] = {"libpcap.so.0.8", "libpcap.so.1", "libpcap.so"};

// The functions that we call, either of the libpcap in this binary or of one that was loaded.
struct Functions {
  Pcap* (*open_dead)(int link_type, int snapshot_length);
  int (*compile)(Pcap*, Instructions*, const char* expression, int optimize, unsigned netmask);
  char* (*geterr)(Pcap*);
  void (*freecode)(Instructions*);
  void (*close)(Pcap*);
  unsigned (*filter)(const Instruction*, const unsigned char* frame, unsigned wire_length, unsigned length);

  bool find(void* library) {
    return find(library, "pcap_open_dead", &open_dead) && find(library, "pcap_compile", &compile) &&
           find(library, "pcap_geterr", &geterr) && find(library, "pcap_freecode", &freecode) &&
           find(library, "pcap_close", &close) && find(library, "bpf_filter", &filter);
  }

  template <typename Function>
  static bool find(void* library, const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
    return *function != nullptr;
  }
};

#ifdef RXVHOST_STATIC_LIBPCAP
extern "C" {
Pcap* pcap_open_dead(int, int);
int pcap_compile(Pcap*, Instructions*, const char*, int, unsigned);
char* pcap_geterr(Pcap*);
void pcap_freecode(Instructions*);
void pcap_close(Pcap*);
unsigned bpf_filter(const Instruction*, const unsigned char*, unsigned, unsigned);
}
constexpr std::optional<Functions> kOwn =
    Functions{pcap_open_dead, pcap_compile, pcap_geterr, pcap_freecode, pcap_close, bpf_filter};
#else
constexpr std::optional<Functions> kOwn;
#endif

// Protects loading and compiling. Compiling needs the mutex because libpcap's compiler before version 1.8 has
// its state in global variables.
std::mutex mutex;
Functions functions;
std::atomic<bool> loaded = false;

}  // namespace

bool load_libpcap(const char* path, std::string* error) {
  const std::lock_guard lock(mutex);
  if (loaded) return true;
  if (path[0] == '\0' && kOwn) {
    functions = *kOwn;
    loaded = true;
    return true;
  }
  void* library = nullptr;
  if (path[0] != '\0') {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  } else {
    for (const char* name : kNames)
      if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  // A library that is in use is never closed, because programs and threads may need it until the process
  // ends.
  if (library != nullptr && functions.find(library)) {
    loaded = true;
    return true;
  }
  const char* why = dlerror();
  *error = why != nullptr ? why : "not found";
  if (library != nullptr) dlclose(library);
  return false;
}

std::unique_ptr<FilterProgram> FilterProgram::compile(const char* expression, std::string* error) {
  const std::lock_guard lock(mutex);
  if (!loaded) return *error = "libpcap is not loaded", nullptr;
  Pcap* pcap = functions.open_dead(kEthernet, static_cast<int>(kMaxPacket));
  if (pcap == nullptr) return *error = "out of memory", nullptr;
  std::unique_ptr<FilterProgram> made(new FilterProgram);
  if (functions.compile(pcap, &made->program_, expression, 1, kNetmaskUnknown) != 0) {
    *error = functions.geterr(pcap);
    made->program_ = {};
    made.reset();
  } else if (asks_for_ancillary(made->program_)) {
    *error = "the expression uses a property that only a live capture has, for instance a packet's direction";
    made.reset();
  }
  functions.close(pcap);
  return made;
}

FilterProgram::~FilterProgram() {
  if (program_.first != nullptr) functions.freecode(&program_);
}

bool FilterProgram::matches(const uint8_t* frame, uint32_t length) const {
  return functions.filter(program_.first, frame, length, length) != 0;
}

}  // namespace rxvhost
