// Children that leave their session and parent, fork one more and die: a killer that goes through
// a list of processes one by one never catches up.
// expect: cpu-limit wall-limit out-of-memory
#include "hostile.h"
int main(void) {
  for (int i = 0; i < 4; i++) {
    if (fork() == 0) {
      for (;;) {
        pid_t next = fork();
        if (next == 0) setsid();
        if (next > 0) _exit(0);
      }
    }
  }
  for (;;) wait(NULL) == -1 && pause();
}
