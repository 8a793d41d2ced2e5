{{/* The app.kubernetes.io/name of the pod agents: part of an immutable selector. */}}
{{- define "kubesonar.name" -}}
{{- $own := ternary "kubenurse" .Chart.Name (eq (include "kubesonar.dropin" .) "true") -}}
{{- .Values.nameOverride | default $own | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What every object's name begins with. "name" is the name of the application, "root" the root context. */}}
{{- define "kubesonar.fullnameOf" -}}
{{- $root := .root -}}
{{- if $root.Values.fullnameOverride -}}
{{- $root.Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains .name $root.Release.Name -}}
{{- $root.Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" $root.Release.Name .name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kubesonar.fullname" -}}
{{- include "kubesonar.fullnameOf" (dict "root" . "name" (.Values.nameOverride | default (include "kubesonar.name" .))) -}}
{{- end -}}

{{/* A name with a suffix: (list . "members"). */}}
{{- define "kubesonar.named" -}}
{{- $suffix := index . 1 -}}
{{- printf "%s-%s" (include "kubesonar.fullname" (index . 0) | trunc (int (sub 62 (len $suffix))) | trimSuffix "-") $suffix -}}
{{- end -}}

{{/* The Service behind whose virtual address any pod agent answers. kubenurse's own has the plain name. */}}
{{- define "kubesonar.vip" -}}
{{- if eq (include "kubesonar.dropin" .) "true" -}}
{{- include "kubesonar.named" (list . "agent") -}}
{{- else -}}
{{- include "kubesonar.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "kubesonar.keysSecret" -}}
{{- .Values.keys.existingSecret | default (include "kubesonar.named" (list . "keys")) -}}
{{- end -}}

{{- define "kubesonar.hasKeys" -}}
{{- if or .Values.keys.create .Values.keys.existingSecret -}}true{{- end -}}
{{- end -}}

{{/* Whether the coordinator of the agents judges, "true" or nothing. */}}
{{- define "kubesonar.judges" -}}
{{- if eq (dig "coordinator" "judge" false .Values.config | toString) "true" -}}true{{- end -}}
{{- end -}}

{{- define "kubesonar.makesAccount" -}}
{{- if hasKey .Values.serviceAccount "create" | ternary .Values.serviceAccount.create true -}}true{{- end -}}
{{- end -}}

{{- define "kubesonar.serviceAccount" -}}
{{- if include "kubesonar.makesAccount" . -}}
{{- .Values.serviceAccount.name | default (include "kubesonar.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "kubesonar.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "kubesonar.collectorImage" -}}
{{- $image := .Values.collector.image -}}
{{- $repository := $image.repository | default (printf "%s-collector" .Values.image.repository) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default .Values.image.tag | default .Chart.AppVersion | toString) -}}
{{- end -}}
{{- end -}}

{{- define "kubesonar.pullSecrets" -}}
{{- with concat (.Values.imagePullSecrets | default list) (.Values.serviceAccount.imagePullSecrets | default list) | uniq -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "kubesonar.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "kubesonar.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: kubesonar
{{- end -}}

{{/* By these the DaemonSet of the pod agents knows its pods, as kubenurse's did: they never change. */}}
{{- define "kubesonar.selector" -}}
app.kubernetes.io/name: {{ include "kubesonar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The same for other pods, which no selector of the pod agents may match: (list . "host"). */}}
{{- define "kubesonar.selectorOf" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ printf "%s-%s" (include "kubesonar.name" $root | trunc 57) (index . 1) }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end -}}

{{- define "kubesonar.labelsOf" -}}
{{- $root := index . 0 -}}
{{- $labels := include "kubesonar.labels" $root | fromYaml -}}
{{- toYaml (merge (include "kubesonar.selectorOf" . | fromYaml) $labels) -}}
{{- end -}}

{{/* No mesh puts a proxy between the agent and the network that it measures. */}}
{{- define "kubesonar.meshLabels" -}}
{{- if not .Values.meshSidecars -}}
sidecar.istio.io/inject: "false"
istio.io/dataplane-mode: none
kuma.io/sidecar-injection: disabled
{{- end }}
{{- end -}}

{{- define "kubesonar.meshAnnotations" -}}
{{- if not .Values.meshSidecars -}}
sidecar.istio.io/inject: "false"
linkerd.io/inject: disabled
consul.hashicorp.com/connect-inject: "false"
{{- end }}
{{- end -}}

{{- define "kubesonar.serviceLabels" -}}
{{- toYaml (mergeOverwrite (.Values.service.labels | default dict | deepCopy) (include "kubesonar.labels" . | fromYaml)) -}}
{{- end -}}

{{- define "kubesonar.families" -}}
ipFamilyPolicy: {{ .Values.service.ipFamilyPolicy }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "kubesonar.ingressTls" -}}
{{- ternary .Values.ingress.tls true (hasKey .Values.ingress "tls") -}}
{{- end -}}

{{/* Before an installation and an upgrade, in this order. */}}
{{- define "kubesonar.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
