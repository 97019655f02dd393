#!/bin/sh
# Adds up what `make test` ran: a line for each part, and the closing line in ctest's words. Counts the cases
# inside GoogleTest's executables. Usage: tests/summary.sh STATUS LOG...   (STATUS: 0 if every part succeeded;
# LOG: full logs of ctest, named ctest-PART.log). Exits with 0 only if everything passed.
set -eu
status=$1
shift
printf '\n'
awk -v status="$status" '
  function close_test() {
    if (!open) return
    if (cases == 0) { cases = 1; failed = result == "Failed" }
    else if (result == "Failed" && failed == 0) failed = 1  # died before its summary, or a sanitizer spoke at exit
    total[part] += cases; bad[part] += failed; left[part] += skipped
    if (result == "Failed") names = names "\n  " part ": " name
    open = 0
  }
  FNR == 1 { close_test(); part = FILENAME; sub(/.*ctest-/, "", part); sub(/\.log$/, "", part); parts[++count] = part }
  /^[0-9]+\/[0-9]+ Testing: / { close_test(); open = 1; name = $3; cases = failed = skipped = 0; result = "Failed" }
  /^\[==========\] .* ran\./ { cases = $2 }
  /^\[  SKIPPED \] [0-9]+ tests?/ { skipped = $4 }
  /^\[  FAILED  \] .* \([0-9]+ ms\)$/ { ++failed }
  /: skipped, / { skipped = 1; reasons = reasons "\n  " $0 }  # one of our scripts
  /^Command: ""/ { absent = 1 }  # never built; ctest writes "Passed" all the same
  /^Test (Passed|Failed)\./ { result = $2 == "Passed." && !absent ? "Passed" : "Failed"; absent = 0 }
  END {
    close_test()
    for (i = 1; i <= count; ++i) {
      part = parts[i]
      line = sprintf("  %-12s %5d tests", part, total[part])
      if (left[part]) line = line sprintf(", %d skipped", left[part])
      if (bad[part]) line = line sprintf(", %d FAILED", bad[part])
      print line
      all += total[part]; failures += bad[part]
    }
    if (status != 0 && failures == 0) { names = "\n  a part stopped before its tests, see above"; ++all; ++failures }
    if (reasons != "") print "skipped:" reasons
    if (names != "") print "failed:" names
    if (all == 0) { print "No tests were found!!!"; exit 1 }
    printf "%d%% tests passed, %d tests failed out of %d\n", int(100 * (all - failures) / all), failures, all
    exit failures > 0
  }' "$@" </dev/null
