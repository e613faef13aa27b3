# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# A sample of production's customers, under pseudonyms, for development's archive (sql/refresh.sql).

# Who copies: an account of its own, since it reads production's plain ids, which Jenkins' account must not.
REFRESH_MARK=varde-refresh # in the column subscription_name: what is ours to replace there

# Both environments' names: sets SOURCE (dataset that is read) and TARGET (table that is written), then those of development.
refresh_names() {
  load_env production
  derive_names
  SOURCE="\`$WAREHOUSE_PROJECT\`.\`$DATASET_VARDE\`"
  SOURCE_SCHEMA="$WAREHOUSE_PROJECT $DATASET_VARDE"
  SOURCE_LOCATION=$WAREHOUSE_LOCATION
  load_env development
  derive_names
  [[ -n $RAW_TABLE ]] || die "development has no archive to fill: RAW_TABLE of deploy/env/development.env is empty"
  [[ $WAREHOUSE_LOCATION == "$SOURCE_LOCATION" ]] || die "WAREHOUSE_LOCATION differs: BigQuery copies within one location"
  [[ $SOURCE_SCHEMA != "$WAREHOUSE_PROJECT $DATASET_VARDE" ]] || die "refused: development's dataset is production's"
  TARGET="\`$WAREHOUSE_PROJECT\`.\`$DATASET_SEGMENT\`.\`$RAW_TABLE\`"
  REFRESH_ACCOUNT="varde-refresh@$INFRA_PROJECT.iam.gserviceaccount.com"
}

# JSON for `context.consent` of the messages, so that development counts them whatever consent it asks for: production
# has counted only who has agreed.
refresh_consent() {
  local setting category said=''
  local -a categories=()
  for setting in "${SETTINGS[@]}"; do
    [[ $setting == VARDE_CONSENT_CATEGORIES=* ]] || continue
    IFS=, read -r -a categories <<<"${setting#*=}"
  done
  for category in "${categories[@]}"; do
    category=${category#"${category%%[! ]*}"}
    category=${category%"${category##*[! ]}"}
    [[ $category =~ ^[A-Za-z0-9\ ._-]+$ ]] || die "VARDE_CONSENT_CATEGORIES: cannot be written as JSON: $category"
    said+="${said:+,}\"$category\":true"
  done
  CONSENT="{\"categoryPreferences\":{$said}}"
}

# One statement: rows of ours that are no longer right go, new ones come, all others stay, also those that Pub/Sub is
# writing; all of it or nothing. A row is named by the keyed hash of its content, so the same content changes nothing.
refresh_statement() {
  printf 'MERGE %s AS t USING (\n' "$TARGET"
  sed -E -e '/^--/d' -e "s/((FROM|JOIN) )varde\./\1$SOURCE./g" sql/refresh.sql
  printf ') AS s ON t.subscription_name = "%s" AND t.message_id = s.message_id\n' "$REFRESH_MARK"
  printf 'WHEN NOT MATCHED BY TARGET THEN INSERT (subscription_name, message_id, publish_time, data)\n'
  printf '  VALUES ("%s", s.message_id, TIMESTAMP_MILLIS(s.time), s.data)\n' "$REFRESH_MARK"
  printf 'WHEN NOT MATCHED BY SOURCE AND t.subscription_name = "%s" THEN DELETE\n' "$REFRESH_MARK"
}

# The key is drawn by BigQuery and stays there: no command line, log, file or secret ever holds it. Who may read
# it may read the plain ids beside it, so it gives nobody more than they have.
refresh_key() {
  printf 'MERGE %s.pseudonym_key AS t\n' "$SOURCE"
  printf "USING (SELECT TO_HEX(SHA256(KEYS.NEW_KEYSET('AEAD_AES_GCM_256'))) AS key) AS s ON TRUE\n"
  printf 'WHEN NOT MATCHED THEN INSERT (key) VALUES (s.key)\n'
}
