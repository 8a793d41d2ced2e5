{{/* What the chart sets in the collector's configuration, under what collector.config says. */}}
{{- define "kubesonar.collectorConfig" -}}
{{- $collector := .Values.collector -}}
{{- $tls := include "kubesonar.collectorTls" . -}}
{{- $several := gt (int (include "kubesonar.collectorReplicas" .)) 1 -}}
{{- $listen := dict "address" (printf ":%d" (int $collector.port)) -}}
{{- if $tls -}}
{{- $_ := set $listen "certificate_file" "/etc/kubesonar/tls/tls.crt" -}}
{{- $_ := set $listen "key_file" "/etc/kubesonar/tls/tls.key" -}}
{{- end -}}
{{- $account := printf "%s/%s" .Release.Namespace (include "kubesonar.serviceAccount" .) -}}
{{- $config := dict
  "listen" (list $listen)
  "reports" (dict "auth" "token" "audience" "kubesonar" "account" $account)
  "store" (dict "kind" "sqlite" "directory" "/var/lib/kubesonar")
  "log" (dict "format" "json") -}}
{{- if include "kubesonar.collectorWatches" . -}}
{{- $dns := dig "cluster" "dns" (dict) .Values.config -}}
{{- $named := dict "namespace" ($dns.namespace | default "kube-system") "name" ($dns.name | default "kube-dns") -}}
{{- $_ := set $config "roster" (dict "source" "kubernetes" "service" (include "kubesonar.vip" .) "dns" $named) -}}
{{- end -}}
{{- if include "kubesonar.hasKeys" . -}}
{{- $_ := set $config "api" (dict "token_file" "/etc/kubesonar/keys/token") -}}
{{- else if gt (int $collector.nodePort) 0 -}}
{{- fail "collector.nodePort: what the collector knows is read with a token from the Secret with the keys; set keys.create or keys.existingSecret" -}}
{{- end -}}
{{- if $several -}}
{{- if not (include "kubesonar.hasKeys" .) -}}
{{- fail "collector.replicas: replicas know each other by the token of the Secret with the keys; set keys.create or keys.existingSecret, or collector.replicas to 1" -}}
{{- end -}}
{{- $replicas := dict
  "peers" (list (printf "%s://%s:%d" (ternary "https" "http" (ne $tls "")) (include "kubesonar.collectorAgentsHost" .) (int $collector.port)))
  "token_file" "/etc/kubesonar/keys/token" -}}
{{- if $tls -}}
{{- $_ := set $replicas "ca_file" "/etc/kubesonar/tls/ca.crt" -}}
{{- end -}}
{{- if include "kubesonar.collectorLease" . -}}
{{- $_ := set $replicas "lease" (include "kubesonar.named" (list . "collector")) -}}
{{- end -}}
{{- $_ := set $config "replicas" $replicas -}}
{{- end -}}
{{- $config = mergeOverwrite $config (deepCopy $collector.config) -}}
{{- if and $collector.existingClaim (ne $config.store.kind "sqlite") -}}
{{- fail (printf "collector.existingClaim: a claim is for config.store.kind sqlite, which is %s" $config.store.kind) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* How many there are. A claim is for one. */}}
{{- define "kubesonar.collectorReplicas" -}}
{{- if .Values.collector.existingClaim -}}1{{- else -}}{{- .Values.collector.replicas -}}{{- end -}}
{{- end -}}

{{/* "true" where a Lease elects the one that leads: each has a store of its own. */}}
{{- define "kubesonar.collectorLease" -}}
{{- $store := default dict .Values.collector.config.store -}}
{{- if and (gt (int (include "kubesonar.collectorReplicas" .)) 1) (has (default "sqlite" $store.kind) (list "sqlite" "memory")) -}}true{{- end -}}
{{- end -}}

{{/* The Secret with its certificate, empty without one. */}}
{{- define "kubesonar.collectorTls" -}}
{{- if .Values.collector.tlsSecretName -}}
{{- .Values.collector.tlsSecretName -}}
{{- else if .Values.collector.createCertificate -}}
{{- include "kubesonar.named" (list . "collector-tls") -}}
{{- end -}}
{{- end -}}

{{/* The name that agents report to: each of its addresses is a replica. */}}
{{- define "kubesonar.collectorAgentsHost" -}}
{{- $name := ternary "collector-replicas" "collector" (gt (int (include "kubesonar.collectorReplicas" .)) 1) -}}
{{- printf "%s.%s.svc.%s" (include "kubesonar.named" (list . $name)) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{- define "kubesonar.collectorHost" -}}
{{- printf "%s.%s.svc.%s" (include "kubesonar.named" (list . "collector")) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{/* What agents are told of the collector. */}}
{{- define "kubesonar.reports" -}}
{{- $collector := .Values.collector -}}
{{- $tls := include "kubesonar.collectorTls" . -}}
{{- $host := include "kubesonar.collectorAgentsHost" . -}}
{{- $reports := dict
  "to" (list (printf "%s://%s:%d" (ternary "https" "http" (ne $tls "")) $host (int $collector.port)))
  "token_file" "/var/run/secrets/kubesonar/token" -}}
{{- if $tls -}}
{{- $_ := set $reports "ca_file" "/etc/kubesonar/collector/ca.crt" -}}
{{- end -}}
{{- toYaml $reports -}}
{{- end -}}

{{/* What an agent's pod needs to report: volumes and mounts. */}}
{{- define "kubesonar.reportMounts" -}}
{{- if .Values.collector.enabled -}}
- {name: report-token, mountPath: /var/run/secrets/kubesonar, readOnly: true}
{{- if include "kubesonar.collectorWatches" . }}
- {name: roster, mountPath: /var/lib/kubesonar}
{{- end }}
{{- if include "kubesonar.collectorTls" . }}
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
{{- if include "kubesonar.collectorWatches" . }}
# The last list of members, for an agent that starts anew while no collector answers.
- name: roster
  emptyDir: {sizeLimit: 64Mi}
{{- end }}
{{- with include "kubesonar.collectorTls" . }}
- name: collector-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0444
    items:
    - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end -}}
{{- end -}}
