{{- define "deep" -}}
{{ .Values.a.b.c }}
{{- end }}
{{- define "loop" }}{{ include "loop" . }}{{ end }}
{{- define "fails" }}{{ fail "on purpose" }}{{ end }}
