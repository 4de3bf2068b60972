{{/* Every combination that cannot work, as a sentence each; all of them at once. */}}
{{- define "signal-gateway.refuse" -}}
{{- $problems := concat
  (include "signal-gateway.problems.required" . | fromJsonArray)
  (include "signal-gateway.problems.config" . | fromJsonArray)
  (include "signal-gateway.problems.broker" . | fromJsonArray)
  (include "signal-gateway.problems.exposure" . | fromJsonArray)
  (include "signal-gateway.problems.kinds" . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot work:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "signal-gateway.problems.required" -}}
{{- $problems := list -}}
{{- if not .Values.image.repository -}}
{{- $problems = append $problems "image.repository: is not set. Build the image from the Dockerfile, push it to your registry, and name it here." -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $problems = append $problems (printf "replicas: is %d, and the journal is SQLite, which one process owns. Set it to 1: alerts that come while it restarts are sent again by TradingView." (int .Values.replicas)) -}}
{{- end -}}
{{- if and (not .Values.persistence.enabled) (ne .Values.broker.kind "embedded") -}}
{{- $problems = append $problems "persistence.enabled: is false, and signals that were answered with 202 would be lost with the pod. Set it to true; off is for trying, with broker.kind=embedded." -}}
{{- end -}}
{{- if .Values.persistence.enabled -}}
{{- $journal := default "1GiB" (dig "max_size" "" (default dict .Values.config.journal)) -}}
{{- $most := include "signal-gateway.bytes" $journal -}}
{{- $size := include "signal-gateway.bytes" .Values.persistence.size -}}
{{- if and $most $size (ge (float64 $most) (float64 $size)) -}}
{{- $problems = append $problems (printf "persistence.size: is %s, and the journal alone may grow to %v. Make it larger, or config.journal.max_size smaller." .Values.persistence.size $journal) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if regexMatch "^SIGNAL_GATEWAY_(DATA|CONFIG|PUBLIC_URL|BROKER__(KIND|HOST|PORT|USERNAME|PASSWORD_FILE)|BROKER__TLS__.*|JOURNAL__PATH|HTTP__(PUBLIC|PRIVATE)__.*)$" .name -}}
{{- $problems = append $problems (printf "extraEnv: sets %s, which the chart sets itself, and a variable would win over the file. Leave it out." .name) -}}
{{- end -}}
{{- if and (eq .name "SIGNAL_GATEWAY_NOTIFY__TARGETS") (hasKey . "value") -}}
{{- $problems = append $problems "extraEnv: sets SIGNAL_GATEWAY_NOTIFY__TARGETS to a value, and a target's URL is a secret. Take it from a Secret by valueFrom.secretKeyRef, or use config.notify.targets with url_file." -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{/* Bytes of 2Gi, 1GiB, 64KB or a number; empty for what is none, which the gateway or Kubernetes will say. */}}
{{- define "signal-gateway.bytes" -}}
{{- $text := kindIs "string" . | ternary (toString .) (toJson .) | replace " " "" | upper -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?([KMGTPE]?I?B?)$" $text -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexFind "[KMGTPE]" $text -}}
{{- $step := ternary 1024.0 1000.0 (contains "I" $text) -}}
{{- range (dict "" 0 "K" 1 "M" 2 "G" 3 "T" 4 "P" 5 "E" 6 | dig $unit 0 | int | until) -}}
{{- $number = mulf $number $step -}}
{{- end -}}
{{- printf "%.0f" $number -}}
{{- end -}}
{{- end -}}

{{- define "signal-gateway.problems.config" -}}
{{- $problems := list -}}
{{- $config := .Values.config -}}
{{- if not (include "signal-gateway.source" .) -}}
{{- $problems = append $problems "config.sources: names no source, so nothing could come in. Name one: --set config.sources.tradingview.mode=live" -}}
{{- end -}}
{{- if hasKey $config "public_url" -}}
{{- $problems = append $problems "config.public_url: is set by the chart. Use publicUrl, or ingress.host, or httpRoute.hostnames." -}}
{{- end -}}
{{- $http := default dict $config.http -}}
{{- if or (hasKey $http "public") (omit (default dict $http.private) "hosts") -}}
{{- $problems = append $problems "config.http: where the gateway listens is set by the chart, as probes and Services must find it. Leave http.public out, and all of http.private but hosts; the address is the value listen." -}}
{{- end -}}
{{- if dig "path" "" (default dict $config.journal) -}}
{{- $problems = append $problems "config.journal.path: is set by the chart, which keeps the journal on the volume at /data. Leave it out." -}}
{{- end -}}
{{- if omit (default dict $config.broker) "version" "window" "max_connections" -}}
{{- $problems = append $problems "config.broker: is written by the chart from the values below broker. Leave only version, window and max_connections there." -}}
{{- end -}}
{{- range dig "targets" list (default dict $config.notify) -}}
{{- if or (kindIs "string" .) (not (hasKey . "url_file")) (hasKey . "url") -}}
{{- $problems = append $problems "config.notify.targets: a target's URL is a secret, and a ConfigMap is none. Put it into a Secret, name that in existingSecrets, and write {url_file: /secrets/NAME/KEY}." -}}
{{- end -}}
{{- end -}}
{{- uniq $problems | toJson -}}
{{- end -}}

{{- define "signal-gateway.problems.broker" -}}
{{- $problems := list -}}
{{- with .Values.broker -}}
{{- if eq .kind "external" -}}
{{- if not .host -}}
{{- $problems = append $problems "broker.host: is not set. Name your broker, such as emqx.emqx.svc; or set broker.kind=embedded to try the gateway without one." -}}
{{- end -}}
{{- if not (or .existingSecret (and .tls.enabled .tls.clientSecret)) -}}
{{- $problems = append $problems (printf "broker.existingSecret: is not set, and the gateway needs a login at the broker. Make a Secret and name it: kubectl create secret generic broker --namespace %s --from-file=%s=FILE" $.Release.Namespace .passwordKey) -}}
{{- end -}}
{{- if and (not .tls.enabled) (or .tls.caSecret .tls.caConfigMap .tls.clientSecret) -}}
{{- $problems = append $problems "broker.tls: names certificates, and is off. Set broker.tls.enabled=true, or leave them out." -}}
{{- end -}}
{{- if and .tls.caSecret .tls.caConfigMap -}}
{{- $problems = append $problems "broker.tls: caSecret and caConfigMap are both set. Leave one out." -}}
{{- end -}}
{{- else -}}
{{- if or .host .existingSecret .tls.caSecret .tls.caConfigMap .tls.clientSecret -}}
{{- $problems = append $problems "broker.kind: is embedded, and broker names an external one. Set broker.kind=external, or leave host, existingSecret and the certificates out." -}}
{{- end -}}
{{- if ne .service.type "ClusterIP" -}}
{{- $problems = append $problems (printf "broker.service.type: is %s, and the embedded broker has no TLS: logins and signals would cross the network readable. Leave it at ClusterIP, or use an external broker with TLS." .service.type) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "signal-gateway.problems.exposure" -}}
{{- $problems := list -}}
{{- with .Values.service -}}
{{- if and (ne .type "ClusterIP") (not .tlsElsewhere) -}}
{{- $problems = append $problems (printf "service.type: is %s, and the gateway speaks no TLS: webhooks' tokens would travel readable. Use ingress or httpRoute, or set service.tlsElsewhere=true where the load balancer ends TLS." .type) -}}
{{- end -}}
{{- end -}}
{{- with .Values.ingress -}}
{{- if and .enabled (not .host) -}}
{{- $problems = append $problems "ingress.host: is not set. Name the public name of the webhooks, such as signals.example.com." -}}
{{- end -}}
{{- if and .enabled (not .tlsSecret) (not .tlsElsewhere) -}}
{{- $problems = append $problems "ingress.tlsSecret: is not set, and webhooks' tokens would travel readable. Name the Secret of the certificate (cert-manager makes it with its annotation), or set ingress.tlsElsewhere=true where the controller has one." -}}
{{- end -}}
{{- end -}}
{{- with .Values.httpRoute -}}
{{- if and .enabled (not .parentRefs) -}}
{{- $problems = append $problems "httpRoute.parentRefs: is empty. Name your Gateway and its listener with TLS: [{name: public, namespace: gateways, sectionName: https}]" -}}
{{- end -}}
{{- if and .enabled (not .hostnames) -}}
{{- $problems = append $problems "httpRoute.hostnames: is empty, and the route would take the paths of every name of the Gateway. Name the public name: [signals.example.com]" -}}
{{- end -}}
{{- end -}}
{{- $http := default dict .Values.config.http -}}
{{- $behind := or .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- if and $http.allow_from (not $http.trusted_proxies) $behind -}}
{{- $problems = append $problems "config.http.allow_from: is set, and every caller has the controller's address, so each alert would be refused. Name the controller's network in config.http.trusted_proxies: [10.0.0.0/8]" -}}
{{- else if and $http.allow_from (not $http.trusted_proxies) (ne .Values.service.type "ClusterIP") (eq .Values.service.externalTrafficPolicy "Cluster") -}}
{{- $problems = append $problems "config.http.allow_from: is set, and callers come with a node's address, so each alert would be refused. Set service.externalTrafficPolicy=Local, or name what stands in front in config.http.trusted_proxies." -}}
{{- end -}}
{{- with .Values.networkPolicy -}}
{{- if and .enabled .egress.restricted (not .egress.rules) -}}
{{- if dig "targets" list (default dict $.Values.config.notify) -}}
{{- $problems = append $problems "networkPolicy.egress.rules: is empty, and config.notify.targets could not be reached. Allow them: [{ports: [{port: 443}]}]" -}}
{{- end -}}
{{- if $.Values.config.emqx -}}
{{- $problems = append $problems "networkPolicy.egress.rules: is empty, and the API of config.emqx could not be reached. Allow it: [{ports: [{port: 18083}]}]" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{/* Kinds that a cluster may not know: leaving an object out in silence would be a surprise. */}}
{{- define "signal-gateway.problems.kinds" -}}
{{- $problems := list -}}
{{- $kinds := dict
  "httpRoute" "gateway.networking.k8s.io/v1/HTTPRoute"
  "serviceMonitor" "monitoring.coreos.com/v1/ServiceMonitor"
  "prometheusRule" "monitoring.coreos.com/v1/PrometheusRule" -}}
{{- range $value, $kind := $kinds -}}
{{- if and (get (get $.Values $value) "enabled") (not ($.Capabilities.APIVersions.Has $kind)) -}}
{{- $problems = append $problems (printf "%s.enabled: this cluster does not know %s. Install its CRDs first; to render without a cluster, add --api-versions %s" $value $kind $kind) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
