# shellcheck shell=bash
# What every step uses: the env file, and four verbs that either do a thing or, in plan mode, print it.
#
# A plan line is a verb and a command: "check" looks whether a thing is there, "create" follows when it is not, "update"
# or "delete" when it is; "run" is harmless to repeat; "ask" reads a name that only Google knows, and later lines of
# the plan show that name in capitals.

# Names that an env file must have, and no others; RAW_TABLE alone may be empty.
ENV_NAMES="ENVIRONMENT PROJECT PROJECT_NUMBER INFRA_PROJECT WAREHOUSE_PROJECT REGION
WAREHOUSE_LOCATION DATASET_SEGMENT DATASET_STORE DATASET_VARDE RAW_TABLE RAW_DAYS MAX_BYTES_BILLED
REDIS_NODE REDIS_SHARDS REDIS_REPLICAS REDIS_PROTECTION
SERVER_CPU SERVER_MEMORY SERVER_CONCURRENCY SERVER_MIN_INSTANCES SERVER_MAX_INSTANCES
BATCH_CPU BATCH_MEMORY NIGHTLY_SCHEDULE
STREAM_MACHINE STREAM_WORKERS STREAM_MAX_WORKERS STREAM_ZONE STREAM_LANES"

SETTINGS=() # VARDE_NAME=VALUE, as the env file has them

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}

usage() { # prints the comment at the head of the script
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}

# load_env NAME: reads deploy/env/NAME.env as data; nothing in it is executed.
load_env() {
  SETTINGS=()
  local file="deploy/env/$1.env" line name
  [[ -f $file ]] || die "no such environment: $1 (there is $(cd deploy/env && printf '%s ' ./*.env | sed 's|\./||g; s|\.env||g'))"
  while IFS= read -r line || [[ -n $line ]]; do
    [[ -z $line || $line == \#* ]] && continue
    [[ $line =~ ^[A-Z][A-Z_]*= ]] || die "$file: not NAME=VALUE: $line"
    name=${line%%=*}
    if [[ $name == VARDE_* ]]; then
      SETTINGS+=("$line")
    elif [[ " ${ENV_NAMES//$'\n'/ } " == *" $name "* ]]; then
      printf -v "$name" '%s' "${line#*=}"
    else
      die "$file: unknown name: $name"
    fi
  done <"$file"
  for name in $ENV_NAMES; do
    [[ -n ${!name+set} ]] || die "$file: $name is missing"
    [[ -n ${!name} || $name == RAW_TABLE ]] || die "$file: $name is empty"
  done
  [[ $ENVIRONMENT == "$1" ]] || die "$file: ENVIRONMENT is $ENVIRONMENT, not $1"
}

planned() { [[ $PLAN == yes ]]; }

step() { printf '\n# %s\n' "$*"; }

note() { printf '#   %s\n' "$*"; }

# The command as it can be pasted into a shell, behind its verb.
show() {
  local verb=$1 word line=''
  shift
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9_@%+=:,./^-]+$ ]]; then line+=" $word"; else line+=" '${word//\'/\'\\\'\'}'"; fi
  done
  printf '%-7s%s\n' "$verb" "$line"
}

run() {
  show run "$@"
  planned || "$@"
}

# ensure CHECK… -- CREATE… [-- UPDATE…]
ensure() {
  local -a part=() check=() create=() update=()
  local word at=0
  for word in "$@" --; do
    if [[ $word != -- ]]; then
      part+=("$word")
      continue
    fi
    case $at in
      0) check=("${part[@]}") ;;
      1) create=("${part[@]}") ;;
      2) [[ ${#part[@]} -eq 0 ]] || update=("${part[@]}") ;;
    esac
    part=()
    at=$((at + 1))
  done
  if planned; then
    show check "${check[@]}"
    show create "${create[@]}"
    [[ ${#update[@]} -eq 0 ]] || show update "${update[@]}"
  elif ! "${check[@]}" >/dev/null 2>&1; then
    show create "${create[@]}"
    "${create[@]}"
  elif [[ ${#update[@]} -gt 0 ]]; then
    show update "${update[@]}"
    "${update[@]}"
  else
    show there "${check[@]}"
  fi
}

# remove CHECK… -- DELETE…
remove() {
  local -a check=()
  while [[ $1 != -- ]]; do
    check+=("$1")
    shift
  done
  shift
  if planned; then
    show check "${check[@]}"
    show delete "$@"
  elif "${check[@]}" >/dev/null 2>&1; then
    show delete "$@"
    "$@"
  fi
}

# ask VARIABLE COMMAND…: what the command prints; in plan mode the variable's own name.
ask() {
  local variable=$1 answer
  shift
  show ask "$@"
  if planned; then
    printf -v "$variable" '%s' "$variable"
  else
    answer=$("$@") || die "failed: $*"
    printf -v "$variable" '%s' "$answer"
  fi
}

# Several values in one option of gcloud: joined by a separator that is told first, so that values may hold commas.
joined() {
  local IFS='|'
  printf '^|^%s' "$*"
}
