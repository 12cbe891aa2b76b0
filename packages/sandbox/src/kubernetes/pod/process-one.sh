# Process 1 of a sandbox in a pod. Its stdin is the connection of the worker: when that ends, this
# and every other process of the container ends. No guest can kill it, because the kernel protects
# process 1 from its own name space. A guest that may trace can stop it: the worker then removes the pod.
#
#   look                 -> look CPU_US PEAK_BYTES KILLS VERSION
#   signal NAME PID      sends a signal
#   group PID            kills a process group
#   sweep                kills all other processes -> swept CPU_US PEAK_BYTES KILLS VERSION
G=/sys/fs/cgroup
field() { # the value of a field of a file of the kernel
  while read -r name value; do
    if [ "$name" = "$1" ]; then found=$value; fi
  done < "$2"
}
answer() {
  found=0 cpu=0 peak=0 kills=0 version=none
  if [ -r $G/cpu.stat ]; then
    version=v2
    field usage_usec $G/cpu.stat
    cpu=$found found=0
    if [ -r $G/memory.peak ]; then read -r peak < $G/memory.peak; fi
    if [ -r $G/memory.events ]; then field oom_kill $G/memory.events; fi
    kills=$found
  elif [ -r $G/cpuacct/cpuacct.usage ]; then
    version=v1
    read -r cpu < $G/cpuacct/cpuacct.usage
    cpu=$((cpu / 1000))
    if [ -r $G/memory/memory.max_usage_in_bytes ]; then read -r peak < $G/memory/memory.max_usage_in_bytes; fi
    if [ -r $G/memory/memory.oom_control ]; then field oom_kill $G/memory/memory.oom_control; fi
    kills=$found
  fi
  echo "$1 $cpu $peak $kills $version"
}
sweep() {
  tries=0
  while [ $tries -lt 300 ]; do
    kill -9 -1 2> /dev/null
    # A shell collects orphans while it waits for a child.
    sleep 0.01 2> /dev/null || sleep 1
    set -- /proc/[0-9]*
    if [ $# -eq 1 ]; then return; fi
    tries=$((tries + 1))
  done
}
while read -r verb word other; do
  case $verb in
    look) sleep 0; answer look ;;
    signal) kill -s "$word" "$other" 2> /dev/null ;;
    group) kill -s KILL -- "-$word" 2> /dev/null ;;
    sweep) sweep; answer swept ;;
  esac
done
kill -9 -1 2> /dev/null
exit 0
