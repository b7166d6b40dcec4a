// A table that grows, and that a signal handler can read at any moment. Entries stay where they are and are
// never freed, only used again; a handler sees those that were ever taken, so an entry says itself whether it
// is in use, in words that its owner stores atomically. It knows nothing of what is in it.
#pragma once

#include <atomic>
#include <cstdint>

namespace rxvhost {

/// Static storage only: it has no destructor, since a signal may come while the process exits.
template <typename Entry, uint32_t kChunk>
class SignalTable {
 public:
  /// An entry that nobody uses, with whatever its last user left in it. Under a mutex of the caller's, which
  /// no handler takes.
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

  /// Under the same mutex.
  void give_back(Entry* entry) {
    Cell* cell = reinterpret_cast<Cell*>(entry);
    cell->next_free = free_;
    free_ = cell;
  }

  /// `visit(entry)` for each entry that was ever taken, until it returns true. For handlers.
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
    Entry entry;  // first: an entry's address is its cell's
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
