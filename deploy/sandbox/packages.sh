#!/usr/bin/env bash
# Prints the Debian packages of a profile: packages.sh minimal|judge|judge-all. The judge's packages are the
# ones that its languages name; `judge` leaves out the large ones, which are marked as optional.
set -euo pipefail
toolchains() { cat "$(dirname "$0")"/../../apps/judge/src/languages/*.ts | tr '\n' ' ' | grep -o 'toolchain: {[^}]*}'; }
packages_of() { sed -n "s/.*debianPackage: '\([^']*\)'.*/\1/p" | tr ' ' '\n' | sort -u | tr '\n' ' '; }
case ${1:-} in
  minimal) echo python3-minimal libpython3-stdlib ;;
  judge) toolchains | grep -v 'optional: true' | packages_of ;;
  judge-all) toolchains | packages_of ;;
  *) echo "packages: no profile ${1:-}" >&2; exit 2 ;;
esac
