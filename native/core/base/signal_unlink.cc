#include "core/base/signal_unlink.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <mutex>

#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/signal_table.h"

namespace rxvhost {

// Entries are written with the mutex held. The handler reads entries without the mutex, so `owner` is stored
// last and cleared first. `owner` is a process id and not a flag, because a forked child has a copy of the
// table but must not unlink the sockets of its parent.
struct SocketFile {
  std::atomic<pid_t> owner;
  dev_t device;
  ino_t inode;
  char path[kMaxSocketPath + 1];
};

namespace {

constexpr int kEndings[] = {SIGHUP, SIGINT, SIGTERM};

SignalTable<SocketFile, 64> table;
std::mutex table_mutex;
struct sigaction former[std::size(kEndings)];

void on_ending(int signal) {
  const int saved_errno = errno;
  table.find([](const SocketFile& entry) {
    struct stat now;
    if (entry.owner.load(std::memory_order_acquire) == getpid() && lstat(entry.path, &now) == 0 &&
        now.st_dev == entry.device && now.st_ino == entry.inode)
      unlink(entry.path);
    return false;
  });
  for (size_t i = 0; i < std::size(kEndings); i++)
    if (kEndings[i] == signal) sigaction(signal, &former[i], nullptr);
  errno = saved_errno;
  raise(signal);  // stays pending until this handler returns; then the former action runs
}

// Called for each new file, because the handler may have been replaced: libuv restores the default action
// when a program removes its last listener for a signal.
void install_locked() {
  for (size_t i = 0; i < std::size(kEndings); i++) {
    struct sigaction now {};
    if (sigaction(kEndings[i], nullptr, &now) != 0) continue;
    const bool ends = !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
    if (!ends && !(now.sa_flags & SA_RESETHAND)) continue;  // handled by others, ignored, or already ours
    former[i] = now;
    struct sigaction action {};
    action.sa_handler = on_ending;
    sigfillset(&action.sa_mask);
    sigaction(kEndings[i], &action, nullptr);
  }
}

}  // namespace

SocketFile* remember_socket_file(const std::string& path, dev_t device, ino_t inode) {
  if (path.size() > kMaxSocketPath) return nullptr;
  std::lock_guard lock(table_mutex);
  install_locked();
  SocketFile* entry = table.take();
  memcpy(entry->path, path.c_str(), path.size() + 1);
  entry->device = device;
  entry->inode = inode;
  entry->owner.store(getpid(), std::memory_order_release);
  return entry;
}

void forget_socket_file(SocketFile* entry) {
  if (entry == nullptr) return;
  std::lock_guard lock(table_mutex);
  entry->owner.store(0, std::memory_order_release);
  table.give_back(entry);
}

}  // namespace rxvhost
