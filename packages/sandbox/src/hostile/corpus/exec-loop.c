// Becomes itself again and again, with as many arguments as go.
// expect: cpu-limit wall-limit out-of-memory
#include "hostile.h"
int main(int count, char **arguments) {
  static char text[100000];
  memset(text, 'x', sizeof text - 1);
  char *many[11] = {arguments[0], text, text, text, text, text, text, text, text, text, NULL};
  (void)count;
  for (;;) execv(arguments[0], many);
}
