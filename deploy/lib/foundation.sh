# shellcheck shell=bash disable=SC2153,SC2154
# What the other steps stand on: services, network, accounts, registry, secrets, bucket, Redis.

# Secrets by name; a person gives each its first value (docs/deploy.md), no script reads or writes one.
SECRETS="varde-id-secret varde-admin-key varde-link-secret varde-webhook-secret varde-webhook-token varde-config"

foundation_services() {
  step "Services of Google Cloud"
  run gcloud services enable artifactregistry.googleapis.com iam.googleapis.com --project="$INFRA_PROJECT"
  run gcloud services enable bigquery.googleapis.com bigquerystorage.googleapis.com --project="$WAREHOUSE_PROJECT"
  run gcloud services enable bigquery.googleapis.com cloudscheduler.googleapis.com compute.googleapis.com \
    dataflow.googleapis.com iam.googleapis.com logging.googleapis.com monitoring.googleapis.com \
    networkconnectivity.googleapis.com pubsub.googleapis.com redis.googleapis.com run.googleapis.com \
    secretmanager.googleapis.com storage.googleapis.com --project="$PROJECT"
  # Google's own accounts exist only after they were asked for; grants below name them.
  run gcloud beta services identity create --service=pubsub.googleapis.com --project="$PROJECT"
  run gcloud beta services identity create --service=run.googleapis.com --project="$PROJECT"
}

foundation_network() {
  step "Network: no machine has a public address; Google's services are reached from inside"
  ensure gcloud compute networks describe "$NETWORK" --project="$PROJECT" -- \
    gcloud compute networks create "$NETWORK" --project="$PROJECT" --subnet-mode=custom
  ensure gcloud compute networks subnets describe "$SUBNET" --project="$PROJECT" --region="$REGION" -- \
    gcloud compute networks subnets create "$SUBNET" --project="$PROJECT" --region="$REGION" --network="$NETWORK" \
    --range=10.64.0.0/20 --enable-private-ip-google-access
  # Dataflow's workers talk to each other on these ports.
  ensure gcloud compute firewall-rules describe varde-dataflow --project="$PROJECT" -- \
    gcloud compute firewall-rules create varde-dataflow --project="$PROJECT" --network="$NETWORK" \
    --direction=INGRESS --allow=tcp:12345-12346 --source-tags=dataflow --target-tags=dataflow
  # Redis Cluster gets its addresses in our network by this policy.
  ensure gcloud network-connectivity service-connection-policies describe varde-redis --project="$PROJECT" \
    --region="$REGION" -- \
    gcloud network-connectivity service-connection-policies create varde-redis --project="$PROJECT" \
    --region="$REGION" --network="projects/$PROJECT/global/networks/$NETWORK" \
    --service-class=gcp-memorystore-redis \
    --subnets="projects/$PROJECT/regions/$REGION/subnetworks/$SUBNET"
}

# account PROJECT NAME WHAT-FOR
account() {
  ensure gcloud iam service-accounts describe "$2@$1.iam.gserviceaccount.com" --project="$1" -- \
    gcloud iam service-accounts create "$2" --project="$1" --display-name="$3"
}

# allow PROJECT ACCOUNT ROLE…: on the whole project; what can be given on one resource is given there instead.
allow() {
  local project=$1 account=$2 role
  shift 2
  for role in "$@"; do
    run gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$account" --role="$role" \
      --condition=None --format=none
  done
}

# acts_as USER ACCOUNT: the user may start things that run as the account.
acts_as() {
  run gcloud iam service-accounts add-iam-policy-binding "$2" --project="$PROJECT" --member="serviceAccount:$1" \
    --role=roles/iam.serviceAccountUser --format=none
}

foundation_accounts() {
  step "Service accounts: one for each part, with what it needs and no more"
  account "$PROJECT" varde-stream "Varde: Dataflow launcher and workers"
  account "$PROJECT" varde-server "Varde: server"
  account "$PROJECT" varde-batch "Varde: nightly job, seeds, reports"
  account "$PROJECT" varde-clock "Varde: Cloud Scheduler, starts the nightly job"
  account "$PROJECT" varde-segment "Varde: what publishes events for Segment"
  account "$INFRA_PROJECT" varde-jenkins "Varde: Jenkins, pushes images and releases"

  # The launcher of the template runs as the stream's account too: it submits the job, whose workers run as the account.
  allow "$PROJECT" "$STREAM_ACCOUNT" roles/dataflow.worker roles/dataflow.developer
  acts_as "$STREAM_ACCOUNT" "$STREAM_ACCOUNT"
  # Jobs of BigQuery are billed to the warehouse; the datasets are granted with them.
  allow "$WAREHOUSE_PROJECT" "$BATCH_ACCOUNT" roles/bigquery.jobUser roles/bigquery.readSessionUser
  # Jenkins releases, it lays no foundation: no networks, no secrets' values, no grants on projects.
  allow "$PROJECT" "$JENKINS_ACCOUNT" roles/run.admin roles/dataflow.developer roles/redis.viewer \
    roles/secretmanager.viewer
  acts_as "$JENKINS_ACCOUNT" "$STREAM_ACCOUNT"
  acts_as "$JENKINS_ACCOUNT" "$SERVER_ACCOUNT"
  acts_as "$JENKINS_ACCOUNT" "$BATCH_ACCOUNT"
}

foundation_registry() {
  step "Images: one registry for both environments; a tag is never moved to another image"
  ensure gcloud artifacts repositories describe varde --project="$INFRA_PROJECT" --location="$REGION" -- \
    gcloud artifacts repositories create varde --project="$INFRA_PROJECT" --location="$REGION" \
    --repository-format=docker --immutable-tags
  local account
  for account in "$STREAM_ACCOUNT" "$RUN_AGENT"; do
    run gcloud artifacts repositories add-iam-policy-binding varde --project="$INFRA_PROJECT" --location="$REGION" \
      --member="serviceAccount:$account" --role=roles/artifactregistry.reader --format=none
  done
  run gcloud artifacts repositories add-iam-policy-binding varde --project="$INFRA_PROJECT" --location="$REGION" \
    --member="serviceAccount:$JENKINS_ACCOUNT" --role=roles/artifactregistry.writer --format=none
}

# may_read SECRET ACCOUNT
may_read() {
  run gcloud secrets add-iam-policy-binding "$1" --project="$PROJECT" --member="serviceAccount:$2" \
    --role=roles/secretmanager.secretAccessor --format=none
}

foundation_secrets() {
  step "Secrets: names only; their values are set by hand"
  local secret
  for secret in $SECRETS; do
    ensure gcloud secrets describe "$secret" --project="$PROJECT" -- \
      gcloud secrets create "$secret" --project="$PROJECT" --replication-policy=user-managed --locations="$REGION"
    may_read "$secret" "$SERVER_ACCOUNT"
  done
  may_read varde-id-secret "$STREAM_ACCOUNT"
  may_read varde-id-secret "$BATCH_ACCOUNT"
  may_read varde-config "$BATCH_ACCOUNT"
}

foundation_bucket() {
  step "Bucket: Dataflow's staging and temporary files, the template, seeds (which leave after two weeks)"
  ensure gcloud storage buckets describe "$BUCKET" -- \
    gcloud storage buckets create "$BUCKET" --project="$PROJECT" --location="$REGION" \
    --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=0 \
    --lifecycle-file=deploy/lifecycle.json -- \
    gcloud storage buckets update "$BUCKET" --uniform-bucket-level-access --public-access-prevention \
    --lifecycle-file=deploy/lifecycle.json
  local account
  for account in "$STREAM_ACCOUNT" "$BATCH_ACCOUNT" "$JENKINS_ACCOUNT"; do
    run gcloud storage buckets add-iam-policy-binding "$BUCKET" --member="serviceAccount:$account" \
      --role=roles/storage.objectUser --format=none
  done
}

foundation_redis() {
  step "Redis Cluster: nothing is evicted, and what was written is on disk within a second"
  ensure gcloud redis clusters describe varde --project="$PROJECT" --region="$REGION" -- \
    gcloud redis clusters create varde --project="$PROJECT" --region="$REGION" \
    --network="projects/$PROJECT/global/networks/$NETWORK" --node-type="$REDIS_NODE" \
    --shard-count="$REDIS_SHARDS" --replica-count="$REDIS_REPLICAS" --redis-config=maxmemory-policy=noeviction \
    --persistence-mode=aof --aof-append-fsync=everysec "--$REDIS_PROTECTION" -- \
    gcloud redis clusters update varde --project="$PROJECT" --region="$REGION" --node-type="$REDIS_NODE" \
    --shard-count="$REDIS_SHARDS" --replica-count="$REDIS_REPLICAS" \
    --update-redis-config=maxmemory-policy=noeviction "--$REDIS_PROTECTION"
}

foundation() {
  foundation_services
  foundation_network
  foundation_accounts
  foundation_registry
  foundation_secrets
  foundation_bucket
  foundation_redis
}
