// One file, larger than it may be.
// expect: signal held
#include "hostile.h"
int main(void) {
  static char block[1 << 20];
  int file = open("large", O_WRONLY | O_CREAT, 0600);
  for (int i = 0; i < 64; i++) {
    if (write(file, block, sizeof block) <= 0) return 0;
  }
  printf("ESCAPED: a file of 64 MiB\n");
  return 1;
}
