// Mounts, with the old interface and the new one.
// expect: held
#include "hostile.h"
#include <sys/mount.h>
int main(void) {
  TRY(mount("none", "/tmp", "tmpfs", 0, NULL));
  TRY(mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL));
  TRY(mount("proc", "/tmp", "proc", 0, NULL));
  TRY(mount("none", "/tmp", "cgroup2", 0, NULL));
  TRY(mount("none", "/", NULL, MS_REMOUNT | MS_BIND, NULL));
  TRY(mount("/dev/vda", "/tmp", "ext4", 0, NULL));
  TRY(umount2("/proc", MNT_DETACH));
  TRY(syscall(430 /* fsopen */, "tmpfs", 0));
  TRY(syscall(428 /* open_tree */, -100, "/", 1));
  TRY(syscall(442 /* mount_setattr */, -100, "/", 0, NULL, 0));
  return escaped;
}
