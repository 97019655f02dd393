# shellcheck shell=bash disable=SC2154
# The steps of bench/gpu_check.sh, which sources this file and sets what they use.

summarize() { python3 bench/gpu/report.py summary "$work" "$out"; }

# The last line that a step printed, where it says something.
last_line() { grep -v '^[[:space:]]*$' "$work/$1.log" 2>/dev/null | tail -n 1 | tr '\t' ' ' | cut -c 1-150; }

# record NAME CODE SECONDS: a line of the table; log and summary are brought up to date, one step at a time.
record() {
  local name=$1 code=$2 seconds=$3 result
  case $code in
    0) result=ok ;;
    77) result="skipped: $(last_line "$name")" ;;
    124|137) result='stopped at its limit' ;;
    skipped*) result=$code ;;
    *) result="exit code $code: $(last_line "$name")" ;;
  esac
  exec 9>"$work/lock"
  flock 9
  printf '%s\t%s\t%s\n' "$name" "$result" "$seconds" >>"$work/steps.tsv"
  printf '%-22s %4d s  %s\n' "$name" "$seconds" "$result"
  { printf '\n== %s: %s, %d s\n' "$name" "$result" "$seconds"
    [ ! -f "$work/$name.log" ] || tail -c 200000 "$work/$name.log"; } >>"$out/log.txt"
  summarize >"$out/table.txt" 9>&-
  exec 9>&-
}
skip() { record "$1" "skipped: $2" 0; }

# step NAME SECONDS COMMAND...: runs it within its own limit and what is left of the whole.
step() {
  local name=$1 seconds=$2 begin=$SECONDS code=0 left=$((deadline - SECONDS))
  shift 2
  if [ "$left" -lt 3 ]; then skip "$name" 'no time left'; return 1; fi
  [ "$seconds" -le "$left" ] || seconds=$left
  timeout -k 5 "$seconds" "$@" >"$work/$name.log" 2>&1 </dev/null || code=$?
  record "$name" "$code" "$((SECONDS - begin))"
  return "$code"
}

# $PYTHON, or the first Python that has PyTorch, or any.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 /usr/bin/python3}; do
    if "$candidate" -c 'import torch' 2>/dev/null; then echo "$candidate"; return; fi
  done
  echo "${PYTHON:-python3}"
}

# Folders with cuBLAS and NVRTC that the loader does not know: the toolkit's, or those that PyTorch brings along.
cuda_libraries() {
  [ -z "$rehearse" ] || return 0
  local name folder
  for name in libcublasLt.so libnvrtc.so; do
    ! ldconfig -p | grep -q "$name.1[23]" || continue
    for folder in /usr/local/cuda/lib64 $("$python" - <<'P'
import glob, importlib.util
spec = importlib.util.find_spec("nvidia")
for root in spec.submodule_search_locations if spec else []:
    print(*glob.glob(root + "/*/lib"))
P
    ); do
      if compgen -G "$folder/$name.1[23]*" >/dev/null; then printf '%s:' "$folder"; break; fi
    done
  done
}

configure_and_build() {
  local configure environment=(env) jobs
  jobs=$(nproc)
  if [ -n "$rehearse" ]; then
    configure=(cmake --preset simt -B "$build")
    ! command -v clang++ >/dev/null || configure+=(-DCMAKE_CXX_COMPILER=clang++)
  else
    # Warnings of a compiler that nobody has tried yet must not cost the visit.
    configure=(cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DLUGE_CUDA=ON -DLUGE_WERROR=OFF "-DBUILD_SHARED_LIBS=${SHARED:-OFF}"
               "-DLUGE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES:-90-real}")
  fi
  configure+=(-DLUGE_BUILD_EXAMPLES=OFF)
  [ -f "$build/CMakeCache.txt" ] || ! command -v ninja >/dev/null || configure+=(-G Ninja)
  if [ -n "$packages" ]; then
    environment+=("PKG_CONFIG_PATH=$openblas/pkgconfig:$libraries/pkgconfig" "PKG_CONFIG_SYSROOT_DIR=$packages"
                  "LIBRARY_PATH=$libraries:$openblas" "LD_LIBRARY_PATH=$libraries" "PATH=$PATH:$packages/usr/bin")
    local link="-L$libraries -L$openblas -Wl,-rpath-link,$libraries -Wl,-rpath-link,$openblas"
    configure+=("-DCMAKE_PREFIX_PATH=$packages/usr" "-DCMAKE_EXE_LINKER_FLAGS=$link" "-DCMAKE_SHARED_LINKER_FLAGS=$link")
  fi
  step configure 90 "${environment[@]}" "${configure[@]}"
  # What compiles is used, also where something else does not.
  local keep_going=()
  [ ! -f "$build/build.ninja" ] || keep_going=(-- -k 0)
  step build "${BUILD_SECONDS:-400}" "${environment[@]}" cmake --build "$build" --parallel "$jobs" \
    --target luge_program luge_device_bench "${suites[@]/#/test_}" "${keep_going[@]}"
}

# run_shards PREFIX SECONDS [COMMAND...]: the suites that compile, each in shards, all at once.
run_shards() {
  local prefix=$1 seconds=$2 suite shard name
  shift 2
  for suite in "${compiling[@]}"; do
    for ((shard = 0; shard < shards; ++shard)); do
      name=${prefix}_${suite}_$shard
      step "$name" "$seconds" "${luge[@]}" "GTEST_TOTAL_SHARDS=$((shards * few))" "GTEST_SHARD_INDEX=$((few / 3 * shards + shard))" \
        "$@" "$tests/test_$suite" "$on_device" "--gtest_output=json:$work/$name.json" --gtest_brief=1 &
    done
  done
}

# A suite that is stopped at its limit leaves no report, so limits are generous.
run_tests() {
  local suite
  run_shards test 300
  for suite in "${suites[@]}"; do
    [[ " ${compiling[*]} " == *" $suite "* ]] ||
      step "test_$suite" 120 "${luge[@]}" "GTEST_TOTAL_SHARDS=$few" "GTEST_SHARD_INDEX=$((few / 3))" \
        "$tests/test_$suite" "$on_device" "--gtest_output=json:$work/test_$suite.json"
  done
  wait
}

# Kernels of luge's. Initcheck looks at all of them: writes of a kernel that it leaves out are unknown to it, so that what
# cuBLASLt wrote would count as never written.
sanitizer_filters=(--kernel-name regex=_kernel --kernel-name kns=luge_)

# Whether compute-sanitizer runs here; if not, why. It may be kept from the device where programs are not.
can_sanitize() {
  command -v compute-sanitizer >/dev/null || { echo 'there is no compute-sanitizer'; return 1; }
  local log=$work/sanitizer_trial.log code=0 demo=("$bin/luge" demo --device cuda --sets 1000 --report "$work/trial")
  "${luge[@]}" "${demo[@]}" >"$log" 2>&1 </dev/null || { echo 'the program itself does not run on the device'; return 1; }
  timeout -k 5 90 "${luge[@]}" compute-sanitizer --tool memcheck --error-exitcode 9 --report-api-errors no \
    "${sanitizer_filters[@]}" "${demo[@]}" \
    >"$log" 2>&1 </dev/null || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 9 ] ||
    { echo "compute-sanitizer does not run here: $(grep -iE 'error|unable|denied|support' "$log" | tail -n 1 | cut -c 1-150)"; return 1; }
}

# The sanitizers are slow: the suite that runs every kernel, then captured steps, whose kernels are generated; each tool
# at the same time as the others. Errors that calls return are what some tests provoke. Generated kernels are compiled
# before, without a sanitizer: the four tools then share a cache that is full.
run_sanitizers() {
  local why tool
  if ! why=$(can_sanitize); then
    skip sanitizers "$why"
    return
  fi
  local compiling=(capture)
  run_shards compile 150
  wait
  for tool in memcheck racecheck initcheck synccheck; do
    (
      [ "$tool" != initcheck ] || sanitizer_filters=()
      check=("${luge[@]}" "GTEST_TOTAL_SHARDS=$few" "GTEST_SHARD_INDEX=$((few / 3))"
             compute-sanitizer --tool "$tool" --error-exitcode 9 --report-api-errors no "${sanitizer_filters[@]}")
      step "$tool" 150 "${check[@]}" "$tests/test_kernels" "$on_device:-*Large*:*ManySizes*" --gtest_brief=1
      step "${tool}_capture" 150 "${check[@]}" "$tests/test_capture" "$on_device" --gtest_brief=1
    ) &
  done
  wait
}

run_program() {
  if [ -n "$rehearse" ]; then
    "$python" bench/gpu/small_images.py "$work/images"
    step demo 60 "${luge[@]}" "$bin/luge" demo --device cuda --sets 1000
    step train 60 "${luge[@]}" "$bin/luge" train --device cuda --sets 2 --epochs 1 --data "$work/images"
  else
    step demo 90 "${luge[@]}" "$bin/luge" demo --device cuda --sets 100000000
    step train 90 "${luge[@]}" "$bin/luge" train --device cuda --sets 64 "${data[@]}"
  fi
}

# Side by side: luge first, then one library after the other. Every case is a line of a file that the summary reads,
# whatever became of the step.
run_benchmarks() {
  local operations=ceilings,elementwise,reductions,rows,adam,matmul training=demo,mlp,ensemble
  local size=() host=(--device cuda) seconds=0.1
  [ -z "$rehearse" ] || { size=(--small) host=(--device cpu) seconds=0.02; }
  local ours=("${luge[@]}" "$bin/bench/luge_device_bench" --device cuda --seconds "$seconds" "${size[@]}")
  local theirs=(env PYTHONUNBUFFERED=1 "$python" bench/against/compare_gpu.py)
  local options=("${host[@]}" --seconds "$seconds" "${size[@]}")
  step luge_training 90 "${ours[@]}" --groups "$training" --output "$work/luge_training.jsonl"
  step luge_operations 120 "${ours[@]}" --groups "$operations" --output "$work/luge_operations.jsonl"
  step torch_training 120 "${theirs[@]}" torch "$work/torch_training.jsonl" --groups "$training" "${options[@]}"
  step torch_operations 120 "${theirs[@]}" torch "$work/torch_operations.jsonl" --groups "$operations" "${options[@]}"
  step jax_training 90 "${theirs[@]}" jax "$work/jax_training.jsonl" --groups "$training" "${options[@]}"
}
