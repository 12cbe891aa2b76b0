#!/usr/bin/env bash
# Starts the fleet of compose.yaml with one command: deploy/compose/up.sh [ARGUMENTS OF docker compose up]
# Builds the image unless there is one, and makes the keys and passwords once, in .env in this folder.
set -euo pipefail
cd "$(dirname "$0")"

token() { # LENGTH: letters and digits
  local bytes
  bytes=$(head -c 1024 /dev/urandom | base64 | tr -dc 'A-Za-z0-9')
  echo "${bytes:0:$1}"
}
key() { echo "skein_$(head -c 6 /dev/urandom | od -An -tx1 | tr -d ' \n')_$(token 43)"; }

if [ ! -e .env ]; then
  umask 077
  cat >.env <<END
SKEIN_ADMIN_KEY=$(key)
SKEIN_READ_KEY=$(key)
SKEIN_FLEET_KEY=$(token 48)
REDIS_PASSWORD=$(token 32)
S3_SECRET=$(token 40)
GRAFANA_PASSWORD=$(token 20)
END
fi

docker compose version >/dev/null
image=${SKEIN_IMAGE:-skein}
docker image inspect "$image" >/dev/null 2>&1 || bash ../container/build.sh --tag "$image"
docker compose up --detach "$@"
cat <<END
Skein       http://127.0.0.1:${SKEIN_PORT:-4700}/    key: SKEIN_ADMIN_KEY in $PWD/.env
Prometheus  http://127.0.0.1:${PROMETHEUS_PORT:-9090}/
Grafana     http://127.0.0.1:${GRAFANA_PORT:-3000}/    admin, GRAFANA_PASSWORD in the same file
END
