// Leaves a process that keeps stdout open, so a reader that waits for its end would wait for ever.
// expect: held
#include "hostile.h"
int main(void) {
  if (fork() == 0) {
    setsid();
    signal(SIGHUP, SIG_IGN);
    for (;;) sleep(1000);
  }
  return 0;
}
