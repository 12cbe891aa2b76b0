// Empty files cost no bytes.
// expect: held out-of-memory cpu-limit
#include "hostile.h"
int main(void) {
  const char *folders[] = {"/tmp", ".", "/dev/shm"};
  long made = 0;
  for (int folder = 0; folder < 3; folder++) {
    for (char path[64]; made < 200000; made++) {
      snprintf(path, sizeof path, "%s/%ld", folders[folder], made);
      int file = open(path, O_WRONLY | O_CREAT, 0);
      if (file == -1) break;
      close(file);
    }
  }
  if (made >= 200000) printf("ESCAPED: %ld files\n", made), escaped = 1;
  return escaped;
}
