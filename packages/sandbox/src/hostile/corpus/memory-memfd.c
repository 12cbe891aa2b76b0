// A file that is in no directory.
// expect: out-of-memory signal
#include "hostile.h"
int main(void) {
  static char block[1 << 20];
  memset(block, 1, sizeof block);
  for (;;) {
    int file = memfd_create("x", 0);
    if (file == -1) return 0;
    for (int i = 0; i < 4; i++) {
      if (write(file, block, sizeof block) == -1) return 0;
    }
  }
}
