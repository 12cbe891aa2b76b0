// Forks for ever.
// expect: cpu-limit wall-limit out-of-memory
#include "hostile.h"
int main(void) {
  for (;;) fork();
}
