// Sockets that see or forge packets, and families that reach past a network namespace.
// expect: held
#include "hostile.h"
#include <netinet/in.h>
int main(void) {
  TRY(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  TRY(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
  TRY(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
  TRY(socket(AF_PACKET, SOCK_RAW, 0));
  TRY(socket(AF_VSOCK, SOCK_STREAM, 0));
  TRY(socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0));
  TRY(socket(AF_BLUETOOTH, SOCK_RAW, 0));
  TRY(socket(44 /* AF_XDP */, SOCK_RAW, 0));
  return escaped;
}
