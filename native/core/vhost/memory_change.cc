#include "core/vhost/memory_change.h"

#include <utility>

namespace rxvhost {

void MemoryChange::open() {
  // If threads were blocked, changes of many closed connections may be queued. They are skipped, because the
  // changes of open connections wait behind them.
  if (!Registry::get().has(device_)) {
    reason_ = Reason::device_gone;
    fds_.clear();
    return;
  }
  if (kind_ == Kind::table) {
    reason_ = MemorySnapshot::map(specs_, std::move(fds_), &table_);
    return;
  }
  if (specs_.size() != 1 || fds_.size() != (kind_ == Kind::remove ? 0 : 1)) {
    reason_ = Reason::mem_count;
    return;
  }
  const RegionSpec& spec = specs_[0];
  if (kind_ == Kind::add)
    reason_ = open_region(spec, std::move(fds_[0]), &files_, &region_);
  else if (kind_ == Kind::log)
    reason_ = DirtyLog::open(std::move(fds_[0]), spec.size, spec.offset, &log_);
}

void MemoryChange::commit() {
  committed_ = true;
  if (reason_ != Reason::none) return;
  const auto device = Registry::get().find(device_);
  reason_ = device ? put_in_force(*device) : Reason::device_gone;
  if (device) on_disk_ = device->regions_on_disk();
}

Reason MemoryChange::put_in_force(Device& device) {
  switch (kind_) {
    case Kind::table:
      return device.set_table(table_, &lost_, &former_);
    case Kind::add:
      return device.add_region(region_, &former_);
    case Kind::remove:
      return device.remove_region(specs_[0], &lost_, &former_);
    case Kind::log:
      return device.set_log(log_, &former_);
  }
  return Reason::mem_count;
}

void MemoryChange::close() {
  fds_.clear();
  files_.clear();
  table_.reset();
  region_ = {};
  log_.reset();
  former_ = {};
}

}  // namespace rxvhost
