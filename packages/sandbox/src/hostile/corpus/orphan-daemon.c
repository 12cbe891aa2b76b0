// Leaves a daemon that outlives it and changes the workspace later.
// expect: held
#include "hostile.h"
int main(void) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      for (int fd = 0; fd < 3; fd++) close(fd);
      for (int number = 1; number < 65; number++) signal(number, SIG_IGN);
      sleep(1);
      close(open("late", O_CREAT | O_WRONLY, 0600));
      for (;;) sleep(1000);
    }
    _exit(0);
  }
  wait(NULL);
  return 0;
}
