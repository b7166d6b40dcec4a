// One vhost device of any kind, with its memory table and its rings; and the registry of the process, which
// owns all devices. An env holds only ids and shared pointers. If a device is destroyed while another thread
// runs one of its rings, the last owner frees it. src/control decides what happens to a device, and the addon
// calls this class to do it.
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

/// Memory that was replaced. Its owner frees it on a thread that may block.
struct FormerMemory {
  std::shared_ptr<const MemorySnapshot> memory;
  std::shared_ptr<const DirtyLog> log;
};

class Device {
 public:
  Device(uint32_t id, uint32_t driver) : id_(id), driver_(driver) {}
  virtual ~Device() { stop_all(); }

  uint32_t id() const { return id_; }
  /// The number of the device's driver. Devices with the same number share the threads that map their memory
  /// (core/memory/memory_threads.h).
  uint32_t driver() const { return driver_; }
  /// Returns the ring, or nullptr from kMaxRings on. A ring is made at its first use, since most devices have
  /// only two.
  Virtqueue* ring(uint32_t index);

  // The memory is mapped before these calls, and they give the memory that was replaced to the caller
  // (core/vhost/memory_change.h), because mapping and unmapping may take long. If a call fails, or the device
  // was destroyed, nothing changes.
  /// Sets a new table, and moves the running rings to it. `lost` gets the rings that are not inside the
  /// table.
  Reason set_table(const std::shared_ptr<const MemorySnapshot>& table, std::vector<uint32_t>* lost,
                   FormerMemory* former);
  /// Adds (ADD_MEM_REG) or removes (REM_MEM_REG) one region while rings run.
  Reason add_region(const Region& region, FormerMemory* former);
  Reason remove_region(const RegionSpec& spec, std::vector<uint32_t>* lost, FormerMemory* former);
  /// Marks all later writes in another log. log_range: the log is too small for the guest's memory, or for a
  /// used ring.
  Reason set_log(const std::shared_ptr<const DirtyLog>& log, FormerMemory* former);
  /// The open files of the current table.
  Backings backings();
  /// Returns true if the current memory, or its log, was taken away; loss() returns why, if it is known.
  bool revoked();
  Loss loss();

  /// Sets the fd that is signalled when the log has changed. An empty Fd: none.
  void set_log_call(Fd fd);
  /// Sets whether writes to buffers are marked (VHOST_F_LOG_ALL).
  void log_buffers(bool on);
  /// Number of regions of the current table whose pages come from a disk, which is slow.
  uint32_t regions_on_disk();
  Reason start(uint32_t index, const RingConfig& config);
  /// Stops the device for ever. Returns the memory that it had.
  FormerMemory stop_all();

 private:
  std::shared_ptr<const MemorySnapshot> memory();
  FormerMemory in_force() const { return {memory_, logging_.log}; }
  void adopt(std::shared_ptr<const MemorySnapshot> next, std::vector<uint32_t>* lost);
  void log_with(Logging logging);

  const uint32_t id_, driver_;
  std::mutex mutex_;  // for the members below; the data plane never holds it together with a ring's lock
  std::shared_ptr<const MemorySnapshot> memory_;
  bool destroyed_ = false;
  Logging logging_;  // for the current table and for each later one
  std::vector<std::unique_ptr<Virtqueue>> rings_;
};

class Registry {
 public:
  static Registry& get();
  /// `D`: Device, or a class of one kind of device.
  template <class D = Device>
  std::shared_ptr<D> create(uint32_t driver = 0) {
    std::lock_guard lock(mutex_);
    auto device = std::make_shared<D>(next_++, driver);
    devices_[device->id()] = device;
    return device;
  }
  std::shared_ptr<Device> find(uint32_t id);
  /// For threads that must not become the last owner of a device, because the last owner frees its memory.
  bool has(uint32_t id);
  void destroy(uint32_t id);
  size_t size();

 private:
  std::mutex mutex_;
  uint32_t next_ = 1;  // ids are never reused, so an old id names no other device
  std::unordered_map<uint32_t, std::shared_ptr<Device>> devices_;
};

}  // namespace rxvhost
