// Leaves a process that keeps stdout open: who waits for its end waits for ever.
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
