// One byte of every two megabytes: as many page tables as pages, which no resident size shows.
// expect: out-of-memory
#include "hostile.h"
int main(void) {
  size_t step = 2 << 20, size = (size_t)1 << 40;
  char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return 2;
  madvise(block, size, MADV_NOHUGEPAGE);
  for (size_t at = 0; at < size; at += step) block[at] = 1;
}
