# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# What an environment runs now, as Google Cloud says it; and what the scripts that release have in common.

# A tag of images, as a word of a command line.
tagged() {
  [[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*$ ]] || die "--images takes a tag, not $1"
}

# Another script of ours, which shows its own commands.
call() {
  note "$*"
  if planned; then "$@" --plan; else "$@"; fi
}

# The tag of the server's image: sets RUNNING, to nothing when there is no server yet.
find_running() {
  ask RUNNING gcloud run services list --project="$PROJECT" --region="$REGION" --filter=metadata.name=varde-server \
    '--format=value(spec.template.spec.containers[0].image)'
  RUNNING=${RUNNING##*:}
}
