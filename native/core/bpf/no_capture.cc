// What of libpcap is not linked when its compiler is (native/libpcap.mjs): capturing from interfaces, and
// reading files. pcap.o names the functions that begin either. Here they are functions that no one calls, so
// that the linker takes neither the modules that have them nor the libraries that those need (D-Bus, for
// one). A handle of pcap_open_dead, the only kind that core/bpf/libpcap.cc makes, never gets there.
#ifdef RXVHOST_STATIC_LIBPCAP

#include <cstdio>
#include <cstdlib>

#define RXVHOST_NOT_LINKED(name) \
  [[noreturn]] void name() { std::abort(); }

extern "C" {

// Kinds of devices, as Debian's libpcap has them.
RXVHOST_NOT_LINKED(bt_create)
RXVHOST_NOT_LINKED(bt_findalldevs)
RXVHOST_NOT_LINKED(bt_monitor_create)
RXVHOST_NOT_LINKED(bt_monitor_findalldevs)
RXVHOST_NOT_LINKED(dbus_create)
RXVHOST_NOT_LINKED(dbus_findalldevs)
RXVHOST_NOT_LINKED(netfilter_create)
RXVHOST_NOT_LINKED(netfilter_findalldevs)
RXVHOST_NOT_LINKED(usb_create)
RXVHOST_NOT_LINKED(usb_findalldevs)
// Network interfaces, and capture files.
RXVHOST_NOT_LINKED(pcap_create_interface)
RXVHOST_NOT_LINKED(pcap_platform_finddevs)
RXVHOST_NOT_LINKED(pcap_offline_read)

// See native/libpcap.mjs: what libpcap's code calls stdin, stdout and stderr.
FILE* rxvhost_pcap_stdin = stdin;
FILE* rxvhost_pcap_stdout = stdout;
FILE* rxvhost_pcap_stderr = stderr;

}  // extern "C"

#undef RXVHOST_NOT_LINKED

#endif
