# shellcheck shell=bash disable=SC2153,SC2154
# BigQuery: datasets, our tables and views out of sql/, exposures, the archive, and who may read or write them.

BQ=(bq --headless=true --format=none)

# dataset NAME WHAT-FOR
dataset() {
  ensure "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" show --dataset "$WAREHOUSE_PROJECT:$1" -- \
    "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" --location="$WAREHOUSE_LOCATION" mk --dataset \
    --description="$2" --label=app:varde "$WAREHOUSE_PROJECT:$1"
}

query() {
  run "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" --location="$WAREHOUSE_LOCATION" query --use_legacy_sql=false "$@"
}

# grant ROLE SCHEMA|TABLE NAME ACCOUNT
grant() {
  query "GRANT \`$1\` ON $2 \`$WAREHOUSE_PROJECT\`.$3 TO 'serviceAccount:$4'"
}

# The declarations of sql/ as one script for our dataset: tables that are not there, and all views.
definitions() {
  local file
  for file in sql/ddl/*.sql sql/views/*.sql; do
    sed -E -e '/^--/d' \
      -e "s/((TABLE IF NOT EXISTS|VIEW|FROM|JOIN) )varde\./\1\`$WAREHOUSE_PROJECT\`.\`$DATASET_VARDE\`./g" "$file"
    printf ';\n'
  done
}

warehouse_tables() {
  local -a command=("${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" --location="$WAREHOUSE_LOCATION"
    query --use_legacy_sql=false)
  note "its input: sql/ddl/*.sql and sql/views/*.sql, with varde. as $WAREHOUSE_PROJECT.$DATASET_VARDE."
  show run "${command[@]}"
  planned || definitions | "${command[@]}"
}

warehouse_exposures() {
  ensure "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" show "$WAREHOUSE_PROJECT:$DATASET_STORE.exposures" -- \
    "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" mk --table --schema=deploy/exposures.schema.json \
    --time_partitioning_type=DAY --time_partitioning_field=served_at --clustering_fields=experiment,unit \
    "$WAREHOUSE_PROJECT:$DATASET_STORE.exposures" -- \
    "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" update --schema=deploy/exposures.schema.json \
    "$WAREHOUSE_PROJECT:$DATASET_STORE.exposures"
  grant roles/bigquery.dataEditor TABLE "$DATASET_STORE.exposures" "$PUBSUB_AGENT"
}

warehouse_archive() {
  local columns=subscription_name:STRING,message_id:STRING,publish_time:TIMESTAMP,attributes:JSON,data:STRING
  ensure "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" show "$WAREHOUSE_PROJECT:$DATASET_SEGMENT.$RAW_TABLE" -- \
    "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" mk --table --schema="$columns" --time_partitioning_type=DAY \
    --time_partitioning_expiration="$((RAW_DAYS * 86400))" "$WAREHOUSE_PROJECT:$DATASET_SEGMENT.$RAW_TABLE" -- \
    "${BQ[@]}" --project_id="$WAREHOUSE_PROJECT" update --time_partitioning_type=DAY \
    --time_partitioning_expiration="$((RAW_DAYS * 86400))" "$WAREHOUSE_PROJECT:$DATASET_SEGMENT.$RAW_TABLE"
  grant roles/bigquery.dataEditor TABLE "$DATASET_SEGMENT.$RAW_TABLE" "$PUBSUB_AGENT"
}

warehouse() {
  step "Warehouse: datasets in $WAREHOUSE_PROJECT"
  dataset "$DATASET_SEGMENT" "Events: Segment's tables, or the archive of messages"
  dataset "$DATASET_STORE" "The shop's own tables: sales, catalogue, exposures"
  dataset "$DATASET_VARDE" "Varde's own tables, and views for reports"
  step "Warehouse: tables and views"
  warehouse_tables
  warehouse_exposures
  [[ -z $RAW_TABLE ]] || warehouse_archive
  step "Warehouse: what the nightly job may do"
  grant roles/bigquery.dataViewer SCHEMA "$DATASET_SEGMENT" "$BATCH_ACCOUNT"
  grant roles/bigquery.dataViewer SCHEMA "$DATASET_STORE" "$BATCH_ACCOUNT"
  grant roles/bigquery.dataEditor SCHEMA "$DATASET_VARDE" "$BATCH_ACCOUNT"
}
