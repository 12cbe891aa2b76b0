// Takes over another process: the one that started it, process 1, and its neighbours.
// expect: held
#include "hostile.h"
#include <sys/ptrace.h>
#include <sys/uio.h>
int main(void) {
  pid_t targets[] = {1, getppid(), number_from("CANARY_PID")};
  for (int i = 0; i < 3; i++) {
    pid_t target = targets[i];
    if (target <= 0) continue;
    char path[64], byte;
    snprintf(path, sizeof path, "/proc/%d/mem", target);
    if (!is_own(target)) TRY(open(path, O_RDWR));
    TRY(ptrace(PTRACE_ATTACH, target, NULL, NULL));
    TRY(ptrace(PTRACE_SEIZE, target, NULL, NULL));
    struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
    TRY(syscall(SYS_process_vm_readv, target, &here, 1, &there, 1, 0));
    TRY(syscall(SYS_process_vm_writev, target, &here, 1, &there, 1, 0));
    TRY(syscall(SYS_kcmp, getpid(), target, 0, 0, 0));
  }
  return escaped;
}
