# The launcher: one small shell that forks every sandboxed command of a driver.
#
# Forking is done here because a fork copies the page tables of its parent: a node with 500 MB of
# heap stops for 50 ms per spawn, this shell for 0.3 ms. A command is *parked* before it is known:
# its subshell has joined its control groups and has its pipes, and waits for its release. Then it
# becomes the command by exec.
#
# For bubblewrap it is process 1 of a name space of its own: every process in it dies with it, and
# it reaps the processes that its commands leave behind, also when the machine's process 1 does not.
#
# $1: folders of control groups; a slot joins the group of its name in each. $2: the seccomp program.
# stdin:  `park NAME` | `reap NAME PID`. When it closes, every launched process is killed.
# stdout: `forked NAME PID`, `parked NAME`, `failed NAME`, `ended NAME STATUS`; PID in its name space.
#
# While it is parked, a slot's descriptors are: 0, what the node writes (the release); 1 and 2, the
# launcher's; 3, what the slot writes to the node; 4, 6 and 8, its stdin, stdout and stderr to be; 5,
# the seccomp program. The node opens its ends through /proc/PID/fd. Once released: 0, 1 and 2 as
# usual, 3 and 5 as before, and 4, what the node wrote after the release.
# The release is read as lines, never through eval:
#   FILE_BLOCKS STACK_KIB CPU_SECONDS OPEN_FILES ARGC, then each argument as its number of lines
#   and those lines.
umask 022
groups=$1
seccomp=$2
newline='
'

limit() {
  [ "$2" = unlimited ] || ulimit "$1" "$2"
}

slot() {
  for group in $groups; do
    # A thread that moves itself, as version 1 allows, delays no other fork of the machine; a
    # process that moves waits until every processor has seen it.
    if [ -e "$group/$1/tasks" ]; then file=tasks; else file=cgroup.procs; fi
    echo 0 > "$group/$1/$file" || return 1
  done
  # A small here-document is an anonymous pipe, which can be opened again from either side.
  exec 4<<-pipe

	pipe
  read -r _ <&4
  exec 7<<-pipe

	pipe
  read -r _ <&7
  exec 6> /proc/self/fd/7
  exec 7<<-pipe

	pipe
  read -r _ <&7
  exec 8> /proc/self/fd/7
  exec 7<<-pipe

	pipe
  read -r _ <&7
  exec 3> /proc/self/fd/7
  exec 5< "$seccomp" <<-pipe

	pipe
  read -r _
  # Open for writing too, or reading a line would fail until the node has opened it.
  exec 7> /proc/self/fd/0
  echo "parked $1"
  read -r file_blocks stack cpu files count || return 1
  exec 7>&-

  shift
  while [ "$count" -gt 0 ]; do
    IFS= read -r lines && IFS= read -r argument || return 1
    while [ "$lines" -gt 1 ]; do
      IFS= read -r line || return 1
      argument="$argument$newline$line"
      lines=$((lines - 1))
    done
    set -- "$@" "$argument"
    count=$((count - 1))
  done
  ulimit -c 0
  limit -f "$file_blocks" && limit -s "$stack" && limit -t "$cpu" && limit -n "$files" || return 1
  exec 7<&0 <&4 >&6 2>&8
  exec 4<&7 6>&- 7<&- 8>&-
  exec "$@"
}

while read -r verb name pid; do
  case $verb in
    park)
      { slot "$name" || echo "failed $name"; } < /dev/null &
      echo "forked $name $!"
      ;;
    reap)
      wait "$pid"
      echo "ended $name $?"
      ;;
  esac
done
# The parked processes, and the monitors of running commands, whose death ends the commands.
kill -s KILL 0
