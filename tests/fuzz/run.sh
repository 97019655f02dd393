#!/bin/sh
# Runs every fuzzer of a build folder from seeds that it makes itself, and says how often it ran. An input that it crashes on
# stays in the folder. Usage: tests/fuzz/run.sh FOLDER LIMIT [NAME]...   (LIMIT: libFuzzer's options that end it, as
# -max_total_time=20 or "-runs=10000 -seed=1")
set -eu
folder=$1/tests/fuzz limit=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$folder" && ls fuzz_* | sed -n 's/^fuzz_\([a-z0-9]*\)$/\1/p')
status=0
for name in "$@"; do
  seeds=$folder/seeds_$name
  rm -rf "$seeds"
  mkdir -p "$seeds"
  if ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
     LUGE_FUZZ_SEEDS=$seeds/ "$folder/fuzz_$name" $limit -max_len=4096 -timeout=20 -rss_limit_mb=1024 \
     -use_value_profile=1 -artifact_prefix="$folder/crash_${name}_" -print_final_stats=1 "$seeds" >"$folder/$name.log" 2>&1; then
    printf '%s: %s executions, %s inputs kept, no crash\n' "$name" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log")" "$(ls "$seeds" | wc -l)"
  else
    tail -n 40 "$folder/$name.log"
    echo "$name: crashed; the input is $folder/crash_${name}_* or $seeds/changed"
    status=1
  fi
done
exit "$status"
