#!/usr/bin/env bash
# Builds the image of a Skein node: deploy/container/build.sh [--tag NAME] [--base IMAGE] [--engine docker|podman]
#
# Stages the sources with the production dependencies that are already installed, NOTICE and the bill of
# materials, then runs `docker build` there. Needs Docker, or podman, and an installed tree (`npm ci`). The base is
# made by deploy/container/base-image.sh, from Debian's signed archive, unless --base names another: one
# that the engine has, or one of a registry with its digest (NAME@sha256:…).
set -euo pipefail
cd "$(dirname "$0")/../.."

tag=skein
base=skein-base
engine=docker
while [ $# -gt 0 ]; do
  case $1 in
    --tag) tag=${2:?--tag needs a name}; shift 2 ;;
    --base) base=${2:?--base needs an image}; shift 2 ;;
    --engine) engine=${2:?--engine needs docker or podman}; shift 2 ;;
    *) echo "build.sh: unknown option $1" >&2; exit 2 ;;
  esac
done

case $engine in
  docker) options=() ;;
  podman) options=(--format docker) ;; # The other format has no health check.
  *) echo "build.sh: --engine is docker or podman, not $engine" >&2; exit 2 ;;
esac
"$engine" version >/dev/null # An engine that does not answer fails now, not after the base has been made.

if ! "$engine" image inspect "$base" >/dev/null 2>&1; then
  case $base in
    skein-base) bash deploy/container/base-image.sh skein-base "$engine" >/dev/null ;;
    *@sha256:*) ;;
    *)
      echo "build.sh: $base is not pinned: a tag may be something else tomorrow. Pull it, look at it, and name" >&2
      echo "  what \`docker image inspect -f '{{index .RepoDigests 0}}' $base\` prints" >&2
      exit 2
      ;;
  esac
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/opt" "$stage/data"

tar -c --exclude=node_modules --exclude=dist --exclude='*.test.ts' \
  package.json package-lock.json LICENSE NOTICE packages examples deploy/container/healthcheck.ts | tar -x -C "$stage/opt"

# Production dependencies of the command and its examples. Left out: declarations, source maps, the headers of Node,
# documents, modules for the runtime Bare, speech models that the example does not use, and the builds of ONNX Runtime
# for other machines and for pages that Skein does not use, as in the package `skein`.
case $(uname -m) in aarch64 | arm64) other=x64 ;; *) other=arm64 ;; esac
# The client of a cluster's API and DuckDB are optional elsewhere; to an image they cannot be added later.
{
  npm ls --omit=dev --all --parseable -w @skein/cli -w @skein-examples/ocr -w @skein-examples/vad | sed -n "s|^$PWD/\(.*node_modules/.*\)|\1|p"
  readlink node_modules/.bin/node | sed 's|^\.\./\([^/]*\)/.*|node_modules/\1|'
  node_modules/.bin/node deploy/container/closure.ts @kubernetes/client-node @duckdb/node-api
} | sort -u |
  tar -c --exclude='*/napi-v6/darwin' --exclude='*/napi-v6/win32' --exclude="*/napi-v6/linux/$other" \
    --exclude='README.md' --exclude='CHANGELOG.md' --exclude='*.map' --exclude='*.d.ts' --exclude='*.d.mts' --exclude='*.d.cts' \
    --exclude='node_modules/node-linux-*/include' --exclude='node_modules/node-linux-*/share' \
    --exclude='onnxruntime-web/dist/*jsep*' --exclude='onnxruntime-web/dist/*asyncify*' --exclude='onnxruntime-web/dist/*jspi*' \
    --exclude='onnxruntime-web/dist/ort.all*' --exclude='onnxruntime-web/dist/ort.webg*' --exclude='onnxruntime-web/dist/ort.jspi*' \
    --exclude='onnxruntime-web/dist/ort.bundle*' --exclude='onnxruntime-web/dist/ort.js' --exclude='onnxruntime-web/dist/ort.mjs' \
    --exclude='onnxruntime-web/dist/ort.wasm.js' --exclude='onnxruntime-web/dist/ort.wasm.mjs' \
    --exclude='node_modules/bare-*' --exclude='vad-web/dist/silero_vad_v5.onnx' --exclude='vad-web/dist/silero_vad_legacy.onnx' \
    --exclude='@opentelemetry/*/build/esnext' --exclude='node_modules/zod/src' \
    -T - |
  tar -x -C "$stage/opt"
node_modules/.bin/node scripts/sbom.ts >/dev/null
cp dist/skein.cdx.json "$stage/opt/"
mkdir -p "$stage/opt/node_modules/.bin"
cp -a node_modules/.bin/node "$stage/opt/node_modules/.bin/"

DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} "$engine" build "${options[@]}" --quiet --build-arg "BASE=$base" -t "$tag" \
  -f deploy/container/Dockerfile "$stage"
