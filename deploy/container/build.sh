#!/usr/bin/env bash
# Builds the image of a Skein node: deploy/container/build.sh [--tag NAME] [--base IMAGE]
#
# Stages the sources with the production dependencies that are already installed, then runs
# `docker build` there. Needs Docker and an installed tree (`npm ci`), and no network beyond the
# base image; without an image registry make one with deploy/container/base-image.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

tag=skein
base=debian:13-slim
while [ $# -gt 0 ]; do
  case $1 in
    --tag) tag=${2:?--tag needs a name}; shift 2 ;;
    --base) base=${2:?--base needs an image}; shift 2 ;;
    *) echo "build.sh: unknown option $1" >&2; exit 2 ;;
  esac
done

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

tar -c --exclude=node_modules --exclude=dist --exclude='*.test.ts' \
  package.json package-lock.json LICENSE packages examples deploy/container/healthcheck.ts | tar -x -C "$stage"

# Production dependencies only, and of ONNX Runtime only this platform's library.
npm ls --omit=dev --all --parseable |
  sed -n "s|^$PWD/\(.*node_modules/.*\)|\1|p" |
  tar -c --exclude='*/napi-v6/darwin' --exclude='*/napi-v6/win32' -T - |
  tar -x -C "$stage"
mkdir -p "$stage/node_modules/.bin"
cp -a node_modules/.bin/node "$stage/node_modules/.bin/"

DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} docker build --quiet --build-arg "BASE=$base" -t "$tag" -f deploy/container/Dockerfile "$stage"
