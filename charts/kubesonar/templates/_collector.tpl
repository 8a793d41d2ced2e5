{{/* What the chart sets in the collector's configuration, under what collector.config says. */}}
{{- define "kubesonar.collectorConfig" -}}
{{- $collector := .Values.collector -}}
{{- $listen := dict "address" (printf ":%d" (int $collector.port)) -}}
{{- if $collector.tlsSecretName -}}
{{- $_ := set $listen "certificate_file" "/etc/kubesonar/tls/tls.crt" -}}
{{- $_ := set $listen "key_file" "/etc/kubesonar/tls/tls.key" -}}
{{- end -}}
{{- $account := printf "%s/%s" .Release.Namespace (include "kubesonar.serviceAccount" .) -}}
{{- $config := dict
  "listen" (list $listen)
  "reports" (dict "auth" "token" "audience" "kubesonar" "account" $account)
  "store" (dict "kind" "sqlite" "directory" "/var/lib/kubesonar")
  "log" (dict "format" "json") -}}
{{- if include "kubesonar.hasKeys" . -}}
{{- $_ := set $config "api" (dict "token_file" "/etc/kubesonar/keys/token") -}}
{{- else if gt (int $collector.nodePort) 0 -}}
{{- fail "collector.nodePort: what the collector knows is read with a token from the Secret with the keys; set keys.create or keys.existingSecret" -}}
{{- end -}}
{{- $config = mergeOverwrite $config (deepCopy $collector.config) -}}
{{- if and $collector.existingClaim (ne $config.store.kind "sqlite") -}}
{{- fail (printf "collector.existingClaim: a claim is for config.store.kind sqlite, which is %s" $config.store.kind) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "kubesonar.collectorHost" -}}
{{- printf "%s.%s.svc.%s" (include "kubesonar.named" (list . "collector")) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{/* What agents are told of the collector. */}}
{{- define "kubesonar.reports" -}}
{{- $collector := .Values.collector -}}
{{- $host := include "kubesonar.collectorHost" . -}}
{{- $reports := dict
  "to" (list (printf "%s://%s:%d" (ternary "https" "http" (ne $collector.tlsSecretName "")) $host (int $collector.port)))
  "token_file" "/var/run/secrets/kubesonar/token" -}}
{{- if $collector.tlsSecretName -}}
{{- $_ := set $reports "ca_file" "/etc/kubesonar/collector/ca.crt" -}}
{{- end -}}
{{- toYaml $reports -}}
{{- end -}}

{{/* What an agent's pod needs to report: volumes and mounts. */}}
{{- define "kubesonar.reportMounts" -}}
{{- if .Values.collector.enabled -}}
- {name: report-token, mountPath: /var/run/secrets/kubesonar, readOnly: true}
{{- if .Values.collector.tlsSecretName }}
- {name: collector-ca, mountPath: /etc/kubesonar/collector, readOnly: true}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "kubesonar.reportVolumes" -}}
{{- if .Values.collector.enabled -}}
- name: report-token
  projected:
    defaultMode: 0444
    sources:
    - serviceAccountToken: {audience: kubesonar, expirationSeconds: 3600, path: token}
{{- with .Values.collector.tlsSecretName }}
- name: collector-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0444
    items:
    - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end -}}
{{- end -}}
