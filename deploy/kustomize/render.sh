#!/usr/bin/env bash
# Renders base/skein.yaml, the base of kustomize, from the chart: deploy/kustomize/render.sh [--print]
# Needs helm. A test holds the file against what this prints.
set -euo pipefail
cd "$(dirname "$0")"

# Labels of Helm are left out: kustomize manages these manifests.
manifests() {
  echo '# Written by deploy/kustomize/render.sh from the chart.'
  helm template skein ../helm/skein --values values.yaml |
    sed '/^# Source: /d; /helm.sh\/chart: /d; s|app.kubernetes.io/managed-by: Helm|app.kubernetes.io/managed-by: kustomize|'
}

if [ "${1:-}" = --print ]; then manifests; else manifests >base/skein.yaml; fi
