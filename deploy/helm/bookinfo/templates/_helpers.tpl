{{/* The labels of every object. */}}
{{- define "bookinfo.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The image: `own`, where a version has one, over that of all. */}}
{{- define "bookinfo.image" -}}
{{- $own := .own | default dict -}}
{{- $all := .root.Values.image -}}
{{- $own.repository | default $all.repository -}}
{{- /* Another image has another digest. */ -}}
{{- with ternary $all.digest $own.digest (empty $own) -}}
@{{ . }}
{{- else -}}
:{{ $own.tag | default $all.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* What every Pod starts with, whatever it is for. */}}
{{- define "bookinfo.pod" -}}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- with .Values.podSecurity.runAsUser }}
  runAsUser: {{ int64 . }}
  {{- end }}
  {{- with .Values.podSecurity.runAsGroup }}
  runAsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A text in which Kubernetes finds no $(VARIABLE) and no escaped one. */}}
{{- define "bookinfo.literal" -}}
{{- replace "$" "$$" . -}}
{{- end }}

{{/* What no container may do. */}}
{{- define "bookinfo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
