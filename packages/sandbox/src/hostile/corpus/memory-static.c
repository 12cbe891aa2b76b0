// A gigabyte that is in no file and of no allocator.
// expect: out-of-memory
#include "hostile.h"
static char all[1 << 30];
int main(void) {
  memset(all, 1, sizeof all);
  return all[12345];
}
