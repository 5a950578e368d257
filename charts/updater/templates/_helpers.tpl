{{/* Names, labels, and what the configuration says to the templates. */}}

{{- define "updater.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "updater.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* A name in another namespace, or in none: two releases of one name must not meet there. */}}
{{- define "updater.foreignName" -}}
{{- printf "%s-%s" (include "updater.fullname" .) .Release.Namespace | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "updater.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "updater.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "updater.selectorLabels" -}}
app.kubernetes.io/name: {{ include "updater.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "updater.labels" -}}
{{- $own := fromYaml (include "updater.selectorLabels" .) -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $own (.Values.commonLabels | default dict)) -}}
{{- end -}}

{{- define "updater.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "updater.port" -}}
{{- .Values.config.listen.metrics | splitList ":" | last -}}
{{- end -}}

{{/* The port of webhooks, empty where none are received. */}}
{{- define "updater.webPort" -}}
{{- with .Values.config.listen.web -}}
{{- . | splitList ":" | last -}}
{{- end -}}
{{- end -}}

{{/* updater.yaml: the values, and a Lease of the release's own name, so that two releases in one namespace do not wait for each other. */}}
{{- define "updater.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $kubernetes := $config.kubernetes | default dict -}}
{{- if not $kubernetes.lease -}}
{{- $_ := set $kubernetes "lease" (include "updater.fullname" .) -}}
{{- end -}}
{{- $_ := set $config "kubernetes" $kubernetes -}}
{{- toYaml $config -}}
{{- end -}}

{{/*
What holds for the source `applications`, with the program's own defaults; empty without that source. Keys are set one by one, because
`merge` takes false for "not said".
*/}}
{{- define "updater.applications" -}}
{{- range .Values.config.sources -}}
{{- if hasKey . "applications" -}}
{{- $all := dict "namespaces" list "argocd_namespace" "argocd" "refresh" true "events" true "config_map" "argocd-image-updater-config" -}}
{{- range $key, $value := .applications -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What holds for the source `flux`, in the same way. */}}
{{- define "updater.flux" -}}
{{- range .Values.config.sources -}}
{{- if hasKey . "flux" -}}
{{- $all := dict "namespaces" list "cross_namespace_references" true "events" true "flux_namespace" "flux-system" "while_flux_runs" "wait" -}}
{{- range $key, $value := .flux -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" where objects of every namespace are watched: none is named, or one by a glob. Takes what holds for a source. */}}
{{- define "updater.isEverywhere" -}}
{{- if and . (or (not .namespaces) (regexMatch `[*?\[\\]` (join " " .namespaces))) -}}
true
{{- end -}}
{{- end -}}

{{- define "updater.watchesAll" -}}
{{- include "updater.isEverywhere" (fromYaml (include "updater.applications" .)) -}}
{{- end -}}

{{- define "updater.watchesAllFlux" -}}
{{- include "updater.isEverywhere" (fromYaml (include "updater.flux" .)) -}}
{{- end -}}

{{/* Whether replicas elect a leader: only a source in the cluster makes them do so. */}}
{{- define "updater.electsLeader" -}}
{{- $kubernetes := .Values.config.kubernetes | default dict -}}
{{- if and (or (include "updater.applications" .) (include "updater.flux" .)) (not (eq (toString $kubernetes.leader_election) "false")) -}}
true
{{- end -}}
{{- end -}}

{{- define "updater.leaseNamespace" -}}
{{- (.Values.config.kubernetes | default dict).namespace | default .Release.Namespace -}}
{{- end -}}

{{/* The claim for the state. */}}
{{- define "updater.claim" -}}
accessModes: {{ toJson .Values.persistence.accessModes }}
{{- with .Values.persistence.storageClass }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.persistence.size }}
{{- end -}}
