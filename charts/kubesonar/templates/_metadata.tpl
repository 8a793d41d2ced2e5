{{/* Labels of an agent's pod: what the values say, never over those by which the pods are known.
(dict "root" . "settings" … "host" false) */}}
{{- define "kubesonar.podLabels" -}}
{{- $selector := ternary (include "kubesonar.selectorOf" (list .root "host")) (include "kubesonar.selector" .root) .host | fromYaml -}}
{{- $ours := dict
  "app.kubernetes.io/part-of" "kubesonar"
  "kubesonar.io/network" (ternary "host" "pod" .host)
  "kubesonar.io/port" (ternary .root.Values.hostNetwork.port .root.Values.agent.port .host | int | toString) -}}
{{- toYaml (mergeOverwrite (include "kubesonar.meshLabels" .root | fromYaml) .settings.podLabels $ours $selector) -}}
{{- end -}}

{{/* Annotations of an agent's pod. A changed configuration or Secret name makes new pods; the values go before. */}}
{{- define "kubesonar.podAnnotations" -}}
{{- $config := include (ternary "kubesonar.hostConfig" "kubesonar.podConfig" .host) .root -}}
{{- $ours := merge (dict "kubesonar.io/config" (sha256sum $config | trunc 16)) (include "kubesonar.meshAnnotations" .root | fromYaml) -}}
{{- $monitored := or .root.Values.serviceMonitor.enabled .root.Values.podMonitor.enabled -}}
{{- $dropin := eq (include "kubesonar.dropin" .root) "true" -}}
{{- if and (not .host) (or $dropin (not $monitored)) -}}
{{- $port := ternary "8080" (.root.Values.agent.port | int | toString) $dropin -}}
{{- $ours = merge $ours (dict "prometheus.io/scrape" "true" "prometheus.io/scheme" "http" "prometheus.io/path" "/metrics" "prometheus.io/port" $port) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $ours .settings.podAnnotations) -}}
{{- end -}}
