// Files that can be no guest's memory: on file systems where a page fault may block, and those that the
// kernel maps for reading only. The table before stays as it was.
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
  check(ftruncate(fd.get(), 2 * kPage) == 0, "a file");
  check(fcntl(fd.get(), F_ADD_SEALS, seals) == 0, "seals");
  return fd;
}

void file_systems() {
  // statfs(2); none of them can be mounted by a test that has no rights.
  for (const long magic : {0x65735546L, 0x6969L, 0x517bL, 0xff534d42L, 0xfe534d42L, 0x01021997L, 0x00c36400L})
    check(file_kind(magic) == FileKind::may_block, "C10: FUSE, NFS, SMB, CIFS, SMB2, 9P, Ceph");
  // f_type is signed, so the upper half may be set.
  check(file_kind(static_cast<int32_t>(0xff534d42)) == FileKind::may_block, "C10: a sign");
  for (const long magic : {0x01021994L, 0x958458f6L, 0x858458f6L})
    check(file_kind(magic) == FileKind::memory, "tmpfs, hugetlbfs, ramfs");
  for (const long magic : {0xef53L, 0x58465342L, 0x9123683eL})
    check(file_kind(magic) == FileKind::disk, "ext4, XFS, Btrfs");
  for (const char* name :
       {"fuse", "fuse.sshfs", "fuseblk", "virtiofs", "nfs", "nfs4", "cifs", "smb3", "9p", "ceph"})
    check(file_kind(std::string_view(name)) == FileKind::may_block, "C10: by name");
  for (const char* name : {"tmpfs", "hugetlbfs", "ramfs", "devtmpfs"})
    check(file_kind(std::string_view(name)) == FileKind::memory, "memory, by name");
  for (const char* name : {"ext4", "xfs", "btrfs", "overlay"})
    check(file_kind(std::string_view(name)) == FileKind::disk, "disks, by name");
}

// Ends the process with what look_at() says of a file in its root folder, or with 255 if it can have none of
// its own.
[[noreturn]] void look_in_root(const char* folder) {
  if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) _exit(255);
  if (chroot(folder) != 0 || chdir("/") != 0) _exit(255);
  const Fd file(open("/memory", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  FileFacts facts{};
  _exit(ftruncate(file.get(), kPage) == 0 ? static_cast<int>(look_at(file, &facts)) : 254);
}

// /proc/self/mountinfo does not list what is mounted outside the root folder.
void own_root() {
  char folder[] = "rxv-root-XXXXXX";  // here, which is likelier to be on a disk than /tmp
  check(mkdtemp(folder) != nullptr, "a folder");
  const pid_t child = fork();
  if (child == 0) look_in_root(folder);
  int status = 0;
  check(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status), "a process with another root");
  unlink((std::string(folder) + "/memory").c_str());
  rmdir(folder);
  if (WEXITSTATUS(status) == 255)
    std::printf("skipped: no chroot here (run as root, or allow user namespaces)\n");
  else
    check(WEXITSTATUS(status) == static_cast<int>(Reason::none), "C11: a file in the root folder");
}

void sealed() {
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, kTwoPages, two_pages(F_SEAL_SHRINK | F_SEAL_GROW), &memory) == Reason::none,
        "seals of the size are welcome");
  const Snapshot before = memory;
  RegionSpec other = kTwoPages;
  other.guest += 16 * kPage;
  other.user += 16 * kPage;
  for (const int seal : {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
    check(add(memory, other, two_pages(seal), &memory) == Reason::mem_map, "C12: refused");
    check(memory == before, "C12: the table is the one before");
    std::vector<Fd> fds;
    fds.push_back(two_pages(seal));
    check(MemorySnapshot::map({&other, 1}, std::move(fds), &memory) == Reason::mem_map, "C12: as a table");
    check(memory == before, "C12: the table is the one before");
  }
}

void only_a_name() {
  const Fd file = two_pages(0);
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, kTwoPages, Fd(open(path.c_str(), O_PATH | O_CLOEXEC)), &memory) == Reason::fd_type,
        "C11: O_PATH");
  check(add(memory, kTwoPages, Fd(open("/dev", O_DIRECTORY | O_CLOEXEC)), &memory) == Reason::fd_type,
        "C11: a folder");
  check(add(memory, kTwoPages, Fd(open("/dev/zero", O_RDWR | O_CLOEXEC)), &memory) == Reason::fd_type,
        "C11: a device");
  check(memory->regions().empty(), "nothing is mapped");
}

void last_address() {
  RegionSpec top = kTwoPages;
  top.guest = top.user = 0 - top.size;
  Snapshot memory = std::make_shared<MemorySnapshot>();
  check(add(memory, top, two_pages(0), &memory) == Reason::none, "the last two pages of all");
  RegionSpec above = kTwoPages;
  above.guest = above.user = top.guest - kPage;
  check(add(memory, above, two_pages(0), &memory) == Reason::mem_overlap, "C4: at the top too");
  const Region* last = nullptr;
  // Both ways to look: by the table, and by the region that was hit before.
  for (int look = 0; look < 2; look++) {
    check(memory->translate<Access::read>(UINT64_MAX, 100, &last).size == 1,
          "C20: its last byte, and no more");
    check(memory->translate<Access::write>(0, 100, &last).size == 0, "C20: nothing at 0");
    check(memory->translate<Access::read>(top.guest - 1, 100, &last).size == 0, "C20: nothing below");
  }
  check(memory->user_range(UINT64_MAX, 1) != nullptr, "C20: for a ring too");
  check(memory->user_range(UINT64_MAX, 2) == nullptr, "C20: no ring goes round");
}

const Register c10("hostile C10: memory on FUSE and on network file systems is refused", file_systems);
const Register c11_root("hostile C11: a file on a disk is memory after chroot, too", own_root);
const Register c11("hostile C11: a name, a folder, a device is no memory", only_a_name);
const Register c12("hostile C12: memory that is sealed against writing is refused", sealed);
const Register c20("hostile C20: the last byte of all addresses, and what would be behind it", last_address);

}  // namespace
}  // namespace rxvhost::test
