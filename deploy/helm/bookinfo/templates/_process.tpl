{{/* What the process in a Pod is told, and what it finds on its disk. */}}

{{/* Who it is: what proxyless.Bootstrap reads. Of the Pod and not of the values wherever a copy of the Deployment,
     which is how lanes start a version, would say something else. */}}
{{- define "bookinfo.identity" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: INSTANCE_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: SERVICE_ACCOUNT
  valueFrom:
    fieldRef:
      fieldPath: spec.serviceAccountName
- name: SERVICE_VERSION
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['version']
- name: POD_LABELS
  value: {{ printf "app=%s,version=$(SERVICE_VERSION)" .service | quote }}
- name: XDS_ADDRESS
  value: {{ .root.Values.xds.address | quote }}
- name: CLUSTER_ID
  value: {{ .root.Values.xds.clusterId | quote }}
{{- if eq (include "bookinfo.xdsTls" .root) "true" }}
- name: XDS_ROOT_CERT
  value: /var/run/secrets/istio/root-cert.pem
{{- with .root.Values.xds.serverName }}
- name: XDS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* "true" unless the control plane's port is Istiod's plaintext one. */}}
{{- define "bookinfo.xdsTls" -}}
{{- ne (splitList ":" .Values.xds.address | last) "15010" -}}
{{- end }}

{{/* What every service reads from its environment beyond that. */}}
{{- define "bookinfo.settings" -}}
- name: BIND_IP
  value: {{ .Values.bindAddress | quote }}
- name: LANE_KEY
  value: {{ include "bookinfo.literal" .Values.laneKey | quote }}
{{- with .Values.laneLabels.named }}
- name: LANES_LABELLED
  value: {{ join "," . | quote }}
{{- end }}
- name: LANES_LABELLED_LIMIT
  value: {{ .Values.laneLabels.limit | int | quote }}
- name: LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: DRAIN_TIMEOUT
  value: {{ .Values.drain.timeoutSeconds | int | quote }}
{{- with .Values.propagateHeaders }}
- name: PROPAGATE_HEADERS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.admin.enabled }}
- name: ADMIN_PORT
  value: {{ .Values.admin.port | int | quote }}
- name: ADMIN_IP
  value: {{ .Values.bindAddress | quote }}
- name: ADMIN_READABLE
  value: {{ .Values.admin.readable | quote }}
{{- end }}
{{- with .Values.otlp.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* What productpage reads besides. */}}
{{- define "bookinfo.door" -}}
{{- with .Values.door -}}
- name: TRUST_BAGGAGE
  value: {{ .trustBaggage | quote }}
- name: TRUST_END_USER
  value: {{ .trustEndUser | quote }}
- name: LANE_MENU
  value: {{ .laneMenu | quote }}
- name: DOOR_RULES
  value: /etc/bookinfo/door/door.yaml
- name: CALL_TIMEOUT
  value: {{ .callTimeoutSeconds | quote }}
{{- with .laneHeader }}
- name: LANE_HEADER
  value: {{ . | quote }}
{{- end }}
{{- with .sessionSecret }}
{{- if .name }}
- name: SESSION_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .name | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The token and the certificate for the control plane, the door's rules, and room for temporary files. */}}
{{- define "bookinfo.volumes" -}}
{{- if eq (include "bookinfo.xdsTls" .root) "true" -}}
- name: istio-token
  projected:
    sources:
      - serviceAccountToken:
          audience: istio-ca
          expirationSeconds: 43200
          path: istio-token
- name: istio-root-cert
  configMap:
    name: {{ .root.Values.xds.rootCertConfigMap | quote }}
{{ end -}}
{{- if eq .service "productpage" -}}
- name: door
  configMap:
    name: productpage-door
    # `lanes door` makes it, where the values do not.
    optional: true
{{ end -}}
# A form with a file in it is the one thing that is written anywhere.
- name: tmp
  emptyDir:
    sizeLimit: 16Mi
{{- end }}

{{/* Where proxyless.identity and the environment above look for them. */}}
{{- define "bookinfo.mounts" -}}
{{- if eq (include "bookinfo.xdsTls" .root) "true" -}}
- name: istio-token
  mountPath: /var/run/secrets/tokens
  readOnly: true
- name: istio-root-cert
  mountPath: /var/run/secrets/istio
  readOnly: true
{{ end -}}
{{- if eq .service "productpage" -}}
- name: door
  mountPath: /etc/bookinfo/door
  readOnly: true
{{ end -}}
- name: tmp
  mountPath: /tmp
{{- end }}

{{/* A probe of the port by which the service is called: `service` asks for one gRPC service's health. */}}
{{- define "bookinfo.probe" -}}
{{- if eq .protocol "grpc" -}}
grpc:
  port: 9080
  {{- with .service }}
  service: {{ . | quote }}
  {{- end }}
{{- else -}}
httpGet:
  path: /health
  port: {{ .protocol }}
{{- end }}
{{- end }}

{{/* The port of a URL. */}}
{{- define "bookinfo.urlPort" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $port | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end }}
