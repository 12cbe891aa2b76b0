#!/usr/bin/env bash
# Makes a Debian base image without an image registry: deploy/container/base-image.sh [NAME] [docker|podman ...]
# Needs root, debootstrap and Docker or podman. About 20 seconds and 120 MB.
set -euo pipefail

name=${1:-skein-base}
engines=("${@:2}")
[ "${#engines[@]}" -gt 0 ] || engines=(docker)
folder=$(mktemp -d)
unset TMPDIR # What is installed runs in the new root, where it does not exist.
trap 'rm -rf "$folder"' EXIT

debootstrap --variant=minbase trixie "$folder/root" >"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2; exit 1; }
rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/*
for engine in "${engines[@]}"; do
  tar -C "$folder/root" -c . | "$engine" import --message 'Debian, by debootstrap' - "$name"
done
