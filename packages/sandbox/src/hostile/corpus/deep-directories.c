// Directories within each other, deeper than any path is long, and closed behind.
// expect: held out-of-memory cpu-limit
#include "hostile.h"
int main(void) {
  const char *folders[] = {"/tmp", "/dev/shm"};
  for (int folder = 0; folder < 2; folder++) {
    if (chdir(folders[folder]) == -1) continue;
    for (int depth = 0; depth < 3000; depth++) {
      if (mkdir("d", 0700) == -1 || chdir("d") == -1) break;
      close(open("file", O_CREAT, 0));
      chmod(".", 0300);
    }
  }
  return 0;
}
