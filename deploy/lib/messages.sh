# shellcheck shell=bash disable=SC2153,SC2154
# Pub/Sub: topics, subscriptions, dead letters. Warehouse tables come first: subscriptions write into them.

# topic NAME DAYS: how long the topic keeps messages, so that a subscription can be set back to a time (seek).
topic() {
  ensure gcloud pubsub topics describe "$1" --project="$PROJECT" -- \
    gcloud pubsub topics create "$1" --project="$PROJECT" --message-retention-duration="$2" -- \
    gcloud pubsub topics update "$1" --project="$PROJECT" --message-retention-duration="$2"
}

# subscription NAME TOPIC OPTION…: never expires, and waits for a stopped reader for a week.
subscription() {
  local name=$1 topic=$2
  local -a keep=(--message-retention-duration=7d --expiration-period=never --ack-deadline=60)
  shift 2
  ensure gcloud pubsub subscriptions describe "$name" --project="$PROJECT" -- \
    gcloud pubsub subscriptions create "$name" --project="$PROJECT" --topic="$topic" "${keep[@]}" "$@" -- \
    gcloud pubsub subscriptions update "$name" --project="$PROJECT" "${keep[@]}" "$@"
}

# into_table NAME TOPIC OPTION…: Pub/Sub writes into BigQuery by itself; what it cannot write becomes a dead letter.
into_table() {
  subscription "$@" --dead-letter-topic="$DEAD_LETTERS_TOPIC" --max-delivery-attempts=20
  run gcloud pubsub subscriptions add-iam-policy-binding "$1" --project="$PROJECT" \
    --member="serviceAccount:$PUBSUB_AGENT" --role=roles/pubsub.subscriber --format=none
}

# publishes TOPIC ACCOUNT
publishes() {
  run gcloud pubsub topics add-iam-policy-binding "$1" --project="$PROJECT" --member="serviceAccount:$2" \
    --role=roles/pubsub.publisher --format=none
}

messages_topics() {
  step "Topics; events stay for a week, so that the stream can be set back to any time in it"
  topic varde-events 7d
  topic varde-catalogue 7d
  topic varde-exposures 7d
  topic varde-dead-letters 7d
  publishes varde-events "$SERVER_ACCOUNT"
  publishes varde-events "$SEGMENT_ACCOUNT"
  publishes varde-exposures "$SERVER_ACCOUNT"
  publishes varde-dead-letters "$STREAM_ACCOUNT"
  publishes varde-dead-letters "$PUBSUB_AGENT"
}

messages_subscriptions() {
  local name role
  step "Subscriptions of the stream; it has dead letters of its own, which Pub/Sub's would disturb"
  subscription varde-stream varde-events
  subscription varde-catalogue varde-catalogue
  for name in varde-stream varde-catalogue; do
    for role in roles/pubsub.subscriber roles/pubsub.viewer; do
      run gcloud pubsub subscriptions add-iam-policy-binding "$name" --project="$PROJECT" \
        --member="serviceAccount:$STREAM_ACCOUNT" --role="$role" --format=none
    done
  done
  step "Subscriptions that write into BigQuery, and the one that holds dead letters for people to look at"
  subscription varde-dead-letters varde-dead-letters
  into_table varde-exposures varde-exposures \
    --bigquery-table="$WAREHOUSE_PROJECT.$DATASET_STORE.exposures" --use-table-schema --drop-unknown-fields
  [[ -z $RAW_TABLE ]] || into_table varde-archive varde-events \
    --bigquery-table="$WAREHOUSE_PROJECT.$DATASET_SEGMENT.$RAW_TABLE" --write-metadata
}

messages() {
  messages_topics
  messages_subscriptions
}
