# shellcheck shell=bash disable=SC2153,SC2154
# What changes with every release: the server, the batch job, its schedule. The stream is in stream.sh.

# A release without the secrets' values would start and fail; so it says first which one is missing.
release_secrets() {
  step "Secrets have values"
  local secret
  for secret in $SECRETS; do
    show check gcloud secrets versions describe latest --secret="$secret" --project="$PROJECT"
    planned && continue
    gcloud secrets versions describe latest --secret="$secret" --project="$PROJECT" >/dev/null ||
      die "$secret has no value; docs/deploy.md says how to set it"
  done
}

release_server() {
  step "Server"
  local -a variables=("${SETTINGS[@]}" "VARDE_REDIS_URL=redis://$REDIS_ADDRESS:6379/0" VARDE_REDIS_CLUSTER=yes
    VARDE_HOST=0.0.0.0 VARDE_PROCESSES=0 "VARDE_TOPIC=$TOPIC" "VARDE_EXPOSURES_TOPIC=$EXPOSURES_TOPIC"
    VARDE_CONFIG=/etc/varde/varde.toml)
  local -a secrets=(VARDE_ID_SECRET=varde-id-secret:latest VARDE_ADMIN_KEY=varde-admin-key:latest
    VARDE_LINK_SECRET=varde-link-secret:latest VARDE_WEBHOOK_SECRET=varde-webhook-secret:latest
    VARDE_WEBHOOK_TOKEN=varde-webhook-token:latest /etc/varde/varde.toml=varde-config:latest)
  # The server follows Redis between requests, so it keeps its processor then, too (no throttling).
  run gcloud run deploy varde-server --project="$PROJECT" --region="$REGION" --image="$REGISTRY/server:$IMAGES" \
    --service-account="$SERVER_ACCOUNT" --labels="app=varde,environment=$ENVIRONMENT" --port=8080 \
    --cpu="$SERVER_CPU" --memory="$SERVER_MEMORY" --concurrency="$SERVER_CONCURRENCY" \
    --min-instances="$SERVER_MIN_INSTANCES" --max-instances="$SERVER_MAX_INSTANCES" --no-cpu-throttling --cpu-boost \
    --execution-environment=gen2 --timeout=60 --ingress=all \
    --network="$NETWORK" --subnet="$SUBNET" --vpc-egress=private-ranges-only \
    --startup-probe=httpGet.path=/readyz,httpGet.port=8080,periodSeconds=2,timeoutSeconds=2,failureThreshold=60 \
    --liveness-probe=httpGet.path=/healthz,httpGet.port=8080,periodSeconds=10,timeoutSeconds=5,failureThreshold=3 \
    --set-env-vars="$(joined "${variables[@]}")" --set-secrets="$(joined "${secrets[@]}")" --quiet
  # Also after somebody has sent the traffic back to an older revision by hand.
  run gcloud run services update-traffic varde-server --project="$PROJECT" --region="$REGION" --to-latest --quiet
  # Shoppers' browsers ask it; what is not for everybody is guarded by keys in the server's configuration.
  run gcloud run services add-iam-policy-binding varde-server --project="$PROJECT" --region="$REGION" \
    --member=allUsers --role=roles/run.invoker --format=none
}

release_batch() {
  step "Batch job: the night by default; seeds and reports with other arguments"
  local -a variables=("${SETTINGS[@]}" "VARDE_REDIS_URL=redis://$REDIS_ADDRESS:6379/0" VARDE_REDIS_CLUSTER=yes
    VARDE_CONFIG=/etc/varde/varde.toml)
  local -a arguments=(reconcile "${WAREHOUSE[@]}" --apply --resume)
  # beta, for the bucket's owner: the user of the image, without which only root may write into it.
  run gcloud beta run jobs deploy varde-batch --project="$PROJECT" --region="$REGION" --image="$REGISTRY/batch:$IMAGES" \
    --service-account="$BATCH_ACCOUNT" --labels="app=varde,environment=$ENVIRONMENT" --args="$(joined "${arguments[@]}")" \
    --cpu="$BATCH_CPU" --memory="$BATCH_MEMORY" --tasks=1 --max-retries=1 --task-timeout=6h \
    --network="$NETWORK" --subnet="$SUBNET" --vpc-egress=private-ranges-only \
    --clear-volumes --add-volume="name=bucket,type=cloud-storage,bucket=${BUCKET#gs://},mount-options=uid=10001;gid=10001" \
    --clear-volume-mounts --add-volume-mount=volume=bucket,mount-path=/bucket \
    --set-env-vars="$(joined "${variables[@]}")" \
    --set-secrets=VARDE_ID_SECRET=varde-id-secret:latest,/etc/varde/varde.toml=varde-config:latest --quiet
  run gcloud run jobs add-iam-policy-binding varde-batch --project="$PROJECT" --region="$REGION" \
    --member="serviceAccount:$CLOCK_ACCOUNT" --role=roles/run.invoker --format=none
}

# A part of the foundation, for Jenkins may not change schedules; it names the job, which need not be there yet.
foundation_schedule() {
  step "Schedule of the night, UTC"
  local -a job=(varde-nightly --project="$PROJECT" --location="$REGION" --schedule="$NIGHTLY_SCHEDULE"
    --time-zone=Etc/UTC --http-method=POST
    --uri="https://run.googleapis.com/v2/projects/$PROJECT/locations/$REGION/jobs/varde-batch:run"
    --oauth-service-account-email="$CLOCK_ACCOUNT")
  ensure gcloud scheduler jobs describe varde-nightly --project="$PROJECT" --location="$REGION" -- \
    gcloud scheduler jobs create http "${job[@]}" -- \
    gcloud scheduler jobs update http "${job[@]}"
}
