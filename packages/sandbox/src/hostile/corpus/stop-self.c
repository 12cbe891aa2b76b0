// Stops itself: no cpu time, no end.
// expect: wall-limit
#include "hostile.h"
int main(void) {
  for (;;) raise(SIGSTOP);
}
