// Stops its parents, process 1, and everything that it can name.
// expect: wall-limit
#include "hostile.h"
int main(void) {
  kill(getppid(), SIGSTOP);
  kill(1, SIGSTOP);
  // Every process but this one, then this one too.
  if (fork() == 0) for (;;) kill(-1, SIGSTOP);
  for (;;) pause();
}
