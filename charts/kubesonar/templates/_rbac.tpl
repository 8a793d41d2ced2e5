{{/* Binds a role to the agents' account: (dict "root" . "kind" "Role" "name" … "namespace" …). */}}
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
- {kind: ServiceAccount, name: {{ include "kubesonar.serviceAccount" .root }}, namespace: {{ .root.Release.Namespace }}}
{{- end -}}

{{/* kubenurse's allow_unschedulable is for those who may not grant rights beyond the namespace. */}}
{{- define "kubesonar.readsNodes" -}}
{{- $old := ternary .Values.allow_unschedulable false (hasKey .Values "allow_unschedulable") | toString -}}
{{- $older := dig "allow_unschedulable" "enabled" true .Values.rbac | toString -}}
{{- if hasKey .Values.rbac "nodes" | ternary .Values.rbac.nodes (and (ne $old "true") (ne $older "false")) -}}true{{- end -}}
{{- end -}}
