// One change of a device's memory: SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG or SET_LOG_BASE. It has three
// steps. open() maps the new memory, and may block. commit() makes it the device's memory while rings run, on
// the thread that serves the rings. close() frees the memory that was replaced, and may block; like open(),
// it runs on a thread for memory. The front end gets its reply after close(), when memory that it removed is
// unmapped. Until commit() the rings use the memory that they have. When a device gets its first memory,
// close() has nothing to free. A change never delays the destruction of its device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/vhost/device.h"

namespace rxvhost {

class MemoryChange {
 public:
  /// The numbers pass from JavaScript (src/device/memory-changes.ts).
  enum class Kind : uint32_t { table, add, remove, log };

  /// `specs`: the regions, only one unless it is a table. Of a log only size and offset count. `fds`: one for
  /// each region or log that is added.
  MemoryChange(Device& device, Kind kind, std::vector<RegionSpec> specs, std::vector<Fd> fds)
      : device_(device.id()),
        driver_(device.driver()),
        kind_(kind),
        specs_(std::move(specs)),
        fds_(std::move(fds)),
        files_(kind == Kind::add ? device.backings() : Backings()) {}
  MemoryChange(const MemoryChange&) = delete;

  uint32_t device() const { return device_; }
  uint32_t driver() const { return driver_; }

  void open();
  void commit();
  void close();
  bool committed() const { return committed_; }
  /// After commit(): close() will unmap nothing and close no file.
  bool holds_nothing() const { return reason_ == Reason::none && !former_.memory && !former_.log; }

  // Results
  Reason reason() const { return reason_; }
  /// Number of regions of the device's table whose pages come from a disk.
  uint32_t regions_on_disk() const { return on_disk_; }
  /// Rings that were stopped because they are not inside the table.
  const std::vector<uint32_t>& lost() const { return lost_; }

 private:
  Reason put_in_force(Device& device);

  const uint32_t device_, driver_;  // numbers, so that a change that blocks does not keep the device alive
  const Kind kind_;
  std::vector<RegionSpec> specs_;
  std::vector<Fd> fds_;
  Backings files_;
  std::shared_ptr<const MemorySnapshot> table_;
  Region region_{};
  std::shared_ptr<const DirtyLog> log_;
  FormerMemory former_;
  bool committed_ = false;
  Reason reason_ = Reason::none;
  uint32_t on_disk_ = 0;
  std::vector<uint32_t> lost_;
};

}  // namespace rxvhost
