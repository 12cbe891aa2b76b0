// Writes for ever.
// expect: output-limit
#include "hostile.h"
int main(void) {
  static char block[1 << 16];
  memset(block, 'x', sizeof block);
  for (;;) write(1, block, sizeof block);
}
