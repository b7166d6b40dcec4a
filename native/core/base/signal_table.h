// A table that grows, and that a signal handler can read at any moment. Entries never move and are never
// freed, only reused. A handler visits every entry that was ever taken, so each entry tells whether it is in
// use, in words that its user stores atomically.
#pragma once

#include <atomic>
#include <cstdint>

namespace rxvhost {

/// For static storage only: without a destructor, since a signal can arrive while the process exits.
template <typename Entry, uint32_t kChunk>
class SignalTable {
 public:
  /// An unused entry, with the content that its last user left. The caller holds a mutex that no handler
  /// takes.
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

  /// The caller holds the same mutex.
  void give_back(Entry* entry) {
    Cell* cell = reinterpret_cast<Cell*>(entry);
    cell->next_free = free_;
    free_ = cell;
  }

  /// For handlers. Calls `visit(entry)` for each entry that was ever taken, until a call returns true;
  /// returns whether one did.
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
    Entry entry;  // first, so that its address is that of the cell
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
