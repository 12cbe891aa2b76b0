// Threads until no more are given, all of them busy.
// expect: cpu-limit wall-limit out-of-memory
#include "hostile.h"
static void *spin(void *unused) {
  for (volatile unsigned long i = 0;; i++) {}
  return unused;
}
int main(void) {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 16);
  pthread_t thread;
  int made = 0;
  while (made < 10000 && pthread_create(&thread, &small, spin, NULL) == 0) made++;
  if (made == 10000) printf("ESCAPED: 10000 threads\n"), fflush(stdout);
  spin(NULL);
}
