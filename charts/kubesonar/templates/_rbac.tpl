{{/* Whether the collector watches the cluster for all agents, which then need no right to. Kubenurse's room asks by itself. */}}
{{- define "kubesonar.collectorWatches" -}}
{{- $source := dig "roster" "source" "collector" .Values.config -}}
{{- if and .Values.collector.enabled (ne (include "kubesonar.dropin" .) "true") (eq $source "collector") -}}true{{- end -}}
{{- end -}}

{{/* The account of who watches the cluster. */}}
{{- define "kubesonar.watcher" -}}
{{- ternary (include "kubesonar.named" (list . "collector")) (include "kubesonar.serviceAccount" .) (eq (include "kubesonar.collectorWatches" .) "true") -}}
{{- end -}}

{{/* Binds a role to an account: (dict "root" . "kind" "Role" "name" … "namespace" … "account" …). */}}
{{- define "kubesonar.binding" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kubesonar.labels" .root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
- {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .root.Release.Namespace }}}
{{- end -}}

{{/* kubenurse's allow_unschedulable is for those who may not grant rights beyond the namespace. */}}
{{- define "kubesonar.readsNodes" -}}
{{- $old := ternary .Values.allow_unschedulable false (hasKey .Values "allow_unschedulable") | toString -}}
{{- $older := dig "allow_unschedulable" "enabled" true .Values.rbac | toString -}}
{{- if hasKey .Values.rbac "nodes" | ternary .Values.rbac.nodes (and (ne $old "true") (ne $older "false")) -}}true{{- end -}}
{{- end -}}

{{/* The name of an object outside the release's namespace: a release of the same name in another namespace has its own.
Names of roles may be long; cut, two could become one. (list . "suffix") */}}
{{- define "kubesonar.outside" -}}
{{- printf "%s-%s" (index . 0).Release.Namespace (include "kubesonar.named" .) -}}
{{- end -}}

{{/* The ClusterRole to read nodes; with kubenurse's listener it keeps the name of the older chart. */}}
{{- define "kubesonar.nodesRole" -}}
{{- if eq (include "kubesonar.dropin" .) "true" -}}{{- include "kubesonar.fullname" . -}}{{- else -}}{{- include "kubesonar.outside" (list . "nodes") -}}{{- end -}}
{{- end -}}
