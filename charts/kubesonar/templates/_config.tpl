{{/* What the chart sets in the configuration of both agents, under what the values say. */}}
{{- define "kubesonar.config" -}}
{{- range $key, $instead := dict "name" "" "node" "" "addresses" "" "network" "" "port" "agent.port or hostNetwork.port" "bind" "hostNetwork.bind" -}}
{{- range $given := list $.Values.config $.Values.hostNetwork.config -}}
{{- if and (hasKey $given "member") (hasKey $given.member $key) -}}
{{- fail (printf "config.member.%s is the chart's to set%s" $key (ternary (printf "; the value for it is %s" $instead) "" (ne $instead ""))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if include "kubesonar.judges" . -}}
{{- if .Values.collector.enabled -}}
{{- fail "config.coordinator.judge: the collector judges; set it or collector.enabled, not both" -}}
{{- end -}}
{{- if not (include "kubesonar.hasKeys" .) -}}
{{- fail "config.coordinator.judge: agents sign what they report to the coordinator; set keys.create or keys.existingSecret" -}}
{{- end -}}
{{- if eq (dig "limits" "memory" "" .Values.agent.resources | toString) "96Mi" -}}
{{- fail "config.coordinator.judge: any agent may be elected, and needs room for a collector then; set agent.resources.limits.memory to 256Mi or more" -}}
{{- end -}}
{{- end -}}
{{- $config := dict
  "roster" (dict "source" (ternary "collector" "kubernetes" (eq (include "kubesonar.collectorWatches" .) "true")))
  "cluster" (dict "service" (dict "name" (include "kubesonar.vip" .)))
  "log" (dict "format" "json") -}}
{{- if include "kubesonar.collectorWatches" . -}}
{{- $_ := set $config.roster "directory" "/var/lib/kubesonar" -}}
{{- end -}}
{{- if include "kubesonar.hasKeys" . -}}
{{- $_ := set $config "keys" (dict "file" "/etc/kubesonar/keys/keys") -}}
{{- end -}}
{{- if .Values.collector.enabled -}}
{{- $_ := set $config "reports" (include "kubesonar.reports" . | fromYaml) -}}
{{- end -}}
{{- if and .Values.ingress.enabled (ne (include "kubesonar.dropin" .) "true") -}}
{{- $scheme := ternary "https" "http" (include "kubesonar.ingressTls" . | eq "true") -}}
{{- $_ := set $config.cluster "ingress" (dict "url" (printf "%s://%s/healthz" $scheme (required "ingress.host: the ingress needs a host name" .Values.ingress.host))) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The configuration of an agent, as JSON, which is YAML too: an agent that reads no YAML saves 3 MiB. */}}
{{- define "kubesonar.podConfig" -}}
{{- $set := dict "member" (dict "network" "pod" "port" (int .Values.agent.port)) "roster" (dict "dns" (dict "name" (include "kubesonar.headless" (list . "members")))) -}}
{{- if eq (include "kubesonar.dropin" .) "true" -}}
{{- $_ := set $set "rooms" (list "kubenurse") -}}
{{- end -}}
{{- toPrettyJson (mergeOverwrite (include "kubesonar.config" . | fromYaml) $set (deepCopy .Values.config)) -}}
{{- end -}}

{{- define "kubesonar.hostConfig" -}}
{{- $host := .Values.hostNetwork -}}
{{- $set := dict
  "member" (dict "network" "host" "port" (int $host.port) "bind" $host.bind)
  "roster" (dict "dns" (dict "name" (include "kubesonar.headless" (list . "host-members")))) -}}
{{- if not $host.openReads -}}
{{- if not (include "kubesonar.hasKeys" .) -}}
{{- fail "hostNetwork.enabled: what the agents in the host network know is read with a token from the Secret with the keys; set keys.create, keys.existingSecret or hostNetwork.openReads" -}}
{{- end -}}
{{- $_ := set $set "api" (dict "token_file" "/etc/kubesonar/keys/token") -}}
{{- end -}}
{{- toPrettyJson (mergeOverwrite (include "kubesonar.config" . | fromYaml) $set (deepCopy .Values.config) (deepCopy $host.config)) -}}
{{- end -}}

{{/* The DNS name of a headless Service: (list . "members"). The final dot spares the search list. */}}
{{- define "kubesonar.headless" -}}
{{- $root := index . 0 -}}
{{- printf "%s.%s.svc.%s." (include "kubesonar.named" .) $root.Release.Namespace $root.Values.clusterDomain -}}
{{- end -}}
