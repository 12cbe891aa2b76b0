// Four threads use four times the cpu time of one.
// expect: cpu-limit
#include "hostile.h"
static void *spin(void *unused) {
  for (volatile unsigned long i = 0;; i++) {}
  return unused;
}
int main(void) {
  pthread_t thread;
  for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, spin, NULL);
  spin(NULL);
}
