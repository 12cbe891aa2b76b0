// Dies with much memory, and asks for a core of it.
// expect: signal
// after: collect core !
#include "hostile.h"
#include <sys/prctl.h>
int main(void) {
  struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_CORE, &all);
  prctl(PR_SET_DUMPABLE, 1);
  char *block = malloc(24 << 20);
  memset(block, 1, 24 << 20);
  abort();
}
