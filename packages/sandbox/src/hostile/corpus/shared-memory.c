// Memory, semaphores and messages that outlive their creator. The next run must not see them.
// expect: held
#include "hostile.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(void) {
  shmget(0x5be11, 1 << 16, IPC_CREAT | 0666);
  semget(0x5be11, 4, IPC_CREAT | 0666);
  msgget(0x5be11, IPC_CREAT | 0666);
  int file = open("/dev/shm/left-behind", O_CREAT | O_WRONLY, 0666);
  write(file, "x", 1);
  syscall(SYS_mq_open, "left-behind", O_CREAT | O_RDWR, 0666, NULL);
  return 0;
}
