{{/* What the values mean, before anything reads them: a blank value is one that is not given, and a number or a truth
value where text belongs (--set image.tag=1) is its text; a free mapping that is not given is empty. Changes .Values, once for all templates; `_older` keeps which
values of kubenurse's chart were named, blank ones too. */}}
{{- define "kubesonar.normalise" -}}
{{- if not (hasKey .Values "_older") -}}
{{- $_ := set .Values "_older" (include "kubesonar.oldKeys" .) -}}
{{- include "kubesonar.normaliseMap" (dict "map" .Values "texts" false) -}}
{{- range $section := list "image" "doctor" "service" "ingress" "httpRoute" "serviceMonitor" "podMonitor" "networkPolicy" "rbac" "serviceAccount" "keys" "hostNetwork" "collector" "kubenurse" -}}
{{- if not (hasKey $.Values $section) -}}
{{- fail (printf "%s is blank: give its values, or leave it out" $section) -}}
{{- end -}}
{{- end -}}
{{- range $section, $keys := dict "" (list "config") "agent" (list "resources") "hostNetwork" (list "config") "collector" (list "config" "resources" "nodeSelector") -}}
{{- $owner := ternary $.Values (get $.Values $section) (eq $section "") -}}
{{- range $key := $keys -}}
{{- if not (hasKey $owner $key) }}{{- $_ := set $owner $key dict }}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* One mapping of the values: (dict "map" … "texts" whether its values are texts). */}}
{{- define "kubesonar.normaliseMap" -}}
{{- range $key, $value := .map -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $.map $key -}}
{{- else if kindIs "map" $value -}}
{{- include "kubesonar.normaliseMap" (dict "map" $value "texts" (has $key (list "podLabels" "podAnnotations" "labels" "annotations" "nodeSelector"))) -}}
{{- else if or $.texts (eq $key "tag") -}}
{{- $_ := set $.map $key (include "kubesonar.text" $value) -}}
{{- else if and (kindIs "slice" $value) (has $key (list "env" "extraEnvs")) -}}
{{- range $item := $value -}}
{{- if hasKey $item "value" }}{{- $_ := set $item "value" (include "kubesonar.text" $item.value) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A scalar as text. Helm reads every number of a values file as a float, which would print 20261128 as 2.0261128e+07. */}}
{{- define "kubesonar.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (. | int64 | float64) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else if not (kindIs "invalid" .) -}}
{{ . }}
{{- end -}}
{{- end -}}
