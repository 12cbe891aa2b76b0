// New namespaces, in which a guest would be root and have much more of the kernel to play with.
// expect: held
#include "hostile.h"
#include <linux/sched.h>
static int child(void *unused) { (void)unused; return 0; }
int main(void) {
  static char stack[1 << 16];
  TRY(unshare(CLONE_NEWUSER));
  TRY(unshare(CLONE_NEWNS));
  TRY(unshare(CLONE_NEWNET));
  TRY(unshare(CLONE_NEWCGROUP));
  TRY(clone(child, stack + sizeof stack, CLONE_NEWUSER | SIGCHLD, NULL));
  TRY(clone(child, stack + sizeof stack, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, NULL));
  struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long made = syscall(SYS_clone3, &args, sizeof args);
  if (made == 0) _exit(0);
  TRY(made);
  const char *kinds[] = {"mnt", "net", "pid", "user", "ipc", "cgroup"};
  for (int i = 0; i < 6; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/ns/%s", kinds[i]);
    TRY(setns(open(path, O_RDONLY), 0));
  }
  return escaped;
}
