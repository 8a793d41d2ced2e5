{{/* The pod of an agent: (dict "root" . "settings" … "host" false). */}}
{{- define "kubesonar.podSpec" -}}
{{- $root := .root -}}
{{- $settings := .settings -}}
{{- $dropin := and (not .host) (eq (include "kubesonar.dropin" $root) "true") -}}
{{- $pod := include "kubesonar.podSecurity" $root | fromYaml -}}
{{- $container := include "kubesonar.containerSecurity" $root | fromYaml -}}
{{- if .host -}}
{{- if $root.Values.hostNetwork.netRaw -}}
{{- $pod = merge (dict "runAsNonRoot" false "runAsUser" 0) $pod -}}
{{- $_ := set $container.capabilities "add" (list "NET_RAW") -}}
{{- end -}}
{{- else -}}
{{- if $root.Values.agent.icmp -}}
{{- $_ := set $pod "sysctls" (list (dict "name" "net.ipv4.ping_group_range" "value" "0 2147483647")) -}}
{{- end -}}
{{- $pod = mergeOverwrite $pod $settings.podSecurityContext -}}
{{- $container = mergeOverwrite $container $settings.containerSecurityContext -}}
{{- end -}}
{{- if .host }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- with $settings.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "kubesonar.serviceAccount" $root }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with include "kubesonar.pullSecrets" $root }}
{{ . }}
{{- end }}
securityContext:
  {{- toYaml $pod | nindent 2 }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
- name: {{ ternary "kubenurse" "agent" $dropin }}
  image: {{ include "kubesonar.image" $root | quote }}
  imagePullPolicy: {{ $settings.pullPolicy }}
  args: [agent]
  env:
  - name: KUBESONAR_CONFIG
    value: /etc/kubesonar/config/agent.yaml
  - name: KUBESONAR_MEMBER_NAME
    valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}
  - name: KUBESONAR_MEMBER_NODE
    valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}
  - name: KUBESONAR_MEMBER_ADDRESSES
    valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.podIPs}}
  {{- if $dropin }}
  {{- include "kubesonar.kubenurseEnv" $root | nindent 2 }}
  {{- end }}
  {{- with $settings.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  ports:
  {{- $port := int (ternary $root.Values.hostNetwork.port $root.Values.agent.port .host) }}
  - {name: agent, containerPort: {{ $port }}, protocol: TCP{{ if .host }}, hostPort: {{ $port }}{{ end }}}
  - {name: agent-udp, containerPort: {{ $port }}, protocol: UDP{{ if .host }}, hostPort: {{ $port }}{{ end }}}
  {{- if include "kubesonar.judges" $root }}
  {{- $judging := dig "coordinator" "port" 7475 $root.Values.config | int }}
  - {name: coordinator, containerPort: {{ $judging }}, protocol: TCP{{ if .host }}, hostPort: {{ $judging }}{{ end }}}
  {{- end }}
  {{- if $dropin }}
  - {containerPort: 8080, protocol: TCP}
  {{- if eq ((include "kubesonar.old" $root | fromYaml).use_tls | toString) "true" }}
  - {containerPort: 8443, protocol: TCP}
  {{- end }}
  {{- end }}
  {{- include (ternary "kubesonar.kubenurseProbes" "kubesonar.probes" $dropin) $root | nindent 2 }}
  {{- with $settings.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $container | nindent 4 }}
  volumeMounts:
  - {name: config, mountPath: /etc/kubesonar/config, readOnly: true}
  {{- if include "kubesonar.hasKeys" $root }}
  - {name: keys, mountPath: /etc/kubesonar/keys, readOnly: true}
  {{- end }}
  {{- with include "kubesonar.reportMounts" $root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $settings.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
- name: config
  configMap:
    name: {{ include "kubesonar.named" (list $root "config") }}
    items:
    - {key: {{ ternary "host.yaml" "pod.yaml" .host }}, path: agent.yaml}
{{- if include "kubesonar.hasKeys" $root }}
- name: keys
  secret:
    secretName: {{ include "kubesonar.keysSecret" $root }}
    defaultMode: 0444
    items:
    - {key: keys, path: keys}
    {{- if .host }}
    - {key: token, path: token}
    {{- end }}
{{- end }}
{{- with include "kubesonar.reportVolumes" $root }}
{{ . }}
{{- end }}
{{- with $settings.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* /healthz answers while the event loop turns. /readyz waits for members, which an API server that is away does not
tell: no reason to start a container again. */}}
{{- define "kubesonar.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: agent}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: agent}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /healthz, port: agent}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{/* As kubenurse's chart has them: a cordoned node's pod is not ready. */}}
{{- define "kubesonar.kubenurseProbes" -}}
startupProbe:
  httpGet: {path: /alwayshappy, port: 8080}
  periodSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /ready, port: 8080}
  periodSeconds: 3
  timeoutSeconds: 1
  failureThreshold: 1
livenessProbe:
  httpGet: {path: /alwayshappy, port: 8080}
  periodSeconds: 10
  failureThreshold: 6
{{- end -}}
