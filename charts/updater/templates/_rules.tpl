{{/*
Every right that the program has, and the code that uses it. Roles are made of these in roles.yaml and clusterrole.yaml, and of nothing else.
*/}}

{{/* Where Applications are: a Role in each named namespace, or a ClusterRole. */}}
{{- define "updater.rules.applications" -}}
{{- $applications := fromYaml (include "updater.applications" .) -}}
# argocd/cluster/source.py watches Applications
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [list, watch]
{{- if .Values.rbac.argocdMethod }}
# argocd/live/writer.py reads an Application again and writes its parameters and images (rbac.argocdMethod); argocd/cluster/refresh.py
# annotates one after a commit (refresh)
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [get, patch]
{{- else if $applications.refresh }}
# argocd/cluster/refresh.py annotates an Application after a commit (refresh)
- apiGroups: [argoproj.io]
  resources: [applications]
  verbs: [patch]
{{- end }}
# argocd/cluster/source.py watches ImageUpdaters; argocd/cluster/status_writer.py writes their status, reads one that changed,
# and removes the finalizer of Argo CD Image Updater from a deleted one (patch)
- apiGroups: [argocd-image-updater.argoproj.io]
  resources: [imageupdaters]
  verbs: [get, list, watch, patch]
- apiGroups: [argocd-image-updater.argoproj.io]
  resources: [imageupdaters/status]
  verbs: [patch]
{{- if $applications.events }}
# kube/events.py writes Events on the objects (events)
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- if include "updater.follows" . }}
{{ include "updater.rules.followed" . }}
{{- end }}
{{- if .Values.rbac.pullSecrets }}
# credentials/keychain.py reads pullsecret: and secret: of annotations, argocd/repositories.py git:secret, each by name
# (rbac.pullSecrets)
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
{{- end -}}

{{/* What runs the images that a source asks for: watched unless config.delivery is null. */}}
{{- define "updater.rules.followed" -}}
# delivery/watch.py watches what runs the images (delivery)
- apiGroups: [apps]
  resources: [daemonsets, deployments, statefulsets]
  verbs: [list, watch]
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [list, watch]
- apiGroups: [flagger.app]
  resources: [canaries]
  verbs: [list, watch]
# delivery/reversal.py lists the ReplicaSet that a Rollout calls stable, before a bad release is taken back (delivery.on_bad)
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
{{- end -}}

{{/* "true" unless config.delivery is null. */}}
{{- define "updater.follows" -}}
{{- if or (not (hasKey .Values.config "delivery")) (kindIs "map" .Values.config.delivery) -}}true{{- end -}}
{{- end -}}

{{/* What Kustomizations applied, and which repositories they read. */}}
{{- define "updater.rules.appliers" -}}
# delivery/watch.py watches the Kustomizations and HelmReleases that say what they applied (delivery)
- apiGroups: [kustomize.toolkit.fluxcd.io]
  resources: [kustomizations]
  verbs: [list, watch]
- apiGroups: [helm.toolkit.fluxcd.io]
  resources: [helmreleases]
  verbs: [list, watch]
{{- end -}}

{{/* "true" where a subscription of updater.yaml has delivery in this cluster that names no workload: that is looked for in all namespaces. */}}
{{- define "updater.findsWorkloads" -}}
{{- range .Values.config.subscriptions -}}
{{- $delivery := .delivery | default dict -}}
{{- if and (kindIs "map" .delivery) (not (or $delivery.workload $delivery.context)) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where Argo CD is. */}}
{{- define "updater.rules.argocd" -}}
{{- $applications := fromYaml (include "updater.applications" .) -}}
{{- $names := ternary (list "argocd-ssh-known-hosts-cm" "argocd-tls-certs-cm") list .Values.rbac.repositorySecrets -}}
{{- if $applications.config_map -}}
{{- $names = prepend $names $applications.config_map -}}
{{- end -}}
{{- if .Values.rbac.repositorySecrets -}}
# argocd/repositories.py lists Argo CD's repository Secrets by their label, which no rule can narrow (rbac.repositorySecrets)
- apiGroups: [""]
  resources: [secrets]
  verbs: [list]
{{ end }}
{{- if $names -}}
# daemon/argocd.py reads the ConfigMap of Argo CD Image Updater (config_map), argocd/repositories.py known hosts and certificates
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: {{ toJson $names }}
  verbs: [get]
{{- end }}
{{- end -}}

{{/* Where Flux's image objects are: a Role in each named namespace, or a ClusterRole. */}}
{{- define "updater.rules.flux" -}}
{{- $flux := fromYaml (include "updater.flux" .) -}}
# flux/cluster/source.py watches the image objects; flux/cluster/feedback.py writes their status, reads one that changed, and
# removes the finalizer of Flux from a deleted one (patch)
- apiGroups: [image.toolkit.fluxcd.io]
  resources: [imagepolicies, imagerepositories, imageupdateautomations]
  verbs: [get, list, patch, watch]
- apiGroups: [image.toolkit.fluxcd.io]
  resources: [imagepolicies/status, imagerepositories/status, imageupdateautomations/status]
  verbs: [patch]
# flux/cluster/source.py watches the GitRepositories that automations name
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [gitrepositories]
  verbs: [list, watch]
{{- if $flux.events }}
# kube/events.py writes Events on the objects (events)
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- if include "updater.follows" . }}
{{ include "updater.rules.appliers" . }}
{{ include "updater.rules.followed" . }}
{{- end }}
{{- if .Values.rbac.pullSecrets }}
# credentials/keychain.py reads the Secrets and ServiceAccounts that ImageRepositories name, flux/git_repositories.py those of
# GitRepositories and signing keys, each by name (rbac.pullSecrets)
- apiGroups: [""]
  resources: [secrets, serviceaccounts]
  verbs: [get]
{{- end }}
{{- if $flux.cross_namespace_references }}
# flux/cluster/namespaces.py reads the labels of a namespace whose policies refer to an ImageRepository of another one
# (cross_namespace_references)
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}
{{- end -}}

{{/* Where Flux's own controllers are: whether they renew their Leases. */}}
{{- define "updater.rules.fluxLeases" -}}
{{- $flux := fromYaml (include "updater.flux" .) -}}
{{- $suffix := "" -}}
{{- with $flux.watch_label_selector -}}
{{- $suffix = printf "-%s" (sha256sum . | trunc 8) -}}
{{- end -}}
{{- $names := list -}}
{{- range list "image-automation-controller" "image-reflector-controller" -}}
{{- $names = append $names (printf "%s-leader-election%s" . $suffix) -}}
{{- end -}}
# flux/cluster/rivals.py waits while Flux's own image controllers renew their Leases (while_flux_runs)
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: {{ toJson $names }}
  verbs: [get]
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
# credentials/keychain.py reads what updater.yaml names by secret: and pullsecret:
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson (index (fromYaml (include "updater.namedSecrets" .root)) .namespace) }}
  verbs: [get]
{{- end -}}

{{/* The live Applications that targets of updater.yaml name, in one namespace; takes root and namespace. */}}
{{- define "updater.rules.live" -}}
# argocd/live/writer.py writes what targets of updater.yaml name by argocd:
- apiGroups: [argoproj.io]
  resources: [applications]
  resourceNames: {{ toJson (index (fromYaml (include "updater.liveApplications" .root)) .namespace) }}
  verbs: [get, patch]
{{- end -}}

{{/* The workloads that delivery of subscriptions in updater.yaml names, in one namespace; takes root and namespace. */}}
{{- define "updater.rules.delivery" -}}
{{- $kinds := index (fromYaml (include "updater.followedKinds" .root)) .namespace -}}
{{- $groups := dict "apps" (list) "argoproj.io" (list) "flagger.app" (list) "kustomize.toolkit.fluxcd.io" (list) "helm.toolkit.fluxcd.io" (list) -}}
{{- $homes := dict "Deployment" "apps" "StatefulSet" "apps" "DaemonSet" "apps" "Rollout" "argoproj.io" "Application" "argoproj.io" "Canary" "flagger.app" "Kustomization" "kustomize.toolkit.fluxcd.io" "HelmRelease" "helm.toolkit.fluxcd.io" -}}
{{- range $kinds -}}
{{- $plural := ternary "canaries" (printf "%ss" (lower .)) (eq . "Canary") -}}
{{- $group := get $homes . -}}
{{- $_ := set $groups $group (append (get $groups $group) $plural | uniq | sortAlpha) -}}
{{- end -}}
# delivery/watch.py watches what runs the images of updater.yaml (delivery.workload)
{{- range $group, $resources := $groups }}
{{- if $resources }}
- apiGroups: [{{ $group }}]
  resources: {{ toJson $resources }}
  verbs: [list, watch]
{{- end }}
{{- end }}
{{- if has "Rollout" $kinds }}
# delivery/reversal.py lists the ReplicaSet that a Rollout calls stable, before a bad release is taken back (delivery.on_bad)
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
{{- end }}
# kube/events.py writes Events on them
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* A map of namespace to the kinds that delivery of subscriptions names in this cluster; Rollouts and Canaries are read with their Deployments. */}}
{{- define "updater.followedKinds" -}}
{{- $found := dict -}}
{{- range .Values.config.subscriptions -}}
{{- $delivery := .delivery | default dict -}}
{{- with ternary "" $delivery.workload (not (empty $delivery.context)) -}}
{{- $place := splitList "/" . -}}
{{- $kinds := list (first $place) -}}
{{- if has (first $place) (list "Rollout" "Canary") -}}
{{- $kinds = append $kinds "Deployment" -}}
{{- end -}}
{{- $namespace := index $place 1 -}}
{{- $_ := set $found $namespace (concat (get $found $namespace | default list) $kinds | uniq | sortAlpha) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* A map of namespace to the names of Applications that targets of updater.yaml name. */}}
{{- define "updater.liveApplications" -}}
{{- $found := dict -}}
{{- range .Values.config.subscriptions -}}
{{- range .targets -}}
{{- with .argocd -}}
{{- $place := splitList "/" .application -}}
{{- $namespace := first $place -}}
{{- $_ := set $found $namespace (append (get $found $namespace | default list) (last $place) | uniq | sortAlpha) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The ConfigMap in which people's decisions are, where updater.yaml names one. */}}
{{- define "updater.rules.holds" -}}
{{- $listen := (.Values.config.listen | default dict).web -}}
{{- $web := .Values.config.web | default dict -}}
{{- $isOpen := and (not $web.users) (not $web.trusted_proxies) (regexMatch "^(127\\.[0-9.]+|localhost|\\[::1\\]):" (toString $listen)) -}}
{{- $acts := and $listen (or $isOpen ($web.roles | default dict).act) -}}
# daemon/decision_watch.py reads what people decided (holds: configmap:…); who decides by a command writes it with their own rights
{{- if $acts }}
# daemon/people.py writes what people decide at the page and by the API: those of web.roles.act, or on loopback without users
# whoever reaches it by a port-forward. No rule can narrow a create by name.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
{{- end }}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ last (splitList "/" .Values.config.holds) | quote }}]
  verbs: {{ if $acts }}[get, patch]{{ else }}[get]{{ end }}
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

{{/* A map of namespace to the texts of the rules there, without what a ClusterRole or the source's own rules give. */}}
{{- define "updater.rules.byNamespace" -}}
{{- $root := . -}}
{{- $applications := fromYaml (include "updater.applications" .) -}}
{{- $all := include "updater.watchesAll" . -}}
{{- $watched := list -}}
{{- if and $applications (not $all) -}}
{{- $watched = uniq $applications.namespaces -}}
{{- end -}}
{{- $rules := dict -}}
{{- range $watched -}}
{{- $_ := set $rules . (list (include "updater.rules.applications" $root)) -}}
{{- end -}}
{{- $flux := fromYaml (include "updater.flux" .) -}}
{{- $fluxAll := include "updater.watchesAllFlux" . -}}
{{- $fluxed := list -}}
{{- if and $flux (not $fluxAll) -}}
{{- $fluxed = uniq $flux.namespaces -}}
{{- end -}}
{{- range $fluxed -}}
{{- $_ := set $rules . (append (get $rules . | default list) (include "updater.rules.flux" $root)) -}}
{{- end -}}
{{- if and $flux (eq $flux.while_flux_runs "wait") -}}
{{- $_ := set $rules $flux.flux_namespace (append (get $rules $flux.flux_namespace | default list) (include "updater.rules.fluxLeases" .)) -}}
{{- end -}}
{{- $there := include "updater.rules.argocd" . | trim -}}
{{- if and $applications $there -}}
{{- $_ := set $rules $applications.argocd_namespace (append (get $rules $applications.argocd_namespace | default list) $there) -}}
{{- end -}}
{{- if include "updater.electsLeader" . -}}
{{- $place := include "updater.leaseNamespace" . -}}
{{- $_ := set $rules $place (append (get $rules $place | default list) (include "updater.rules.lease" .)) -}}
{{- end -}}
{{- $holds := .Values.config.holds | default "" -}}
{{- if hasPrefix "configmap:" $holds -}}
{{- $place := trimPrefix "configmap:" $holds | splitList "/" | first -}}
{{- $_ := set $rules $place (append (get $rules $place | default list) (include "updater.rules.holds" .)) -}}
{{- end -}}
{{- range $part, $given := dict "live" .Values.rbac.argocdMethod "named" .Values.rbac.pullSecrets -}}
{{- $names := ternary "updater.liveApplications" "updater.namedSecrets" (eq $part "live") -}}
{{- range $namespace := keys (fromYaml (include $names $root)) | sortAlpha -}}
{{- $covered := or $all (has $namespace $watched) -}}
{{- if eq $part "named" -}}
{{- $covered = or $covered $fluxAll (has $namespace $fluxed) -}}
{{- end -}}
{{- if not (and $given $covered) -}}
{{- $more := include (printf "updater.rules.%s" $part) (dict "root" $root "namespace" $namespace) -}}
{{- $_ := set $rules $namespace (append (get $rules $namespace | default list) $more) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $namespace := keys (fromYaml (include "updater.followedKinds" $root)) | sortAlpha -}}
{{- $more := include "updater.rules.delivery" (dict "root" $root "namespace" $namespace) -}}
{{- $_ := set $rules $namespace (append (get $rules $namespace | default list) $more) -}}
{{- end -}}
{{- toYaml $rules -}}
{{- end -}}
