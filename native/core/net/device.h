// One vhost device: its memory table and its rings, and the process-wide registry that owns all devices. An
// env holds ids and shared pointers only: a device that is destroyed while another thread runs one of its
// rings is freed by the last of them. It knows no messages; src/control decides what happens, this does it.
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

class Device {
 public:
  explicit Device(uint32_t id) : id_(id) {}
  ~Device() { stop_all(); }

  uint32_t id() const { return id_; }
  /// nullptr past kMaxRings. Rings are made when they are first named: most devices have two.
  Virtqueue* ring(uint32_t index);
  /// Maps a new table and moves the running rings onto it; `lost` gets those that it does not hold. On
  /// failure the old table stays in force.
  Reason map(std::span<const RegionSpec> specs, std::vector<Fd> fds, std::vector<uint32_t>* lost);
  /// One region more (ADD_MEM_REG) or less (REM_MEM_REG), under the running rings.
  Reason add_region(const RegionSpec& spec, Fd fd);
  Reason remove_region(const RegionSpec& spec, std::vector<uint32_t>* lost);
  /// From here on writes are marked in another log. log_range: it is too small for the guest's memory, or for
  /// a used ring; the former one stays in force.
  Reason set_log(uint64_t size, uint64_t offset, Fd fd);
  /// Signalled when the log has changed; an empty Fd for nobody.
  void set_log_call(Fd fd);
  /// Are writes into buffers marked? (VHOST_F_LOG_ALL)
  void log_buffers(bool on);
  /// The longest frame that rings take for the guest, by its MTU.
  void set_mtu(uint32_t mtu);
  /// Of the table in force: regions whose pages come from a disk, which works and is slow.
  uint32_t regions_on_disk();
  Reason start(uint32_t index, const RingConfig& config);
  void stop_all();

 private:
  void adopt(std::shared_ptr<const MemorySnapshot> next, std::vector<uint32_t>* lost);
  void log_with(Logging logging);

  const uint32_t id_;
  std::mutex mutex_;  // of the members below; never held together with a ring's lock by data
  std::shared_ptr<const MemorySnapshot> memory_;
  Logging logging_;   // of the table in force and of each that follows
  uint32_t mtu_ = 0;  // 0 = not told
  std::vector<std::unique_ptr<Virtqueue>> rings_;
};

class Registry {
 public:
  static Registry& get();
  std::shared_ptr<Device> create();
  std::shared_ptr<Device> find(uint32_t id);
  void destroy(uint32_t id);
  size_t size();

 private:
  std::mutex mutex_;
  uint32_t next_ = 1;  // ids are never reused, so a stale one names nothing
  std::unordered_map<uint32_t, std::shared_ptr<Device>> devices_;
};

}  // namespace rxvhost
