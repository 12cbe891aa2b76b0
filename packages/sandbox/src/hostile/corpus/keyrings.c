// Keyrings are not in any namespace: what one guest leaves, another one finds.
// expect: held
#include "hostile.h"
int main(void) {
  TRY(syscall(SYS_add_key, "user", "hostile", "x", 1, -3 /* session */));
  TRY(syscall(SYS_add_key, "user", "hostile", "x", 1, -4 /* user */));
  TRY(syscall(SYS_keyctl, 0 /* get the id of */, -3, 1));
  TRY(syscall(SYS_keyctl, 1 /* join a session */, "hostile"));
  TRY(syscall(SYS_request_key, "user", "hostile", NULL, -3));
  return escaped;
}
