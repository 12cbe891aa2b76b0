// Sends SIGKILL to every possible process id.
// expect: held
#include "hostile.h"
int main(void) {
  long canary = number_from("CANARY_PID");
  if (canary > 0 && canary != getpid()) TRY(kill(canary, SIGKILL));
  for (pid_t pid = 1; pid < 100000; pid++) {
    if (pid != getpid()) kill(pid, SIGKILL);
  }
  kill(-1, SIGTERM);
  return escaped;
}
