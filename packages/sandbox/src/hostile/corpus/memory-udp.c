// Sends datagrams to itself and reads none, over each family that has datagrams and may not be counted.
// expect: held out-of-memory
#include "hostile.h"
#include <netinet/in.h>
int main(void) {
  static char block[60000];
  long taken = 0;
  for (int count = 0; count < 900 && taken < 256 << 20; count++) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int end = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (end < 0) break;
    bind(end, (void *)&here, size);
    getsockname(end, (void *)&here, &size);
    while (sendto(end, block, sizeof block, 0, (void *)&here, size) > 0 && taken < 256 << 20) taken += sizeof block;
  }
  if (taken > 128 << 20) printf("ESCAPED: %ld bytes\n", taken), escaped = 1;
  for (int family = 2; family < 46; family++) {
    for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
      TRY(socket(family, type, 0));
      int pair[2];
      TRY(socketpair(family, type, 0, pair));
    }
  }
  return escaped;
}
