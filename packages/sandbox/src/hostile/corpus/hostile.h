// What the programs of the corpus share. A program tries what it should not be able to do; an attempt
// that succeeds is printed, and makes it end with 1 instead of 0.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int escaped = 0;

#define TRY(call)                                            \
  do {                                                       \
    if ((long)(call) != -1) {                                \
      printf("ESCAPED: %s\n", #call);                        \
      escaped = 1;                                           \
    }                                                        \
  } while (0)

/* Whether a process is of this user: where a sandbox's first process is, it has no more rights than this one. */
static inline int is_own(pid_t pid) {
  char path[64];
  struct stat found;
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  return stat(path, &found) == 0 && found.st_uid == getuid();
}

static inline long number_from(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}
