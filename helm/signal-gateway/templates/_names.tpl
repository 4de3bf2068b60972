{{- define "signal-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The release and the chart; 40 characters, as what is put behind it must fit into 63, a StatefulSet's pod label included. */}}
{{- define "signal-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "signal-gateway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "signal-gateway.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "signal-gateway.selector" -}}
app.kubernetes.io/name: {{ include "signal-gateway.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "signal-gateway.labels" -}}
{{ include "signal-gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{- define "signal-gateway.meta" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- mergeOverwrite (include "signal-gateway.labels" .root | fromYaml) (deepCopy (default dict .labels)) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "signal-gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "signal-gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "signal-gateway.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How the world reaches the webhooks; empty while it cannot. */}}
{{- define "signal-gateway.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{- .Values.publicUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.host -}}
{{- printf "https://%s" .Values.ingress.host -}}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.hostnames -}}
{{- $name := first .Values.httpRoute.hostnames -}}
{{- if not (hasPrefix "*" $name) -}}
{{- printf "https://%s" $name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The paths that the world may reach: docs/api.md, the public listener. */}}
{{- define "signal-gateway.publicPaths" -}}
- /hooks
- /v1/signals
- /v1/predictions
{{- end -}}

{{/* The port of the external broker. */}}
{{- define "signal-gateway.brokerPort" -}}
{{- default (ternary 8883 1883 .Values.broker.tls.enabled) .Values.broker.port | int -}}
{{- end -}}
