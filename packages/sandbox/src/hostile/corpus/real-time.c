// Asks for real-time priority over every other process of the machine.
// expect: held
#include "hostile.h"
int main(void) {
  struct sched_param most = {.sched_priority = 99};
  TRY(sched_setscheduler(0, SCHED_FIFO, &most));
  TRY(sched_setscheduler(0, SCHED_RR, &most));
  TRY(setpriority(PRIO_PROCESS, 0, -20));
  struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  TRY(setrlimit(RLIMIT_FSIZE, &none));
  TRY(setrlimit(RLIMIT_CORE, &none));
  TRY(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20}));
  return escaped;
}
