// Replaces the parts of libpcap that are not linked: captures from interfaces, and reading of capture files
// (native/libpcap.mjs). libpcap's pcap.o refers to functions of these parts. This file defines these
// functions as stubs, so that the linker adds neither the modules that have the real functions nor the
// libraries that those modules need, such as D-Bus. The stubs are never called, because core/bpf/libpcap.cc
// makes handles only with pcap_open_dead.
#ifdef RXVHOST_STATIC_LIBPCAP

#include <cstdio>
#include <cstdlib>

#define RXVHOST_NOT_LINKED(name) \
  [[noreturn]] void name() { std::abort(); }

extern "C" {

// The device types of Debian's libpcap.
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
// Network interfaces and capture files.
RXVHOST_NOT_LINKED(pcap_create_interface)
RXVHOST_NOT_LINKED(pcap_platform_finddevs)
RXVHOST_NOT_LINKED(pcap_offline_read)

// libpcap's code uses these variables instead of stdin, stdout and stderr. The reason is in
// native/libpcap.mjs.
FILE* rxvhost_pcap_stdin = stdin;
FILE* rxvhost_pcap_stdout = stdout;
FILE* rxvhost_pcap_stderr = stderr;

}  // extern "C"

#undef RXVHOST_NOT_LINKED

#endif
