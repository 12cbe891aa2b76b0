#!/usr/bin/env bash
# Makes a Debian base image without an image registry: deploy/container/base-image.sh [NAME] [docker|podman ...]
# Needs root, debootstrap and Docker or podman. About 20 seconds and 60 MB.
#
# Left out: translations, manuals and documents (licences stay), and the package manager with its Perl, which a node
# never runs. The list of packages stays, for scanners.
set -euo pipefail

name=${1:-skein-base}
engines=("${@:2}")
[ "${#engines[@]}" -gt 0 ] || engines=(docker)
folder=$(mktemp -d)
unset TMPDIR # What is installed runs in the new root, where it does not exist.
trap 'rm -rf "$folder"' EXIT

debootstrap --variant=minbase trixie "$folder/root" >"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2; exit 1; }
chroot "$folder/root" dpkg --purge --force-depends --force-remove-essential \
  apt libapt-pkg7.0 sqv perl-base debconf >>"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2; exit 1; }
for engine in "${engines[@]}"; do
  tar -C "$folder/root" -c --exclude='./usr/share/locale/*' --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' \
    --exclude='./usr/lib/*/gconv' --exclude='./usr/share/doc/*/[!c]*' --exclude='./usr/share/doc/*/changelog*' \
    --exclude='./var/lib/apt/*' --exclude='./var/cache/*' --exclude='./var/log/*' . | "$engine" import --message 'Debian, by debootstrap' - "$name"
done
