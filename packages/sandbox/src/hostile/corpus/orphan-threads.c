// The first thread ends; another one goes on under the same process id, which looks dead.
// expect: wall-limit cpu-limit
#include "hostile.h"
static void *linger(void *unused) {
  for (;;) sleep(1000);
  return unused;
}
int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, linger, NULL);
  pthread_exit(NULL);
}
