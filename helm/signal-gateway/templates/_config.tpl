{{/* The broker's section of the configuration. */}}
{{- define "signal-gateway.broker" -}}
{{- $broker := dict "kind" .Values.broker.kind -}}
{{- if eq .Values.broker.kind "embedded" -}}
{{- $_ := mergeOverwrite $broker (dict "host" .Values.listen "port" 1883) -}}
{{- else -}}
{{- with .Values.broker -}}
{{- $_ := mergeOverwrite $broker (dict "host" .host "port" (include "signal-gateway.brokerPort" $ | int) "username" .username) -}}
{{- if .existingSecret -}}
{{- $_ := set $broker "password_file" (printf "/secrets/%s/%s" .existingSecret .passwordKey) -}}
{{- end -}}
{{- if .tls.enabled -}}
{{- $tls := dict "enabled" true -}}
{{- if .tls.caSecret -}}
{{- $_ := set $tls "ca" (printf "/secrets/%s/ca.crt" .tls.caSecret) -}}
{{- else if .tls.caConfigMap -}}
{{- $_ := set $tls "ca" "/broker-ca/ca.crt" -}}
{{- end -}}
{{- if .tls.clientSecret -}}
{{- $_ := set $tls "cert" (printf "/secrets/%s/tls.crt" .tls.clientSecret) -}}
{{- $_ := set $tls "key" (printf "/secrets/%s/tls.key" .tls.clientSecret) -}}
{{- end -}}
{{- $_ := set $broker "tls" $tls -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $broker | toYaml -}}
{{- end -}}

{{/* signal-gateway.yml: what the values say, and what the chart knows. */}}
{{- define "signal-gateway.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $private := printf "%s-private" (include "signal-gateway.fullname" .) -}}
{{- $names := list $private -}}
{{- range list "" ".svc" ".svc.cluster.local" -}}
{{- $names = append $names (printf "%s.%s%s" $private $.Release.Namespace .) -}}
{{- end -}}
{{- $more := dig "http" "private" "hosts" list $config -}}
{{- $http := dict
  "public" (dict "host" .Values.listen "port" 8080)
  "private" (dict "host" .Values.listen "port" 8081 "hosts" (concat $names $more)) -}}
{{- $config = mergeOverwrite $config (dict "http" $http "broker" (include "signal-gateway.broker" . | fromYaml)) -}}
{{- with include "signal-gateway.publicUrl" . -}}
{{- $_ := set $config "public_url" . -}}
{{- end -}}
{{- $config | toYaml -}}
{{- end -}}

{{/* The first source by name, for examples; empty where there is none. null takes away one of another values file. */}}
{{- define "signal-gateway.source" -}}
{{- $names := list -}}
{{- range $name, $source := .Values.config.sources -}}
{{- if not (kindIs "invalid" $source) -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- with $names -}}
{{- . | sortAlpha | first -}}
{{- end -}}
{{- end -}}
