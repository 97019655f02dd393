#!/bin/sh
# Forgets something on purpose, over and over: a dtype, a call, a rule, a row, a parameter. The compiler must notice each.
# Usage: tests/closed.sh COMPILER
set -eu
compiler=$1
source=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/kernels"
cp -r "$source/core" "$folder"
cp -r "$source/kernels/cpu" "$folder/kernels"
failed=0

compiles() {
  "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I"$folder/core" -I"$folder" "$folder/$1" 2>"$folder/errors"
}

# forget WHAT FILE SED-EXPRESSION SOURCE EXPECTED: the change of FILE keeps SOURCE from compiling, with EXPECTED.
forget() {
  file=$folder/$2
  compiles "$4" || { printf 'does not compile as it is: %s\n' "$4"; cat "$folder/errors"; exit 1; }
  cp "$file" "$folder/kept"
  sed -i "$3" "$file"
  if cmp -s "$file" "$folder/kept"; then
    printf 'nothing to change for: %s\n' "$1"
    failed=1
  elif compiles "$4"; then
    printf 'not noticed: %s\n' "$1"
    failed=1
  elif ! grep -q "$5" "$folder/errors"; then
    printf 'noticed by something else: %s\n' "$1"
    head -n 5 "$folder/errors"
    failed=1
  else
    printf 'noticed: %s\n' "$1"
  fi
  cp "$folder/kept" "$file"
}

forget 'a dtype' core/luge/base/dtype.h 's/enum class DType .*{ Bool,/& UInt64,/' \
  core/luge/base/detail/dispatch.cpp 'UInt64'
forget 'a class of dtypes' core/luge/seam/op.h 's/enum class DTypes .*{ Float,/& Complex,/' core/luge/seam/call.cpp 'Complex'
forget 'a call without a struct' core/luge/seam/call.h 's/^  X(Gather) *.$/  X(Stencil) \\/' core/luge/seam/call.cpp 'Stencil'
forget 'what a call costs' core/luge/seam/call.h '/^struct Gather {/,/^};/s/  double flops() const;//' core/luge/seam/call.cpp 'flops'
forget 'the formula of an optimizer rule' core/luge/math/update_table.h 's/^  X(Adagrad, /  X(Shampoo, "Shampoo", "shampoo step") X(Adagrad, /' \
  core/luge/seam/update_rule.cpp 'Shampoo'
forget 'a reduction' core/luge/seam/call.h 's/^  X(Prod, "prod") *.$/  X(Prod, "prod") X(NanSum, "nansum") \\/' \
  kernels/cpu/reduce.cpp 'NanSum'
forget 'the formula of a row' core/luge/math/op_table.h 's/^  X(sqrt, Sqrt, .*$/  X(cbrt, Cbrt, Float, "cbrt(x)") \\/' \
  core/luge/ops/elementwise.cpp 'Cbrt'
forget 'a parameter of a row' core/luge/math/op_table.h 's/, (lambd, 0.5)//' core/luge/ops/elementwise.cpp 'hardshrink'
forget 'an input of a formula' core/luge/math/transcendental.h 's/struct Atan : Traits<1,/struct Atan : Traits<2,/' \
  core/luge/ops/elementwise.cpp 'atan'
forget 'the mask of a test' core/luge/math/op_table.h 's/X(isnan, IsNan,/X(isnan, Floor,/' \
  core/luge/ops/elementwise.cpp 'isnan'
exit "$failed"
