// Ignores every signal that can be ignored.
// expect: cpu-limit
#include "hostile.h"
int main(void) {
  for (int number = 1; number < 65; number++) signal(number, SIG_IGN);
  for (volatile unsigned long i = 0;; i++) {}
}
