# shellcheck shell=bash disable=SC2153,SC2154
# The stream on Dataflow, by its flex template: first start, update of the running job, drain and restart with seeds.

STREAM_JOB=varde-stream
DATAFLOW=() # options of every call, once the env file is read

stream_template() {
  step "Stream: template"
  run gcloud dataflow flex-template build "$TEMPLATE" --project="$PROJECT" --image="$REGISTRY/stream:$IMAGES" \
    --sdk-language=PYTHON --metadata-file=deploy/flex/metadata.json
}

# launch OPTION…: submits a job; options are --update, or none; SEEDS names the files that it begins with.
launch() {
  local setting
  local -a parameters=("input_subscription=$SUBSCRIPTION" "catalogue_subscription=$CATALOGUE_SUBSCRIPTION"
    "dead_letter_topic=$DEAD_LETTERS_TOPIC" "redis_url=redis://$REDIS_ADDRESS:6379/0" redis_cluster=yes
    "id_secret_version=projects/$PROJECT/secrets/varde-id-secret/versions/latest" "lanes=$STREAM_LANES"
    "sdk_container_image=$REGISTRY/stream:$IMAGES")
  for setting in "${SETTINGS[@]}"; do
    setting=${setting#VARDE_}
    parameters+=("$(tr '[:upper:]' '[:lower:]' <<<"${setting%%=*}")=${setting#*=}")
  done
  [[ -z $SEEDS ]] || parameters+=("seeds=$SEEDS")
  ask LAUNCHED_JOB gcloud dataflow flex-template run "$STREAM_JOB" "${DATAFLOW[@]}" \
    --template-file-gcs-location="$TEMPLATE" --service-account-email="$STREAM_ACCOUNT" \
    --staging-location="$BUCKET/staging" --temp-location="$BUCKET/temp" --enable-streaming-engine \
    --worker-machine-type="$STREAM_MACHINE" --num-workers="$STREAM_WORKERS" --max-workers="$STREAM_MAX_WORKERS" \
    --worker-zone="$STREAM_ZONE" --disable-public-ips --network="$NETWORK" \
    --subnetwork="regions/$REGION/subnetworks/$SUBNET" \
    --additional-user-labels="app=varde,environment=$ENVIRONMENT" --parameters="$(joined "${parameters[@]}")" \
    '--format=value(job.id)' "$@"
}

# await JOB STATE…: waits up to 30 minutes until the job is in one of the states; sets STATE.
await() {
  local job=$1 wanted tries
  shift
  ask STATE gcloud dataflow jobs describe "$job" "${DATAFLOW[@]}" '--format=value(currentState)'
  note "until it is $*"
  planned && return
  for ((tries = 0; tries < 60; tries++)); do
    STATE=$(gcloud dataflow jobs describe "$job" "${DATAFLOW[@]}" '--format=value(currentState)')
    for wanted in "$@"; do
      [[ $STATE != "JOB_STATE_$wanted" ]] || return 0
    done
    sleep 30
  done
  die "job $job is $STATE after 30 minutes, not $*"
}

started() {
  await "$LAUNCHED_JOB" RUNNING FAILED CANCELLED
  planned || [[ $STATE == JOB_STATE_RUNNING ]] || die "job $LAUNCHED_JOB is $STATE; its log says why"
}

# batch ARGUMENT…: runs one of varde's commands as the batch job and waits for its end.
batch() {
  run gcloud run jobs execute varde-batch --project="$PROJECT" --region="$REGION" --args="$(joined "$@")" --wait
}

# seed TIME: histories up to TIME, whose counts Redis holds, for the next job. A later time would hide from it what is
# counted nowhere yet. The file lies flat: the bucket, as a folder of the job, has no folders until somebody makes them.
seed() {
  local file="seeds-$IMAGES-${1//[^0-9A-Za-z]/}.jsonl.gz"
  batch seeds "${WAREHOUSE[@]}" --as-of "$1" --out "/bucket/$file"
  SEEDS="$BUCKET/$file"
}

stream_first() {
  step "Stream, when there was no job yet: begin with nothing; --bootstrap begins with what the warehouse has"
  SEEDS=''
  launch
  started
}

stream_update() {
  step "Stream, when a job runs: update it in place; its state stays"
  SEEDS=''
  launch --update
  await "$LAUNCHED_JOB" RUNNING FAILED CANCELLED
  planned && return
  [[ $STATE != JOB_STATE_RUNNING ]] || return 0
  # A failed update leaves the old job running. Only when Dataflow says that the two do not fit is it replaced.
  if gcloud beta dataflow logs list "$LAUNCHED_JOB" "${DATAFLOW[@]}" --importance=warning | grep -qi 'compatib'; then
    return 1
  fi
  die "the update $LAUNCHED_JOB is $STATE, and not for being incompatible: the old job $RUNNING_JOB goes on"
}

stream_drain() {
  step "Stream, when the update does not fit: drain the old job, then go on as after its end"
  run gcloud dataflow jobs drain "$RUNNING_JOB" "${DATAFLOW[@]}"
  await "$RUNNING_JOB" DRAINED CANCELLED FAILED
  planned || ENDED_JOB=$RUNNING_JOB
}

stream_again() {
  step "Stream, when the last job has ended: begin with the histories up to its end"
  ask ENDED_AT gcloud dataflow jobs describe "$ENDED_JOB" "${DATAFLOW[@]}" '--format=value(currentStateTime)'
  planned || sleep 60 # what was sent before the end reaches the archive within seconds
  seed "$ENDED_AT"
  launch
  started
}

# For an empty Redis: fills it up to TIME, and lets the stream take everything since then from the topic.
stream_bootstrap() {
  step "Stream: fill Redis up to $BOOTSTRAP, then go on from there"
  [[ -z $RUNNING_JOB ]] || planned || die "--bootstrap is for an empty Redis without a stream: drain $RUNNING_JOB first"
  batch reconcile "${WAREHOUSE[@]}" --apply --as-of "$BOOTSTRAP"
  seed "$BOOTSTRAP"
  run gcloud pubsub subscriptions seek varde-stream --project="$PROJECT" --time="$BOOTSTRAP"
  launch
  started
}


stream() {
  DATAFLOW=(--project="$PROJECT" --region="$REGION")
  TEMPLATE="$BUCKET/templates/stream-$IMAGES.json"
  stream_template
  step "Stream: which job runs, or ran last"
  local -a jobs=(gcloud dataflow jobs list "${DATAFLOW[@]}" --filter="name=$STREAM_JOB" '--sort-by=~creationTime' --limit=1
    '--format=value(id)')
  ask RUNNING_JOB "${jobs[@]}" --status=active
  ask ENDED_JOB "${jobs[@]}" --status=terminated
  if [[ -n $BOOTSTRAP ]]; then
    stream_bootstrap
  elif planned; then
    stream_first
    stream_update
    stream_drain
    stream_again
  elif [[ -n $RUNNING_JOB ]]; then
    stream_update || { stream_drain && stream_again; }
  elif [[ -n $ENDED_JOB ]]; then
    stream_again
  else
    stream_first
  fi
}
