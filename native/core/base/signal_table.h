// A table that can grow and that a signal handler can read at any moment. Entries never move. They are never
// freed, only reused. A handler visits every entry that was ever taken, so an entry must have atomic fields
// that tell whether it is in use.
#pragma once

#include <atomic>
#include <cstdint>

namespace rxvhost {

/// Only for objects with static storage. The class has no destructor, because a signal can arrive while the
/// process exits.
template <typename Entry, uint32_t kChunk>
class SignalTable {
 public:
  /// Returns an unused entry, which still has the content of its last use. The caller must hold a mutex that
  /// no signal handler takes.
  Entry* take() {
    if (free_ != nullptr) {
      Cell* cell = free_;
      free_ = cell->next_free;
      return &cell->entry;
    }
    Chunk* chunk = last_ != nullptr ? last_ : &first_;
    if (chunk->used.load(std::memory_order_relaxed) == kChunk) {
      Chunk* more = new Chunk{};
      chunk->next.store(more, std::memory_order_release);
      chunk = more;
    }
    last_ = chunk;
    const uint32_t index = chunk->used.load(std::memory_order_relaxed);
    chunk->used.store(index + 1, std::memory_order_release);
    return &chunk->cells[index].entry;
  }

  /// The caller must hold the same mutex as for take().
  void give_back(Entry* entry) {
    Cell* cell = reinterpret_cast<Cell*>(entry);
    cell->next_free = free_;
    free_ = cell;
  }

  /// Calls `visit(entry)` for each entry that was ever taken, until a call returns true. Returns whether a
  /// call returned true. A signal handler may use it.
  template <typename Visit>
  bool find(Visit&& visit) {
    for (Chunk* chunk = &first_; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire)) {
      const uint32_t used = chunk->used.load(std::memory_order_acquire);
      for (uint32_t i = 0; i < used; i++)
        if (visit(chunk->cells[i].entry)) return true;
    }
    return false;
  }

 private:
  struct Cell {
    Entry entry;  // the first member, so that the entry and its cell have the same address
    Cell* next_free;
  };
  struct Chunk {
    Cell cells[kChunk];
    std::atomic<uint32_t> used;
    std::atomic<Chunk*> next;
  };

  Chunk first_;
  Chunk* last_ = nullptr;
  Cell* free_ = nullptr;
};

}  // namespace rxvhost
