{{/*
Every right that the program has, and the code that uses it. Roles are made of these in roles.yaml and clusterrole.yaml, and of nothing else.
*/}}

{{/* Where Applications are: a Role in each named namespace, or a ClusterRole. */}}
{{- define "updater.rules.applications" -}}
{{- $applications := fromYaml (include "updater.applications" .) -}}
# sources/argocd/source.py watches Applications; writeback/argocd.py reads one again before it writes
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [get, list, watch]
{{- if or $applications.refresh .Values.rbac.argocdMethod }}
# sources/argocd/source.py annotates for a refresh (refresh); writeback/argocd.py writes parameters and images (rbac.argocdMethod)
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [patch]
{{- end }}
# sources/argocd/source.py watches ImageUpdaters, and answers in their status
- apiGroups: [argocd-image-updater.argoproj.io]
  resources: [imageupdaters]
  verbs: [get, list, watch]
- apiGroups: [argocd-image-updater.argoproj.io]
  resources: [imageupdaters/status]
  verbs: [patch]
{{- if $applications.events }}
# kube/events.py tells on the objects what happened (events)
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- if .Values.rbac.pullSecrets }}
# credentials/: pullsecret: and secret: of annotations, git:secret of write-back methods, each by its name (rbac.pullSecrets)
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
{{- end -}}

{{/* Where Argo CD is. */}}
{{- define "updater.rules.argocd" -}}
{{- $applications := fromYaml (include "updater.applications" .) -}}
{{- $names := ternary (list "argocd-ssh-known-hosts-cm" "argocd-tls-certs-cm") list .Values.rbac.repositorySecrets -}}
{{- if $applications.config_map -}}
{{- $names = prepend $names $applications.config_map -}}
{{- end -}}
{{- if .Values.rbac.repositorySecrets -}}
# sources/argocd/repositories.py lists Argo CD's repository Secrets by their label, which no rule can narrow (rbac.repositorySecrets)
- apiGroups: [""]
  resources: [secrets]
  verbs: [list]
{{ end }}
{{- if $names -}}
# sources/argocd/peer_settings.py reads the peer's settings (config_map), repositories.py known hosts and certificates
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: {{ toJson $names }}
  verbs: [get]
{{- end }}
{{- end -}}

{{/* Where the Lease is. No rule can narrow a create by name. */}}
{{- define "updater.rules.lease" -}}
# kube/lease.py elects the replica that writes (kubernetes.leader_election)
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ (.Values.config.kubernetes | default dict).lease | default (include "updater.fullname" .) | quote }}]
  verbs: [get, patch]
{{- end -}}

{{/* The Secrets that updater.yaml names by secret: and pullsecret:, in one namespace; takes root and namespace. */}}
{{- define "updater.rules.named" -}}
# credentials/: what updater.yaml names by secret: and pullsecret:
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson (index (fromYaml (include "updater.namedSecrets" .root)) .namespace) }}
  verbs: [get]
{{- end -}}

{{/* A map of namespace to the names of Secrets that updater.yaml refers to. */}}
{{- define "updater.namedSecrets" -}}
{{- $found := dict -}}
{{- range regexFindAll "\"(pull)?secret:[a-z0-9.-]+/[a-z0-9.-]+" (toJson .Values.config) -1 -}}
{{- $place := splitList "/" (last (splitList ":" .)) -}}
{{- $namespace := first $place -}}
{{- $_ := set $found $namespace (append (get $found $namespace | default list) (last $place) | uniq | sortAlpha) -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* A map of namespace to the text of the rules there, without what a ClusterRole gives. */}}
{{- define "updater.rules.byNamespace" -}}
{{- $root := . -}}
{{- $rules := dict -}}
{{- $applications := fromYaml (include "updater.applications" .) -}}
{{- $all := include "updater.watchesAll" . -}}
{{- $readable := list -}}
{{- if $applications -}}
{{- if not $all -}}
{{- range $applications.namespaces | uniq -}}
{{- $_ := set $rules . (list (include "updater.rules.applications" $root)) -}}
{{- $readable = append $readable . -}}
{{- end -}}
{{- end -}}
{{- $there := include "updater.rules.argocd" . | trim -}}
{{- if $there -}}
{{- $_ := set $rules $applications.argocd_namespace (append (get $rules $applications.argocd_namespace | default list) $there) -}}
{{- end -}}
{{- end -}}
{{- if include "updater.electsLeader" . -}}
{{- $place := include "updater.leaseNamespace" . -}}
{{- $_ := set $rules $place (append (get $rules $place | default list) (include "updater.rules.lease" .)) -}}
{{- end -}}
{{- range $namespace := keys (fromYaml (include "updater.namedSecrets" .)) | sortAlpha -}}
{{- if not (and $root.Values.rbac.pullSecrets (or $all (has $namespace $readable))) -}}
{{- $named := include "updater.rules.named" (dict "root" $root "namespace" $namespace) -}}
{{- $_ := set $rules $namespace (append (get $rules $namespace | default list) $named) -}}
{{- end -}}
{{- end -}}
{{- toYaml $rules -}}
{{- end -}}
