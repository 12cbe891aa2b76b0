// Stops its parents, process 1, and everything that it can name.
// expect: wall-limit
#include "hostile.h"
int main(void) {
  kill(getppid(), SIGSTOP);
  kill(1, SIGSTOP);
  // Everything but the one who says so: this process too.
  if (fork() == 0) for (;;) kill(-1, SIGSTOP);
  for (;;) pause();
}
