// Fills the buffers of TCP connections with itself, which some control groups do not count.
// expect: held out-of-memory
#include "hostile.h"
#include <netinet/in.h>
int main(void) {
  static char block[1 << 16];
  long taken = 0;
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof here;
  int server = socket(AF_INET, SOCK_STREAM, 0);
  TRY(server);
  TRY(bind(server, (void *)&here, size) | listen(server, 500) | getsockname(server, (void *)&here, &size));
  for (int count = 0; count < 300; count++) {
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client < 0) break;
    connect(client, (void *)&here, size);
    for (int idle = 0; idle < 5 && taken < 256 << 20; idle++) {
      for (ssize_t sent; (sent = send(client, block, sizeof block, MSG_NOSIGNAL)) > 0; idle = 0) taken += sent;
      usleep(1000);
    }
  }
  if (taken > 128 << 20) printf("ESCAPED: %ld bytes\n", taken), escaped = 1;
  return escaped;
}
