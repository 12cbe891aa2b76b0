#!/usr/bin/env bash
# Makes the root file system of sandboxes without an image registry:
#   base-image.sh PROFILE [NAME]      imports it into Docker as NAME (default: skein-sandbox:PROFILE)
#   base-image.sh PROFILE --to DIR    leaves it in DIR, a root for bubblewrap: a folder that is new, empty or made by it
# PROFILE is `minimal` (Python 3 and coreutils), `judge` (the toolchains of most of the judge’s languages)
# or `judge-all` (of all of them): see packages.sh. Needs root and debootstrap. Nothing is done when the result is there already;
# SKEIN_REBUILD=1 makes it anew. minimal: about 20 seconds and 150 MB; judge: 2 minutes and 1.8 GB.
set -euo pipefail

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }

profile=${1:-}
named=$(bash "$(dirname "$0")/packages.sh" "$profile") || usage
read -ra packages <<<"$named"
directory='' image=skein-sandbox:$profile
if [ "${2:-}" = --to ]; then directory=${3:?the directory to fill}; elif [ $# -gt 1 ]; then image=$2; fi

if [ -z "${SKEIN_REBUILD:-}" ]; then
  if [ -n "$directory" ] && [ -e "$directory/etc/skein-sandbox" ]; then exit 0; fi
  if [ -z "$directory" ] && docker image inspect "$image" >/dev/null 2>&1; then exit 0; fi
fi
# An image takes the place of all that is in its folder, such as a home folder under a mistyped name.
if [ -n "$directory" ] && [ ! -e "$directory/etc/skein-sandbox" ] && { [ -e "$directory" ] || [ -L "$directory" ]; } &&
  { [ ! -d "$directory" ] || [ -n "$(ls -A "$directory")" ]; }; then
  echo "base-image: $directory is not an image made by this script, and would be replaced: name a folder that is new or empty" >&2
  exit 1
fi
for tool in debootstrap $([ -n "$directory" ] || echo docker); do
  command -v "$tool" >/dev/null || { echo "base-image: $tool is missing; \`npm run provision\` installs it" >&2; exit 1; }
done
[ -n "$directory" ] || docker version >/dev/null # A Docker that does not answer fails now, not at the end.
[ "$(id -u)" -eq 0 ] || { echo 'base-image: run it as root; debootstrap makes files of other users' >&2; exit 1; }

folder=$(mktemp -d)
root=$folder/root
unset TMPDIR # What is installed runs in the new root, where it does not exist.
trap 'rm -rf "$folder"' EXIT
quietly() { "$@" >>"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2; exit 1; }; }

quietly debootstrap --variant=minbase trixie "$root"
# No service may start and nothing needs to survive a power cut while this is being made.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/speed"
printf 'path-exclude=/usr/share/%s/*\n' doc man locale info >"$root/etc/dpkg/dpkg.cfg.d/slim"
# Java's installation reads /proc, which is mounted only for it.
quietly unshare --mount sh -euc 'mount -t proc proc "$1/proc"; exec env DEBIAN_FRONTEND=noninteractive chroot "$@"' \
  install "$root" apt-get install -y --no-install-recommends "${packages[@]}"

# What a guest cannot use, or should not learn about the machine that made this.
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/tmp/*
rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/dpkg/dpkg.cfg.d/speed" "$root/etc/resolv.conf" "$root/etc/hostname"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
# No program of another user: a sandbox forbids new privileges anyway.
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +
mkdir -p "$root/workspace"
# Where the judge mounts its Node and its caches: bubblewrap cannot make them in a root that it may not write.
mkdir -p "$root/opt/skein/go-cache"
: >"$root/opt/skein/node"
echo "$profile" >"$root/etc/skein-sandbox"

if [ -n "$directory" ]; then
  mkdir -p "$(dirname "$directory")"
  # Next to its place first: a script that is killed while it copies to another disk leaves no part of an image there.
  staged=$(mktemp -d "$(dirname "$directory")/.base-image.XXXXXX")
  trap 'rm -rf "$folder" "$staged"' EXIT
  mv "$root" "$staged/root"
  rm -rf "$directory"
  mv "$staged/root" "$directory"
else
  tar -C "$root" -c . | docker import --change 'CMD ["/bin/bash"]' --message "Skein sandbox, $profile" - "$image" >/dev/null
fi
