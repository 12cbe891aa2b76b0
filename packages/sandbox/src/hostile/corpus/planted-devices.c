// Devices and sockets.
// expect: held
// after: collect socket !; collect device !; collect tree
#include "hostile.h"
#include <sys/sysmacros.h>
#include <sys/un.h>
int main(void) {
  TRY(mknod("device", S_IFBLK | 0666, makedev(254, 0)));
  TRY(mknod("/tmp/memory", S_IFCHR | 0666, makedev(1, 1)));
  mkdir("tree", 0777);
  TRY(mknod("tree/memory", S_IFCHR | 0666, makedev(1, 1)));
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un here = {.sun_family = AF_UNIX, .sun_path = "socket"};
  bind(listener, (struct sockaddr *)&here, sizeof here);
  return escaped;
}
