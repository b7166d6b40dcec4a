// The pending memory changes of one env. A thread that may block maps the new memory, the env's thread puts
// it in use, another thread unmaps the former memory, and then JavaScript gets the result. The threads report
// by an eventfd in the env's epoll, so that they never call Node. The state that they share with the env is
// reference-counted, so a blocked thread can outlive the env.
#pragma once

#include <memory>

#include "core/base/fd.h"
#include "core/vhost/memory_change.h"

namespace rxvhost::addon {

class MemoryChanges {
 public:
  MemoryChanges();
  ~MemoryChanges();

  /// Signalled when next() may have something.
  int wake_fd() const;
  /// Reason::mem_map if no thread can be created for the change.
  Reason start(std::shared_ptr<MemoryChange> change);
  /// A finished change, or nullptr if there is none.
  std::shared_ptr<MemoryChange> next();

 private:
  struct Returns;
  std::shared_ptr<Returns> returns_;
};

}  // namespace rxvhost::addon
