// The pending memory changes of one env. A change has four steps: a thread that may block maps the new
// memory, the env's thread puts the new memory in use, another thread unmaps the former memory, and
// JavaScript gets the result. The threads report with an eventfd in the env's epoll, so they never call Node.
// Threads and env share reference-counted state, so a blocked thread can outlive the env.
#pragma once

#include <memory>

#include "core/base/fd.h"
#include "core/vhost/memory_change.h"

namespace rxvhost::addon {

class MemoryChanges {
 public:
  MemoryChanges();
  ~MemoryChanges();

  /// Returns an eventfd that is signalled when next() may have a finished change.
  int wake_fd() const;
  /// Starts a change. Returns Reason::mem_map if no thread can be created for it.
  Reason start(std::shared_ptr<MemoryChange> change);
  /// Returns a finished change, or nullptr if there is none.
  std::shared_ptr<MemoryChange> next();

 private:
  struct Returns;
  std::shared_ptr<Returns> returns_;
};

}  // namespace rxvhost::addon
