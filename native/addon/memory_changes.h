// The changes of memory that one env has under way. A change goes from JavaScript to a thread that may block,
// comes back to be put in force, goes once more to have the former memory unmapped, and is told to JavaScript
// when that is done: by an eventfd in the env's epoll, so that nothing of Node's is touched on other threads.
// What those threads share with the env outlives it, however long they are stuck.
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
  /// mem_map: there is no thread for it.
  Reason start(std::shared_ptr<MemoryChange> change);
  /// One that is done; nullptr while there is none.
  std::shared_ptr<MemoryChange> next();

 private:
  struct Returns;
  std::shared_ptr<Returns> returns_;
};

}  // namespace rxvhost::addon
