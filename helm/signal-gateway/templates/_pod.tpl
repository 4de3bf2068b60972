{{/* What Pod Security "restricted" demands of a pod, and the user of the image. */}}
{{- define "signal-gateway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* And of each container. */}}
{{- define "signal-gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The Secrets that are mounted, each once, as a JSON list of names. */}}
{{- define "signal-gateway.secrets" -}}
{{- $names := list -}}
{{- with .Values.broker -}}
{{- if eq .kind "external" -}}
{{- $names = list .existingSecret -}}
{{- if .tls.enabled -}}
{{- $names = concat $names (list .tls.caSecret .tls.clientSecret) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- concat $names .Values.existingSecrets | compact | uniq | toJson -}}
{{- end -}}

{{/* The variables of the gateway, and of the commands that kubectl exec runs beside it. The image sets the address, too. */}}
{{- define "signal-gateway.env" -}}
- name: SIGNAL_GATEWAY_DATA
  value: /data
- name: SIGNAL_GATEWAY_CONFIG
  value: /etc/signal-gateway/signal-gateway.yml
- name: SIGNAL_GATEWAY_HTTP__PUBLIC__HOST
  value: {{ .Values.listen | quote }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "signal-gateway.mounts" -}}
- name: data
  mountPath: /data
- name: config
  mountPath: /etc/signal-gateway
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- range $index, $name := include "signal-gateway.secrets" . | fromJsonArray }}
- name: secret-{{ $index }}
  mountPath: {{ printf "/secrets/%s" $name | quote }}
  readOnly: true
{{- end }}
{{- if and (eq .Values.broker.kind "external") .Values.broker.tls.enabled .Values.broker.tls.caConfigMap }}
- name: broker-ca
  mountPath: /broker-ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "signal-gateway.volumes" -}}
- name: config
  configMap:
    name: {{ include "signal-gateway.fullname" . }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if not .Values.persistence.enabled }}
- name: data
  emptyDir:
    sizeLimit: {{ .Values.persistence.size | quote }}
{{- end }}
{{- range $index, $name := include "signal-gateway.secrets" . | fromJsonArray }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $name | quote }}
    defaultMode: 0440
{{- end }}
{{- if and (eq .Values.broker.kind "external") .Values.broker.tls.enabled .Values.broker.tls.caConfigMap }}
- name: broker-ca
  configMap:
    name: {{ .Values.broker.tls.caConfigMap | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
