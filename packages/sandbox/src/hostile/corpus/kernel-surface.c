// Parts of the kernel that no guest needs.
// expect: held
#include "hostile.h"
#include <linux/perf_event.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/time.h>
int main(void) {
  char zeros[256] = {0};
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .exclude_kernel = 1};
  struct timeval now = {0};
  TRY(syscall(SYS_bpf, 0, zeros, sizeof zeros));
  TRY(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
  TRY(syscall(SYS_userfaultfd, 0));
  TRY(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */));
  TRY(syscall(SYS_kexec_load, 0, 0, NULL, 0));
  TRY(syscall(SYS_init_module, zeros, 1, ""));
  TRY(syscall(SYS_finit_module, 0, "", 0));
  TRY(syscall(SYS_delete_module, "loop", 0));
  TRY(syscall(SYS_open_by_handle_at, -100, zeros, 0));
  TRY(syscall(SYS_fanotify_init, 0, 0));
  TRY(syscall(SYS_quotactl, 0, "/", 0, zeros));
  TRY(syscall(SYS_acct, "/tmp/acct"));
  TRY(syscall(SYS_syslog, 3, zeros, sizeof zeros));
  TRY(reboot(RB_DISABLE_CAD));
  TRY(swapon("/tmp/swap", 0));
  TRY(settimeofday(&now, NULL));
  TRY(sethostname("hostile", 7));
  TRY(syscall(SYS_iopl, 3));
  TRY(syscall(SYS_ioperm, 0x80, 1, 1));
  return escaped;
}
