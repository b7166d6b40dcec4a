// A vhost-user front end that brings up one device of two rings and says no more: the handshake that stands
// between a guest::Port and a back end behind a socket (vhost-user, "Starting and stopping rings"). Messages
// only; rings are the port's.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/fd.h"
#include "guest/port.h"

namespace rxvhost::bench {

class FrontEnd {
 public:
  /// Connects to `path` and starts both rings with exactly `features`. What went wrong, or nothing.
  std::string start(const std::string& path, guest::Port& port, uint64_t features);

 private:
  bool tell(uint32_t request, const void* payload, uint32_t size, int fd = -1);
  bool ask(uint32_t request, uint64_t& answer);
  bool start_ring(guest::Port& port, uint32_t ring);

  Fd socket_;
};

}  // namespace rxvhost::bench
