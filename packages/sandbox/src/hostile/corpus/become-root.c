// Becomes another user, through calls and through files.
// expect: held
#include "hostile.h"
#include <grp.h>
#include <linux/capability.h>
int main(int count, char **arguments) {
  if (count > 1) return geteuid() == 0 ? 1 : 0;
  TRY(setuid(0));
  TRY(setresuid(0, 0, 0));
  TRY(setgid(0));
  gid_t root = 0;
  TRY(setgroups(1, &root));
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct all[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};
  TRY(syscall(SYS_capset, &header, all));
  chmod(arguments[0], 06755);
  TRY(chown(arguments[0], 0, 0));
  if (fork() == 0) execl(arguments[0], arguments[0], "again", NULL), _exit(0);
  int status = 0;
  wait(&status);
  if (status != 0) printf("ESCAPED: a set-user-id program\n"), escaped = 1;
  return escaped;
}
