// Second names of files that are not its own.
// expect: held
#include "hostile.h"
int main(void) {
  TRY(link("/etc/passwd", "passwd"));
  TRY(link("/bin/sh", "/tmp/sh"));
  TRY(link(getenv("CANARY_FILE"), "canary"));
  TRY(linkat(AT_FDCWD, "/proc/1/exe", AT_FDCWD, "one", AT_SYMLINK_FOLLOW));
  return escaped;
}
