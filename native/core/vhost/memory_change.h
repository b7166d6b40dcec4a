// One change of a device's memory: SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG or SET_LOG_BASE. Its way has three
// steps, in this order, on two threads: open() maps what came, and may last; commit() puts it in force, under
// the rings that run, on the thread that serves them; close() lets go of what was there before, and may last.
// The front end has its answer after the third: what it takes away is unmapped by then. Until the second the
// rings go on with the memory that they have. The first memory of a device takes the place of none: its third
// step has nothing to do. A device that is destroyed meanwhile is held up by nothing here.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/vhost/device.h"

namespace rxvhost {

class MemoryChange {
 public:
  /// The numbers are JavaScript's (src/device/memory-changes.ts).
  enum class Kind : uint32_t { table, add, remove, log };

  /// `specs`: the regions, one but for a table; of a log only size and offset. An fd for each that comes.
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
  /// Once committed: close() unmaps nothing, and closes no file.
  bool holds_nothing() const { return reason_ == Reason::none && !former_.memory && !former_.log; }

  // What came of it
  Reason reason() const { return reason_; }
  /// Of the table in force: regions whose pages come from a disk.
  uint32_t regions_on_disk() const { return on_disk_; }
  /// Rings that were stopped, since the table does not hold them.
  const std::vector<uint32_t>& lost() const { return lost_; }

 private:
  Reason put_in_force(Device& device);

  const uint32_t device_, driver_;  // by number: it goes when it is destroyed, whatever sticks here
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
