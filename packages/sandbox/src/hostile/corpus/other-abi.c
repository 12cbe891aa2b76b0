// Opens a socket by the calls of 32-bit programs and of x32, for which a filter may have no rule.
// expect: held signal
#include "hostile.h"
int main(void) {
#ifdef __x86_64__
  TRY(syscall(0x40000000 | SYS_socket, 2, SOCK_STREAM, 0));
  long made;
  __asm__ volatile("int $0x80" : "=a"(made) : "a"(359 /* socket */), "b"(2), "c"(SOCK_STREAM), "d"(0) : "memory");
  if (made >= 0) TRY(made);
#endif
  return escaped;
}
