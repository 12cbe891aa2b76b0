// The classic escape from a changed root, and a new root.
// expect: held
#include "hostile.h"
int main(void) {
  mkdir("/tmp/jail", 0700);
  int outside = open("/", O_RDONLY);
  TRY(chroot("/tmp/jail"));
  TRY(syscall(SYS_pivot_root, "/tmp", "/tmp/jail"));
  fchdir(outside);
  for (int i = 0; i < 64; i++) chdir("..");
  TRY(chroot("."));
  TRY(open(getenv("CANARY_FILE"), O_RDONLY));
  return escaped;
}
