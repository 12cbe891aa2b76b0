// Asks which pages of a shared file are in memory, and changes it: what one program does, the next one finds.
// expect: held
#include "hostile.h"
#include <sys/inotify.h>
#include <sys/uio.h>
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
int main(void) {
  static char page[4096];
  unsigned char resident[1];
  unsigned long range[2] = {0, 4096}, stat[5], how[3] = {0, 0, 0x20 /* RESOLVE_CACHED */};
  struct iovec into = {page, sizeof page};
  // A file that is in memory as long as this runs.
  const char *shared = "/usr/bin/python3";
  int file = open(shared, O_RDONLY);
  void *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
  memcpy(page, mapped, sizeof page);
  TRY(mincore(mapped, 4096, resident));
  TRY(preadv2(file, &into, 1, 0, 8 /* RWF_NOWAIT */));
  TRY(syscall(SYS_cachestat, file, range, stat, 0));
  TRY(syscall(SYS_openat2, AT_FDCWD, shared, how, sizeof how));
  TRY(madvise(mapped, 4096, 3 /* MADV_WILLNEED */));
  TRY(madvise(mapped, 4096, 20 /* MADV_COLD */));
  TRY(madvise(mapped, 4096, 21 /* MADV_PAGEOUT */));
  TRY(madvise(mapped, 4096, 25 /* MADV_COLLAPSE */));
  TRY(fcntl(file, 1026 /* F_NOTIFY */, 1));
  TRY(fcntl(file, 1036 /* F_SET_RW_HINT */, range));
  TRY(inotify_init1(0));
  TRY(inotify_add_watch(inotify_init(), "/usr/bin", IN_ALL_EVENTS));
  return escaped;
}
