#!/bin/sh
# Node comes compressed. The first start unpacks it with another Node, and puts it in place of this script.
# In a folder that is read-only it stays in the user's cache.
self=$(readlink -f "$0")
folder=${self%/*}
kept=${XDG_CACHE_HOME:-$HOME/.cache}/skein/NAME/node
[ -x "$kept" ] && exec "$kept" "$@"

# npm names its own. A script may be this one in another folder.
is_other() {
  [ -x "$1" ] && [ "$(head -c 2 "$1" | tr -d '\0')" != '#!' ]
}

unpack_with() {
  unpacked=$("$1" "$folder/../unpack.js" "$folder/node" "$kept") || exit 1
  shift
  exec "$unpacked" "$@"
}

is_other "$SKEIN_OTHER_NODE" && unpack_with "$SKEIN_OTHER_NODE" "$@"
is_other "$npm_node_execpath" && unpack_with "$npm_node_execpath" "$@"
rest=$PATH:
while [ -n "$rest" ]; do
  other=${rest%%:*}/node
  rest=${rest#*:}
  is_other "$other" && unpack_with "$other" "$@"
done
echo 'error: no Node is in PATH to unpack the Node of Skein.' >&2
echo '  fix: install Node 24, or put the Node that npm runs with into PATH.' >&2
exit 1
