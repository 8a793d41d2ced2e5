{{/* (list . .Values.serviceMonitor) */}}
{{- define "kubesonar.monitorLabels" -}}
{{- toYaml (mergeOverwrite (include "kubesonar.labels" (index . 0) | fromYaml) ((index . 1).labels | default dict)) -}}
{{- end -}}

{{/* How an endpoint is scraped. */}}
{{- define "kubesonar.scrape" -}}
interval: {{ .interval }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
