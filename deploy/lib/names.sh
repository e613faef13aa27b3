# shellcheck shell=bash disable=SC2034
# Names that follow from the env file, each in one place. Both environments use the same, in their own projects.

derive_names() {
  REGISTRY="$REGION-docker.pkg.dev/$INFRA_PROJECT/varde"
  BUCKET="gs://$PROJECT-varde"
  NETWORK="varde"
  SUBNET="varde-$REGION"

  STREAM_ACCOUNT="varde-stream@$PROJECT.iam.gserviceaccount.com"
  SERVER_ACCOUNT="varde-server@$PROJECT.iam.gserviceaccount.com"
  BATCH_ACCOUNT="varde-batch@$PROJECT.iam.gserviceaccount.com"
  CLOCK_ACCOUNT="varde-clock@$PROJECT.iam.gserviceaccount.com"
  SEGMENT_ACCOUNT="varde-segment@$PROJECT.iam.gserviceaccount.com"
  JENKINS_ACCOUNT="varde-jenkins@$INFRA_PROJECT.iam.gserviceaccount.com"
  # Google's own accounts, one a project and service.
  PUBSUB_AGENT="service-$PROJECT_NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com"
  RUN_AGENT="service-$PROJECT_NUMBER@serverless-robot-prod.iam.gserviceaccount.com"

  TOPIC="projects/$PROJECT/topics/varde-events"
  EXPOSURES_TOPIC="projects/$PROJECT/topics/varde-exposures"
  DEAD_LETTERS_TOPIC="projects/$PROJECT/topics/varde-dead-letters"
  SUBSCRIPTION="projects/$PROJECT/subscriptions/varde-stream"
  CATALOGUE_SUBSCRIPTION="projects/$PROJECT/subscriptions/varde-catalogue"

  # Arguments by which varde's own commands name the warehouse.
  WAREHOUSE=(--bigquery "$WAREHOUSE_PROJECT" --segment "$WAREHOUSE_PROJECT.$DATASET_SEGMENT"
    --varde "$WAREHOUSE_PROJECT.$DATASET_VARDE" --store "$WAREHOUSE_PROJECT.$DATASET_STORE"
    --max-bytes "$MAX_BYTES_BILLED")
  [[ -z $RAW_TABLE ]] || WAREHOUSE+=(--raw-table "$RAW_TABLE")
}

# The address of the Redis Cluster, which Google gives it when it is made: sets REDIS_ADDRESS.
find_redis() {
  ask REDIS_ADDRESS gcloud redis clusters describe varde --project="$PROJECT" --region="$REGION" \
    '--format=value(discoveryEndpoints[0].address)'
}
