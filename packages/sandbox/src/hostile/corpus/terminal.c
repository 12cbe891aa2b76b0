// Types into the terminal of the process that started it.
// expect: held
#include "hostile.h"
#include <sys/ioctl.h>
int main(void) {
  for (int fd = 0; fd < 3; fd++) TRY(ioctl(fd, TIOCSTI, "\n"));
  int terminal = open("/dev/tty", O_RDWR);
  if (terminal != -1) TRY(ioctl(terminal, TIOCSTI, "\n"));
  TRY(open("/dev/console", O_RDWR));
  return escaped;
}
