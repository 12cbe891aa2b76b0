// Does nothing, for longer than it may.
// expect: wall-limit
#include "hostile.h"
int main(void) {
  for (;;) sleep(1000);
}
