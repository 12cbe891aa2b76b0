// A recursion without end.
// expect: signal out-of-memory
#include "hostile.h"
static int deeper(volatile char *above) {
  volatile char frame[4096];
  memset((char *)frame, above[0] + 1, sizeof frame);
  return deeper(frame) + frame[7];
}
int main(void) {
  char first[1] = {0};
  return deeper(first);
}
