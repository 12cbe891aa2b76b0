{{/* Begins the name of every object. A Service's has no dots and begins with a letter, which a release's need not.
     The pods of a StatefulSet have a label of its name and eleven characters more: with "-redis", 46 remain of 63. */}}
{{- define "skein.name" -}}
{{- $release := .Release.Name | replace "." "-" }}
{{- if gt (len $release) 40 }}{{ $release = printf "%s-%s" ($release | trunc 31 | trimSuffix "-") (sha256sum $release | trunc 8) }}{{ end }}
{{- if regexMatch "^[0-9]" $release }}{{ printf "skein-%s" $release }}
{{- else if contains "skein" $release }}{{ $release }}
{{- else }}{{ printf "%s-skein" $release }}
{{- end }}
{{- end }}

{{- define "skein.labels" -}}
app.kubernetes.io/name: skein
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What a selector finds: takes the root and the component. */}}
{{- define "skein.selector" -}}
app.kubernetes.io/name: skein
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "skein.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ printf "%s@%s" .repository .digest }}{{ else }}{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}{{ end }}
{{- end }}
{{- end }}

{{- define "skein.hasRedis" -}}
{{- with .Values.redis }}{{ if or .url .existingSecret .bundled.enabled }}yes{{ end }}{{ end }}
{{- end }}

{{- define "skein.redisSecret" -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "skein.name" .)) }}
{{- end }}

{{- define "skein.redisSecretKey" -}}
{{- if .Values.redis.existingSecret }}{{ .Values.redis.secretKey }}{{ else }}url{{ end }}
{{- end }}

{{- define "skein.keysSecret" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "skein.name" .)) }}
{{- end }}

{{/* The state and the artifacts of a fleet, of nodes and workers alike. */}}
{{- define "skein.fleetEnv" -}}
{{- if include "skein.hasRedis" . }}
- name: SKEIN_REDIS
  valueFrom:
    secretKeyRef:
      name: {{ include "skein.redisSecret" . | quote }}
      key: {{ include "skein.redisSecretKey" . | quote }}
{{- end }}
{{- with .Values.blobs.place }}
- name: SKEIN_BLOBS
  value: {{ . | quote }}
- name: SKEIN_CACHE
  value: {{ $.Values.cacheSize | quote }}
{{- end }}
{{- end }}

{{- define "skein.blobsEnvFrom" -}}
{{- with .Values.blobs.existingSecret }}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "skein.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "skein.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A probe of the node: takes the root and the path. */}}
{{- define "skein.probe" -}}
{{- if eq .root.Values.probes.kind "exec" }}
exec:
  command: [node, deploy/container/healthcheck.ts, {{ .path }}]
{{- else }}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ if .root.Values.tls.existingSecret }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}
{{- end }}

{{/* Where the pods of a component may call, if that is bounded: takes the root and the component. */}}
{{- define "skein.egress" -}}
{{- with .root.Values.networkPolicy.egress }}
egress:
  # Names; the address of the resolver differs between clusters.
  - ports:
      - port: 53
        protocol: UDP
      - port: 53
        protocol: TCP
  - to:
      - podSelector:
          matchLabels:
            {{- include "skein.selector" $ | nindent 12 }}
      {{- if $.root.Values.redis.bundled.enabled }}
      - podSelector:
          matchLabels:
            {{- include "skein.selector" (dict "root" $.root "component" "redis") | nindent 12 }}
      {{- end }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
