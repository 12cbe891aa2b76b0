// The same with pipes, made as large as they can be.
// expect: held out-of-memory
#include "hostile.h"
int main(void) {
  static char block[1 << 16];
  long taken = 0;
  for (int ends[2]; pipe2(ends, O_NONBLOCK) == 0;) {
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    for (ssize_t sent; (sent = write(ends[1], block, sizeof block)) > 0;) taken += sent;
  }
  if (taken > 128 << 20) printf("ESCAPED: %ld bytes\n", taken), escaped = 1;
  return escaped;
}
