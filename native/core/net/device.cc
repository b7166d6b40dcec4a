#include "core/net/device.h"

namespace rxvhost {

Virtqueue* Device::ring(uint32_t index) {
  if (index >= kMaxRings) return nullptr;
  std::lock_guard lock(mutex_);
  if (index >= rings_.size()) rings_.resize(index + 1);
  if (!rings_[index]) rings_[index] = std::make_unique<Virtqueue>();
  return rings_[index].get();
}

Reason Device::map(std::span<const RegionSpec> specs, std::vector<Fd> fds, std::vector<uint32_t>* lost) {
  std::shared_ptr<const MemorySnapshot> next;
  if (Reason reason = MemorySnapshot::map(specs, std::move(fds), &next); reason != Reason::none)
    return reason;
  std::lock_guard lock(mutex_);
  memory_ = next;
  for (uint32_t i = 0; i < rings_.size(); i++)
    if (rings_[i] && rings_[i]->move(next) != Reason::none) lost->push_back(i);
  return Reason::none;
}

Reason Device::start(uint32_t index, const RingConfig& config) {
  Virtqueue* queue = ring(index);
  if (queue == nullptr) return Reason::vq_index;
  std::shared_ptr<const MemorySnapshot> memory;
  {
    std::lock_guard lock(mutex_);
    memory = memory_;
  }
  return queue->start(config, std::move(memory));
}

void Device::stop_all() {
  std::lock_guard lock(mutex_);
  for (auto& ring : rings_)
    if (ring) ring->stop();
  memory_.reset();
}

// Never destroyed: an env can die after static destructors ran.
Registry& Registry::get() {
  static Registry* registry = new Registry;
  return *registry;
}

std::shared_ptr<Device> Registry::create() {
  std::lock_guard lock(mutex_);
  auto device = std::make_shared<Device>(next_++);
  devices_[device->id()] = device;
  return device;
}

std::shared_ptr<Device> Registry::find(uint32_t id) {
  std::lock_guard lock(mutex_);
  auto it = devices_.find(id);
  return it == devices_.end() ? nullptr : it->second;
}

void Registry::destroy(uint32_t id) {
  std::shared_ptr<Device> device;  // let go outside the lock
  {
    std::lock_guard lock(mutex_);
    auto it = devices_.find(id);
    if (it == devices_.end()) return;
    device = std::move(it->second);
    devices_.erase(it);
  }
  device->stop_all();
}

size_t Registry::size() {
  std::lock_guard lock(mutex_);
  return devices_.size();
}

}  // namespace rxvhost
