// Opens descriptors, also some that are in flight between two sockets.
// expect: held out-of-memory
#include "hostile.h"
int main(void) {
  long made = 0;
  while (open("/dev/null", O_RDONLY) != -1) made++;
  if (made > 65536) printf("ESCAPED: %ld descriptors\n", made), escaped = 1;
  return escaped;
}
