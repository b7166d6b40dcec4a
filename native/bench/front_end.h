// A vhost-user front end that starts one device with two rings and then sends nothing more. It makes the
// handshake between a guest::Port and a back end that listens on a socket (vhost-user, "Starting and stopping
// rings"). It only sends messages; the port has the rings.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/fd.h"
#include "guest/port.h"

namespace rxvhost::bench {

class FrontEnd {
 public:
  /// Connects to `path` and starts both rings with exactly `features`. Returns an error message, or an empty
  /// string on success.
  std::string start(const std::string& path, guest::Port& port, uint64_t features);

 private:
  bool tell(uint32_t request, const void* payload, uint32_t size, int fd = -1);
  bool ask(uint32_t request, uint64_t& answer);
  bool start_ring(guest::Port& port, uint32_t ring);

  Fd socket_;
};

}  // namespace rxvhost::bench
