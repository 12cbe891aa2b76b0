// Stops itself, so it uses no cpu time and never ends.
// expect: wall-limit
#include "hostile.h"
int main(void) {
  for (;;) raise(SIGSTOP);
}
