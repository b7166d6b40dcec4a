// Files that are refused as a guest's memory: files on file systems where a page fault may block, and files
// that the kernel maps only for reading. After a refusal, the previous table is unchanged.
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/memory/file_kind.h"
#include "test/fixture.h"

namespace rxvhost::test {
namespace {

constexpr uint64_t kPage = 4096;
constexpr RegionSpec kTwoPages{0x1000'0000, 2 * kPage, kUser, 0};

using Snapshot = std::shared_ptr<const MemorySnapshot>;

Fd two_pages(int seals) {
  Fd fd(memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  check(ftruncate(fd.get(), 2 * kPage) == 0, "the file has its size");
  check(fcntl(fd.get(), F_ADD_SEALS, seals) == 0, "the file gets its seals");
  return fd;
}

void file_systems() {
  // The numbers are from statfs(2). A test without root rights can't mount these file systems.
  for (const long magic : {0x65735546L, 0x6969L, 0x517bL, 0xff534d42L, 0xfe534d42L, 0x01021997L, 0x00c36400L})
    check(file_kind(magic) == FileKind::may_block, "C10: FUSE, NFS, SMB, CIFS, SMB2, 9P and Ceph may block");
  // f_type is signed, so a negative value must work too.
  check(file_kind(static_cast<int32_t>(0xff534d42)) == FileKind::may_block, "C10: a negative f_type works");
  for (const long magic : {0x01021994L, 0x958458f6L, 0x858458f6L})
    check(file_kind(magic) == FileKind::memory, "tmpfs, hugetlbfs and ramfs are memory");
  for (const long magic : {0xef53L, 0x58465342L, 0x9123683eL})
    check(file_kind(magic) == FileKind::disk, "ext4, XFS and Btrfs are on a disk");
  for (const char* name :
       {"fuse", "fuse.sshfs", "fuseblk", "virtiofs", "nfs", "nfs4", "cifs", "smb3", "9p", "ceph"})
    check(file_kind(std::string_view(name)) == FileKind::may_block,
          "C10: a file system of this name may block");
  for (const char* name : {"tmpfs", "hugetlbfs", "ramfs", "devtmpfs"})
    check(file_kind(std::string_view(name)) == FileKind::memory, "a file system of this name is memory");
  for (const char* name : {"ext4", "xfs", "btrfs", "overlay"})
    check(file_kind(std::string_view(name)) == FileKind::disk, "a file system of this name is on a disk");
}

// Changes the root folder and ends the process with the result of look_at() for a file in this root. Ends it
// with 255 if the process may not change its root.
[[noreturn]] void look_in_root(const char* folder) {
  if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) _exit(255);
  if (chroot(folder) != 0 || chdir("/") != 0) _exit(255);
  const Fd file(open("/memory", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  FileFacts facts{};
  _exit(ftruncate(file.get(), kPage) == 0 ? static_cast<int>(look_at(file, &facts)) : 254);
}

// After chroot(), /proc/self/mountinfo does not list file systems that are mounted outside the new root.
void own_root() {
  char folder[] = "rxv-root-XXXXXX";  // not in /tmp, which is less likely to be on a disk
  check(mkdtemp(folder) != nullptr, "a folder is created");
  const pid_t child = fork();
  if (child == 0) look_in_root(folder);
  int status = 0;
  check(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status), "the child process exits");
  unlink((std::string(folder) + "/memory").c_str());
  rmdir(folder);
  if (WEXITSTATUS(status) == 255)
    std::printf("skipped: chroot() is not permitted (run as root, or allow user namespaces)\n");
  else
    check(WEXITSTATUS(status) == static_cast<int>(Reason::none),
          "C11: a file in the root folder is accepted");
}

void sealed() {
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, kTwoPages, two_pages(F_SEAL_SHRINK | F_SEAL_GROW), &memory) == Reason::none,
        "seals of the file's size are allowed");
  const Snapshot before = memory;
  RegionSpec other = kTwoPages;
  other.guest += 16 * kPage;
  other.user += 16 * kPage;
  for (const int seal : {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
    check(add(memory, other, two_pages(seal), &memory) == Reason::mem_map, "C12: the region is refused");
    check(memory == before, "C12: after a refused region the table is unchanged");
    std::vector<Fd> fds;
    fds.push_back(two_pages(seal));
    check(MemorySnapshot::map({&other, 1}, std::move(fds), &memory) == Reason::mem_map,
          "C12: a table with the region is refused");
    check(memory == before, "C12: after a refused table the table is unchanged");
  }
}

void other_file_types() {
  const Fd file = two_pages(0);
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, kTwoPages, Fd(open(path.c_str(), O_PATH | O_CLOEXEC)), &memory) == Reason::fd_type,
        "C11: an O_PATH fd is refused");
  check(add(memory, kTwoPages, Fd(open("/dev", O_DIRECTORY | O_CLOEXEC)), &memory) == Reason::fd_type,
        "C11: a folder is refused");
  check(add(memory, kTwoPages, Fd(open("/dev/zero", O_RDWR | O_CLOEXEC)), &memory) == Reason::fd_type,
        "C11: a device is refused");
  check(memory->regions().empty(), "nothing is mapped");
}

void last_address() {
  RegionSpec top = kTwoPages;
  top.guest = top.user = 0 - top.size;
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, top, two_pages(0), &memory) == Reason::none,
        "the last two pages of the address space map");
  RegionSpec above = kTwoPages;
  above.guest = above.user = top.guest - kPage;
  check(add(memory, above, two_pages(0), &memory) == Reason::mem_overlap,
        "C4: an overlap at the end of the address space is refused");
  const Region* last = nullptr;
  // The first round searches the table, and the second round uses the cached region.
  for (int look = 0; look < 2; look++) {
    check(memory->translate<Access::read>(UINT64_MAX, 100, &last).size == 1,
          "C20: from the last address on, one byte is mapped");
    check(memory->translate<Access::write>(0, 100, &last).size == 0, "C20: address 0 is not mapped");
    check(memory->translate<Access::read>(top.guest - 1, 100, &last).size == 0,
          "C20: the byte before the region is not mapped");
  }
  check(memory->user_range(UINT64_MAX, 1) != nullptr, "C20: a ring may use the last byte");
  check(memory->user_range(UINT64_MAX, 2) == nullptr, "C20: a ring may not wrap to address 0");
}

const Register c10("hostile C10: memory on FUSE and on network file systems is refused", file_systems);
const Register c11_root("hostile C11: after chroot, a file on a disk is still accepted as memory", own_root);
const Register c11("hostile C11: an O_PATH fd, a folder or a device is refused as memory", other_file_types);
const Register c12("hostile C12: memory that is sealed against writing is refused", sealed);
const Register c20("hostile C20: a region may end at the last address, but no range wraps", last_address);

}  // namespace
}  // namespace rxvhost::test
