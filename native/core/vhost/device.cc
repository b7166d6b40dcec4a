#include "core/vhost/device.h"

#include "core/base/blocking_threads.h"

namespace rxvhost {

Virtqueue* Device::ring(uint32_t index) {
  if (index >= kMaxRings) return nullptr;
  std::lock_guard lock(mutex_);
  if (index >= rings_.size()) rings_.resize(index + 1);
  if (!rings_[index]) rings_[index] = std::make_unique<Virtqueue>();
  return rings_[index].get();
}

Reason Device::set_table(const std::shared_ptr<const MemorySnapshot>& table, std::vector<uint32_t>* lost,
                         FormerMemory* former) {
  std::lock_guard lock(mutex_);
  if (destroyed_) return Reason::device_gone;
  *former = in_force();
  adopt(table->with(logging_), lost);
  return Reason::none;
}

// Moves the running rings to the next table, each when its burst is over. The caller holds the mutex.
void Device::adopt(std::shared_ptr<const MemorySnapshot> next, std::vector<uint32_t>* lost) {
  memory_ = std::move(next);
  for (uint32_t i = 0; i < rings_.size(); i++)
    if (rings_[i] && rings_[i]->move(memory_) != Reason::none && lost != nullptr) lost->push_back(i);
}

Reason Device::add_region(const Region& region, FormerMemory* former) {
  std::lock_guard lock(mutex_);
  if (destroyed_) return Reason::device_gone;
  const MemorySnapshot none;
  std::shared_ptr<const MemorySnapshot> next;
  *former = in_force();
  const Reason reason = (memory_ ? *memory_ : none).add(region, &next);
  if (reason == Reason::none) adopt(next->with(logging_), nullptr);
  return reason;
}

Reason Device::remove_region(const RegionSpec& spec, std::vector<uint32_t>* lost, FormerMemory* former) {
  std::lock_guard lock(mutex_);
  if (destroyed_) return Reason::device_gone;
  if (!memory_) return Reason::none;
  std::shared_ptr<const MemorySnapshot> next;
  *former = in_force();
  const Reason reason = memory_->remove(spec, &next);
  if (reason == Reason::none) adopt(std::move(next), lost);
  return reason;
}

uint32_t Device::regions_on_disk() {
  std::lock_guard lock(mutex_);
  return memory_ ? memory_->regions_on_disk() : 0;
}

Backings Device::backings() {
  std::lock_guard lock(mutex_);
  return memory_ ? memory_->backings() : Backings();
}

std::shared_ptr<const MemorySnapshot> Device::memory() {
  std::lock_guard lock(mutex_);
  return memory_;
}

bool Device::revoked() {
  const auto in_force = memory();
  return in_force && in_force->poisoned();
}

Loss Device::loss() {
  const auto in_force = memory();
  return in_force ? in_force->loss() : Loss::unknown;
}

Reason Device::set_log(const std::shared_ptr<const DirtyLog>& log, FormerMemory* former) {
  std::lock_guard lock(mutex_);
  if (destroyed_) return Reason::device_gone;
  if (memory_)
    for (const Region& region : memory_->regions())
      if (!log->covers(region.guest, region.size)) return Reason::log_range;
  for (auto& ring : rings_)
    if (ring && !ring->fits(*log)) return Reason::log_range;
  *former = in_force();
  log_with({log, logging_.call, logging_.buffers});
  return Reason::none;
}

void Device::set_log_call(Fd fd) {
  std::lock_guard lock(mutex_);
  log_with({logging_.log, fd ? std::make_shared<const Fd>(std::move(fd)) : nullptr, logging_.buffers});
}

void Device::log_buffers(bool on) {
  std::lock_guard lock(mutex_);
  log_with({logging_.log, logging_.call, on});
}

void Device::log_with(Logging logging) {
  logging_ = std::move(logging);
  if (memory_) adopt(memory_->with(logging_), nullptr);
}

Reason Device::start(uint32_t index, const RingConfig& config) {
  Virtqueue* queue = ring(index);
  if (queue == nullptr) return Reason::vq_index;
  return queue->start(config, memory());
}

FormerMemory Device::stop_all() {
  std::lock_guard lock(mutex_);
  destroyed_ = true;
  for (auto& ring : rings_)
    if (ring) ring->stop();
  FormerMemory former = in_force();
  memory_.reset();
  logging_ = {};
  return former;
}

// The registry is never destroyed, because an env can end after the static destructors ran.
Registry& Registry::get() {
  static Registry* registry = new Registry;
  return *registry;
}

std::shared_ptr<Device> Registry::find(uint32_t id) {
  std::lock_guard lock(mutex_);
  auto it = devices_.find(id);
  return it == devices_.end() ? nullptr : it->second;
}

bool Registry::has(uint32_t id) {
  std::lock_guard lock(mutex_);
  return devices_.contains(id);
}

void Registry::destroy(uint32_t id) {
  std::shared_ptr<Device> device;  // released outside the lock
  {
    std::lock_guard lock(mutex_);
    auto it = devices_.find(id);
    if (it == devices_.end()) return;
    device = std::move(it->second);
    devices_.erase(it);
  }
  freeing_threads().run(0, [former = device->stop_all()] {});
}

size_t Registry::size() {
  std::lock_guard lock(mutex_);
  return devices_.size();
}

}  // namespace rxvhost
