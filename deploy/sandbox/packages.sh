#!/usr/bin/env bash
# Prints the Debian packages of a profile: packages.sh minimal|judge. Those of the judge are the ones
# that its languages name.
set -euo pipefail
languages=$(dirname "$0")/../../apps/judge/src/languages
case ${1:-} in
  minimal) echo python3-minimal libpython3-stdlib ;;
  judge) sed -n "s/.*debianPackage: '\(.*\)'.*/\1/p" "$languages"/*.ts | tr ' ' '\n' | sort -u | tr '\n' ' ' ;;
  *) echo "packages: no profile ${1:-}" >&2; exit 2 ;;
esac
