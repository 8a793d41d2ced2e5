{{/* Binds a role to an account: (dict "root" . "kind" "Role" "name" … "namespace" … "account" …). */}}
{{- define "kubesonar.bindingOf" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kubesonar.labelsOf" (list .root "doctor") | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
- {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .root.Release.Namespace }}}
{{- end -}}

{{/* The arguments of the doctor, as JSON under "arguments". */}}
{{- define "kubesonar.doctorArguments" -}}
{{- $doctor := .Values.doctor -}}
{{- $collector := .Values.collector -}}
{{- $service := printf "%s/%s" $doctor.service.namespace $doctor.service.name -}}
{{- $job := eq $doctor.kind "CronJob" -}}
{{- $given := list "dns" (ternary (ternary "check" "repair" (eq $doctor.repair "off")) "watch" $job) "--service" $service "--no-helper" -}}
{{- if not $job -}}
{{- $given = concat $given (list "--listen" ":9890" "--repair" $doctor.repair) -}}
{{- else if ne $doctor.repair "off" -}}
{{- $given = concat $given (list "--after" "60s") (ternary (list "--yes") list (eq $doctor.repair "on")) -}}
{{- end -}}
{{- if and $collector.enabled (ne $doctor.repair "off") -}}
{{- $tls := include "kubesonar.collectorTls" . -}}
{{- $given = concat $given (list "--collector" (printf "%s://%s:%d" (ternary "https" "http" (ne $tls "")) (include "kubesonar.collectorHost" .) (int $collector.port))) -}}
{{- if include "kubesonar.hasKeys" . -}}
{{- $given = concat $given (list "--token-file" "/etc/kubesonar/keys/token") -}}
{{- end -}}
{{- if $tls -}}
{{- $given = concat $given (list "--ca-file" "/etc/kubesonar/collector/ca.crt") -}}
{{- end -}}
{{- end -}}
{{- dict "arguments" (concat $given $doctor.arguments) | toJson -}}
{{- end -}}

{{/* The doctor's pod: (dict "root" . "name" … "settings" …). */}}
{{- define "kubesonar.doctorPod" -}}
{{- $root := .root -}}
{{- $doctor := $root.Values.doctor -}}
{{- $job := eq $doctor.kind "CronJob" -}}
{{- $asks := and $root.Values.collector.enabled (ne $doctor.repair "off") -}}
{{- $keys := and $asks (include "kubesonar.hasKeys" $root) -}}
{{- $tls := ternary (include "kubesonar.collectorTls" $root) "" $asks -}}
metadata:
  labels:
    {{- include "kubesonar.selectorOf" (list $root "doctor") | nindent 4 }}
    app.kubernetes.io/part-of: kubesonar
    {{- with include "kubesonar.meshLabels" $root }}
    {{- . | nindent 4 }}
    {{- end }}
  {{- with include "kubesonar.meshAnnotations" $root }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .name }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  {{- if $job }}
  restartPolicy: Never
  {{- end }}
  {{- with include "kubesonar.pullSecrets" $root }}
  {{- . | nindent 2 }}
  {{- end }}
  securityContext:
    {{- include "kubesonar.podSecurity" $root | nindent 4 }}
  nodeSelector:
    {{- toYaml $doctor.nodeSelector | nindent 4 }}
  tolerations:
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
  {{- with $doctor.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  containers:
  - name: doctor
    image: {{ include "kubesonar.collectorImage" $root | quote }}
    imagePullPolicy: {{ .settings.pullPolicy }}
    args:
      {{- (include "kubesonar.doctorArguments" $root | fromJson).arguments | toYaml | nindent 6 }}
    env:
    - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    {{- if not $job }}
    ports:
    - {name: metrics, containerPort: 9890, protocol: TCP}
    livenessProbe:
      httpGet: {path: /healthz, port: metrics}
      initialDelaySeconds: 20
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    {{- end }}
    resources:
      {{- toYaml $doctor.resources | nindent 6 }}
    securityContext:
      {{- include "kubesonar.containerSecurity" $root | nindent 6 }}
    {{- if or $keys $tls }}
    volumeMounts:
    {{- if $keys }}
    - {name: token, mountPath: /etc/kubesonar/keys, readOnly: true}
    {{- end }}
    {{- if $tls }}
    - {name: collector-ca, mountPath: /etc/kubesonar/collector, readOnly: true}
    {{- end }}
    {{- end }}
  {{- if or $keys $tls }}
  volumes:
  {{- if $keys }}
  - name: token
    secret:
      secretName: {{ include "kubesonar.keysSecret" $root }}
      defaultMode: 0444
      items:
      - {key: token, path: token}
  {{- end }}
  {{- with $tls }}
  - name: collector-ca
    secret:
      secretName: {{ . }}
      defaultMode: 0444
      items:
      - {key: ca.crt, path: ca.crt}
  {{- end }}
  {{- end }}
{{- end -}}
