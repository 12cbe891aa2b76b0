// Shared pages belong to no single process.
// expect: out-of-memory
#include "hostile.h"
int main(void) {
  for (int child = 0; child < 4; child++) {
    if (fork() == 0) {
      char *block = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
      memset(block, 1, 64 << 20);
      pause();
    }
  }
  pause();
}
