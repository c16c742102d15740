{{/* What lanes/render.py says of lanes, said in Helm; tests/chart holds the two to each other. */}}

{{/* The RE2 regex whose full matches are exactly the baggage headers with a member `key`=`lane`. */}}
{{- define "bookinfo.laneRegex" -}}
{{- $ows := "[ \\t]*" -}}
{{- $member := list $ows (regexQuoteMeta .key) $ows "=" $ows (regexQuoteMeta .lane) $ows "(?:;[^,]*)?" | join "" -}}
(?:[^,]*,)*{{ $member }}(?:,[^,]*)*
{{- end }}

{{/* A version as the name of a subset or a Deployment: a DNS label, which a label's value is not bound to be. */}}
{{- define "bookinfo.slug" -}}
{{- regexReplaceAll "[^a-z0-9-]" (lower .) "-" -}}
{{- end }}

{{/* The base of a service as JSON, [{"version", "weight"}, …] by version: one or several, or none. */}}
{{- define "bookinfo.base" -}}
{{- $shares := list -}}
{{- range $version, $weight := .shares -}}
{{- $shares = append $shares (dict "version" $version "weight" (int $weight)) -}}
{{- end -}}
{{- if and .base (not $shares) -}}
{{- $shares = list (dict "version" .base "weight" 100) -}}
{{- end -}}
{{- toJson $shares -}}
{{- end }}

{{/* The version with the largest share of a service's base. */}}
{{- define "bookinfo.mainVersion" -}}
{{- $main := dict "weight" -1 -}}
{{- range include "bookinfo.base" . | fromJsonArray -}}
{{- if gt (int .weight) (int $main.weight) }}{{ $main = . }}{{ end -}}
{{- end -}}
{{- $main.version -}}
{{- end }}

{{/* The versions of `service` that rules can name, as JSON, {VERSION: SUBSET}: those deployed, its base, the lanes'. */}}
{{- define "bookinfo.subsets" -}}
{{- $spec := get .root.Values.services .service -}}
{{- $versions := keys $spec.versions -}}
{{- range include "bookinfo.base" $spec | fromJsonArray }}{{ $versions = append $versions .version }}{{ end -}}
{{- range .root.Values.lanes -}}
{{- with get (.services | default dict) $.service }}{{ $versions = append $versions . }}{{ end -}}
{{- end -}}
{{- $subsets := dict -}}
{{- $taken := dict -}}
{{- range $version := $versions | uniq | sortAlpha -}}
{{- $slug := include "bookinfo.slug" $version -}}
{{- with get $taken $slug -}}
{{- printf "services.%s: versions %s and %s share a subset name" $.service . $version | fail -}}
{{- end -}}
{{- $_ := set $taken $slug $version -}}
{{- $_ := set $subsets $version $slug -}}
{{- end -}}
{{- toJson $subsets -}}
{{- end }}

{{/* Refuses what the schema cannot: shares that do not sum to 100, lanes with services that have no base. */}}
{{- define "bookinfo.checkLanes" -}}
{{- range $service, $spec := .Values.services -}}
{{- $sum := 0 -}}
{{- range $spec.shares }}{{ $sum = add $sum (int .) }}{{ end -}}
{{- if and $spec.shares (ne (int $sum) 100) -}}
{{- printf "services.%s.shares: they sum to %d, not 100" $service $sum | fail -}}
{{- end -}}
{{- end -}}
{{- range $lane, $held := .Values.lanes -}}
{{- range $service, $version := $held.services -}}
{{- if not (include "bookinfo.base" (get $.Values.services $service | default dict) | fromJsonArray) -}}
{{- printf "lanes.%s.services.%s: there is no service %q with a base" $lane $service $service | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The destination of a route. */}}
{{- define "bookinfo.destination" -}}
destination:
  host: {{ .service | quote }}
  subset: {{ include "bookinfo.slug" .version | quote }}
  port:
    number: 9080
{{- end }}

{{/* The name and the labels of a rule: those that `lanes render` gives. Helm writes its own name into
     `managed-by` as it installs. */}}
{{- define "bookinfo.ruleMetadata" -}}
name: {{ .service | quote }}
namespace: {{ .root.Release.Namespace }}
labels:
  app.kubernetes.io/managed-by: lanes
{{- end }}

{{/* The http routes of a service: the lanes by name, so that the order of values never matters, then base. */}}
{{- define "bookinfo.routes" -}}
{{- $spec := get .root.Values.services .service -}}
{{- $shares := include "bookinfo.base" $spec | fromJsonArray -}}
{{- range $lane, $held := $.root.Values.lanes }}
{{- $regex := include "bookinfo.laneRegex" (dict "key" $.root.Values.laneKey "lane" $lane) }}
{{- with get ($held.services | default dict) $.service }}
- name: {{ printf "lane-%s" $lane }}
  match:
    - headers:
        baggage:
          regex: {{ $regex | quote }}
  route:
    - {{ include "bookinfo.destination" (dict "service" $.service "version" .) | indent 6 | trim }}
{{- end }}
{{- if eq ($held.mode | default "permissive") "strict" }}
- name: {{ printf "lane-%s-strict" $lane }}
  match:
    - headers:
        baggage:
          regex: {{ $regex | quote }}
  fault:
    abort:
      percentage:
        value: 100
      grpcStatus: UNAVAILABLE
  route:
    {{- $main := include "bookinfo.mainVersion" $spec }}
    - {{ include "bookinfo.destination" (dict "service" $.service "version" $main) | indent 6 | trim }}
{{- end }}
{{- end }}
- name: base
  route:
    {{- range $shares }}
    - {{ include "bookinfo.destination" (dict "service" $.service "version" .version) | indent 6 | trim }}
      {{- if gt (len $shares) 1 }}
      weight: {{ .weight }}
      {{- end }}
    {{- end }}
{{- end }}

{{/* Who may serve a lane, as JSON, {SERVICE: [VERSION, …]}; nobody where it is strict and has no version.
     A service without rules of the chart's is not in it. */}}
{{- define "bookinfo.expected" -}}
{{- $expected := dict -}}
{{- range $service, $spec := .root.Values.services -}}
{{- $base := include "bookinfo.base" $spec | fromJsonArray -}}
{{- if and $base $.root.Values.traffic.enabled -}}
{{- $versions := list -}}
{{- with get ($.held.services | default dict) $service -}}
{{- $versions = list . -}}
{{- else -}}
{{- if ne ($.held.mode | default "permissive") "strict" -}}
{{- range $base -}}
{{- if .weight }}{{ $versions = append $versions .version }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $expected $service $versions -}}
{{- end -}}
{{- end -}}
{{- toJson $expected -}}
{{- end }}
