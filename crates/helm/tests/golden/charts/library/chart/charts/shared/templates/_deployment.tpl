{{- define "shared.deployment" -}}
{{- $root := .root -}}
{{- $base := include "shared.base" $root | fromYaml -}}
{{- $over := include .overrides $root | fromYaml -}}
{{ mergeOverwrite $base $over | toYaml }}
{{- end }}
{{- define "shared.base" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name | trunc 20 | trimSuffix "-" }}
  labels:
    {{- include (printf "%s.labels" .Chart.Name) . | nindent 4 }}
  annotations:
    greeting: {{ .Values.shared.greeting | quote }}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
      - name: main
        image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion | default "latest" }}
        resources: {{- toYaml .Values.resources | nindent 10 }}
{{- end }}
