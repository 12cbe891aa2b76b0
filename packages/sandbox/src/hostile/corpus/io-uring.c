// System calls without system calls: what a filter cannot see.
// expect: held
#include "hostile.h"
int main(void) {
  char parameters[120] = {0};
  TRY(syscall(425 /* io_uring_setup */, 8, parameters));
  TRY(syscall(427 /* io_uring_register */, -1, 0, NULL, 0));
  TRY(syscall(426 /* io_uring_enter */, -1, 1, 0, 0, NULL, 0));
  return escaped;
}
