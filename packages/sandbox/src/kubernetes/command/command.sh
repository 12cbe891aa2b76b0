# Becomes a command of a guest. Arguments: blocks of 512 bytes of a file, seconds of cpu time,
# processes of this user; `-` leaves a limit as it is. It prints its process id, and waits for the working directory and the words
# on its stdin, one a line, after their number; what follows is the stdin of the command.
bound() { [ "$2" = - ] || ulimit "-$1" "$2"; }
ulimit -c 0
bound f "$1" && bound t "$2" || exit 125
# Processes are -p in dash and busybox, and -u in bash.
bound p "$3" 2> /dev/null || bound u "$3" || exit 125
echo $$
IFS= read -r count || exit 125
set --
while [ "$count" -gt 0 ]; do
  IFS= read -r word || exit 125
  # Backslashes and line feeds are written as `\0OOO`; a command substitution would drop the last of these.
  case $word in
    *\\*) word=$(printf '%bx' "$word"); word=${word%x} ;;
  esac
  set -- "$@" "$word"
  count=$((count - 1))
done
cd -- "$1" || exit 126
shift
exec "$@"
