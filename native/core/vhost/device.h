// One vhost device of any kind: its memory table and its rings, and the process-wide registry that owns all
// devices. An env holds ids and shared pointers only: a device that is destroyed while another thread runs
// one of its rings is freed by the last of them. src/control decides what happens; the addon calls this to do
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/base/limits.h"
#include "core/memory/snapshot.h"
#include "core/virtqueue/virtqueue.h"

namespace rxvhost {

/// What is in force no more, to be let go where that may last.
struct FormerMemory {
  std::shared_ptr<const MemorySnapshot> memory;
  std::shared_ptr<const DirtyLog> log;
};

class Device {
 public:
  Device(uint32_t id, uint32_t driver) : id_(id), driver_(driver) {}
  virtual ~Device() { stop_all(); }

  uint32_t id() const { return id_; }
  /// Any number that devices share which share threads for their memory (core/memory/memory_threads.h).
  uint32_t driver() const { return driver_; }
  /// nullptr past kMaxRings. Rings are made when they are first named: most devices have two.
  Virtqueue* ring(uint32_t index);

  // Memory comes mapped, and what it replaced goes to the caller (core/vhost/memory_change.h), since to map
  // and to unmap may last. On failure, and once the device is destroyed, all stays as it was.
  /// A new table, onto which the running rings move; `lost` gets those that it does not hold.
  Reason set_table(const std::shared_ptr<const MemorySnapshot>& table, std::vector<uint32_t>* lost,
                   FormerMemory* former);
  /// One region more (ADD_MEM_REG) or less (REM_MEM_REG), under the running rings.
  Reason add_region(const Region& region, FormerMemory* former);
  Reason remove_region(const RegionSpec& spec, std::vector<uint32_t>* lost, FormerMemory* former);
  /// From here on writes are marked in another log. log_range: it is too small for the guest's memory, or for
  /// a used ring.
  Reason set_log(const std::shared_ptr<const DirtyLog>& log, FormerMemory* former);
  /// The files of the table in force.
  Backings backings();
  /// The memory in force, or its log, was taken away; why, as far as is known.
  bool revoked();
  Loss loss();

  /// Signalled when the log has changed; an empty Fd for nobody.
  void set_log_call(Fd fd);
  /// Are writes into buffers marked? (VHOST_F_LOG_ALL)
  void log_buffers(bool on);
  /// Of the table in force: regions whose pages come from a disk, which works and is slow.
  uint32_t regions_on_disk();
  Reason start(uint32_t index, const RingConfig& config);
  /// For good. What it had of its front end's memory.
  FormerMemory stop_all();

 private:
  std::shared_ptr<const MemorySnapshot> memory();
  FormerMemory in_force() const { return {memory_, logging_.log}; }
  void adopt(std::shared_ptr<const MemorySnapshot> next, std::vector<uint32_t>* lost);
  void log_with(Logging logging);

  const uint32_t id_, driver_;
  std::mutex mutex_;  // of the members below; never held together with a ring's lock by data
  std::shared_ptr<const MemorySnapshot> memory_;
  bool destroyed_ = false;
  Logging logging_;  // of the table in force and of each that follows
  std::vector<std::unique_ptr<Virtqueue>> rings_;
};

class Registry {
 public:
  static Registry& get();
  /// `D`: Device, or what a kind of device makes of it.
  template <class D = Device>
  std::shared_ptr<D> create(uint32_t driver = 0) {
    std::lock_guard lock(mutex_);
    auto device = std::make_shared<D>(next_++, driver);
    devices_[device->id()] = device;
    return device;
  }
  std::shared_ptr<Device> find(uint32_t id);
  /// For threads that must not become a device's last owner, which lets go of its memory.
  bool has(uint32_t id);
  void destroy(uint32_t id);
  size_t size();

 private:
  std::mutex mutex_;
  uint32_t next_ = 1;  // ids are never reused, so a stale one names nothing
  std::unordered_map<uint32_t, std::shared_ptr<Device>> devices_;
};

}  // namespace rxvhost
