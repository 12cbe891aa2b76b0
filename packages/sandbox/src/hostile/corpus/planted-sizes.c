// Sparse files, which take long to read.
// expect: held
// after: collect large !; collect many !
#include "hostile.h"
int main(void) {
  int file = open("large", O_CREAT | O_WRONLY, 0600);
  ftruncate(file, 4 << 20);
  mkdir("many", 0700);
  for (int i = 0; i < 600; i++) {
    char path[32];
    snprintf(path, sizeof path, "many/%d", i);
    int part = open(path, O_CREAT | O_WRONLY, 0600);
    ftruncate(part, 1 << 20);
    close(part);
  }
  return 0;
}
