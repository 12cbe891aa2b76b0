// Fills the buffers of sockets that are never read, which is memory of the kernel.
// expect: held out-of-memory
#include "hostile.h"
int main(void) {
  static char block[1 << 16];
  long taken = 0;
  for (int pair[2]; socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0;) {
    for (ssize_t sent; (sent = send(pair[0], block, sizeof block, 0)) > 0;) taken += sent;
  }
  if (taken > 128 << 20) printf("ESCAPED: %ld bytes\n", taken), escaped = 1;
  return escaped;
}
