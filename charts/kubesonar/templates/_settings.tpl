{{/* What the pods are like: agent.*, and over it kubenurse's daemonset.* with its chart's defaults. The image that an
older values file names is the older tool's, so it is passed over. */}}
{{- define "kubesonar.settings" -}}
{{- $agent := .Values.agent -}}
{{- $dropin := eq (include "kubesonar.dropin" .) "true" -}}
{{- $old := .Values.daemonset | default dict -}}
{{- $master := list
  (dict "effect" "NoSchedule" "key" "node-role.kubernetes.io/master" "operator" "Equal")
  (dict "effect" "NoSchedule" "key" "node-role.kubernetes.io/control-plane" "operator" "Equal") -}}
{{- $every := list (dict "operator" "Exists") -}}
{{- $tolerations := hasKey $agent "tolerations" | ternary $agent.tolerations (ternary $master $every $dropin) -}}
{{- $rolling := $agent.rollingUpdate | default (dict "maxUnavailable" (ternary "34%" "10%" $dropin)) -}}
{{- $pace := dict -}}
{{- range $key, $value := $old.rollingUpdate | default $rolling -}}
{{- if not (kindIs "invalid" $value) }}{{- $_ := set $pace $key $value -}}{{- end -}}
{{- end -}}
{{- $out := dict
  "env" (concat ($agent.env | default list) ($old.extraEnvs | default list))
  "podLabels" (merge (dict) ($old.podLabels | default dict) ($agent.podLabels | default dict))
  "podAnnotations" (merge (dict) ($old.podAnnotations | default dict) ($agent.podAnnotations | default dict))
  "podSecurityContext" (merge (dict) ($old.podSecurityContext | default dict) ($agent.podSecurityContext | default dict))
  "containerSecurityContext" (merge (dict) ($old.containerSecurityContext | default dict) ($agent.containerSecurityContext | default dict))
  "resources" ($old.containerResources | default $agent.resources)
  "pullPolicy" ($old.containerImagePullPolicy | default .Values.image.pullPolicy)
  "tolerations" (hasKey $old "tolerations" | ternary $old.tolerations $tolerations)
  "nodeSelector" $agent.nodeSelector
  "affinity" ($agent.affinity | default dict)
  "priorityClassName" ($old.priorityClassName | default $agent.priorityClassName)
  "rollingUpdate" $pace
  "dnsConfig" ($old.dnsConfig | default $agent.dnsConfig)
  "volumes" (concat ($agent.volumes | default list) ($old.volumes | default list))
  "volumeMounts" (concat ($agent.volumeMounts | default list) ($old.volumeMounts | default list)) -}}
{{- toYaml $out -}}
{{- end -}}

{{/* The restricted standard of Pod Security (https://kubernetes.io/docs/concepts/security/pod-security-standards/). No
user is named: the image's is 65532, and a platform that gives each namespace users of its own may set another. */}}
{{- define "kubesonar.podSecurity" -}}
{{- toYaml (dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault")) -}}
{{- end -}}

{{- define "kubesonar.containerSecurity" -}}
{{- toYaml (dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL"))) -}}
{{- end -}}
