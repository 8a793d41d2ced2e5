{{/* Keys of values that only kubenurse's chart has. */}}
{{- define "kubesonar.oldKeys" -}}
{{- $old := list -}}
{{- range $key := list "daemonset" "insecure" "service_url" "kubernetes_service_dns" "allow_unschedulable" "neighbour_filter" "neighbour_limit" "histogram_buckets" "expose_metadata" "victoriametrics_histogram" "extra_ca" "extra_checks" "check_api_server_direct" "check_api_server_dns" "check_me_ingress" "check_me_service" "check_neighbourhood" "check_interval" "reuse_connections" "shutdown_duration" "use_tls" "cert_file" "cert_key" "namespace" "check_api_me_ingress" "check_api_me_service" -}}
{{- if hasKey $.Values $key }}{{- $old = append $old $key -}}{{- end -}}
{{- end -}}
{{- range $section, $keys := dict "service" (list "name" "port") "ingress" (list "url") "httpRoute" (list "rules") "rbac" (list "allow_unschedulable") -}}
{{- range $key := $keys -}}
{{- if hasKey (index $.Values $section | default dict) $key }}{{- $old = append $old (printf "%s.%s" $section $key) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- join " " $old -}}
{{- end -}}

{{/* Whether kubenurse's listener is offered, and its names and labels kept: "true" or nothing. Where nobody says, the
values that only its chart has tell, then the DaemonSet that the release already has. */}}
{{- define "kubesonar.dropin" -}}
{{- if not (hasKey .Values "agent") -}}
{{- fail "this chart's own values are missing, as after helm upgrade --reuse-values; give --reset-then-reuse-values or -f instead" -}}
{{- end -}}
{{- include "kubesonar.normalise" . -}}
{{- $said := .Values.kubenurse.enabled | toString -}}
{{- $old := .Values._older -}}
{{- if eq $said "true" -}}
true
{{- else if eq $said "false" -}}
{{- if $old -}}
{{- fail (printf "kubenurse.enabled is false, but these values are kubenurse's and would do nothing: %s" $old) -}}
{{- end -}}
{{- else if $old -}}
true
{{- else -}}
{{- $name := include "kubesonar.fullnameOf" (dict "root" . "name" (.Values.nameOverride | default "kubenurse")) -}}
{{- with lookup "apps/v1" "DaemonSet" .Release.Namespace $name -}}
{{- $labels := .metadata.labels | default dict -}}
{{- if and (eq (index $labels "app.kubernetes.io/instance" | default "") $.Release.Name) (ne (index $labels "kubesonar.io/kubenurse" | default "true") "false") -}}
true
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* kubenurse's values with its chart's defaults, those under daemonset too. */}}
{{- define "kubesonar.old" -}}
{{- $defaults := dict
  "insecure" true "service_url" "" "kubernetes_service_dns" (printf "kubernetes.default.svc.%s" .Values.clusterDomain)
  "allow_unschedulable" false "neighbour_filter" "app.kubernetes.io/name=kubenurse" "neighbour_limit" 10
  "histogram_buckets" "" "expose_metadata" false "victoriametrics_histogram" false "extra_ca" "" "extra_checks" ""
  "check_api_server_direct" true "check_api_server_dns" true "check_me_ingress" true "check_me_service" true
  "check_neighbourhood" true "check_interval" "5s" "reuse_connections" false "shutdown_duration" "5s"
  "use_tls" false "cert_file" "" "cert_key" "" -}}
{{- $out := dict -}}
{{- range $key, $default := $defaults -}}
{{- $_ := set $out $key (ternary (index $.Values $key) $default (hasKey $.Values $key)) -}}
{{- end -}}
{{- range $key := list "ingress" "service" -}}
{{- $misspelt := printf "check_api_me_%s" $key -}}
{{- if and (hasKey $.Values $misspelt) (not (hasKey $.Values (printf "check_me_%s" $key))) -}}
{{- $_ := set $out (printf "check_me_%s" $key) (index $.Values $misspelt) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $out "port" (.Values.service.port | default 8080) -}}
{{- $_ := set $out "portName" (.Values.service.name | default "8080-8080") -}}
{{- $_ := set $out "host" (.Values.ingress.url | default .Values.ingress.host | default "dummy-kubenurse.example.com") -}}
{{- toYaml $out -}}
{{- end -}}

{{/* The environment that kubenurse's chart gives its pods, and who we are. */}}
{{- define "kubesonar.kubenurseEnv" -}}
{{- $old := include "kubesonar.old" . | fromYaml -}}
{{- $service := printf "http://%s.%s.svc.%s:%v" (include "kubesonar.fullname" .) .Release.Namespace .Values.clusterDomain $old.port -}}
- name: KUBENURSE_POD_NAME
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}
- name: KUBENURSE_NODE_NAME
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}
- name: KUBENURSE_INGRESS_URL
  value: {{ printf "https://%s" $old.host | quote }}
- name: KUBENURSE_SERVICE_URL
  value: {{ $old.service_url | default $service | quote }}
- name: KUBENURSE_NAMESPACE
  value: {{ .Release.Namespace | quote }}
- name: KUBERNETES_SERVICE_DNS
  value: {{ $old.kubernetes_service_dns | quote }}
{{- range $key := list "insecure" "allow_unschedulable" "neighbour_filter" "neighbour_limit" "extra_ca" "extra_checks" "check_api_server_direct" "check_api_server_dns" "check_me_ingress" "check_me_service" "check_neighbourhood" "check_interval" "reuse_connections" "shutdown_duration" "histogram_buckets" "victoriametrics_histogram" "expose_metadata" "use_tls" "cert_file" "cert_key" }}
- name: KUBENURSE_{{ upper $key }}
  value: {{ index $old $key | toString | quote }}
{{- end }}
{{- end -}}

{{/* Its chart makes an Ingress unless told not to; ours only when told. */}}
{{- define "kubesonar.ingressEnabled" -}}
{{- $dropin := eq (include "kubesonar.dropin" .) "true" -}}
{{- if hasKey .Values.ingress "enabled" | ternary .Values.ingress.enabled $dropin -}}true{{- end -}}
{{- end -}}
