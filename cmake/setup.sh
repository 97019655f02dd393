#!/bin/sh
# Installs the Debian packages that luge needs and this machine lacks. Says what it does, asks nothing.
# Usage: cmake/setup.sh [test|bench|torch|python|lint]...   (what building and running need is always included)
set -eu

packages="g++ cmake ninja-build ccache pkg-config libhwy-dev libxbyak-dev libtbb-dev libopenblas-dev libfmt-dev nlohmann-json3-dev
libcli11-dev libcsv-dev libxxhash-dev zlib1g-dev libzip-dev
libprotobuf-dev protobuf-compiler libisal-dev dataset-fashion-mnist gnuplot-nox"
for purpose in "$@"; do
  case $purpose in
    test) packages="$packages libgtest-dev libbenchmark-dev clang libclang-rt-dev" ;;
    bench) packages="$packages libbenchmark-dev" ;;
    torch) packages="$packages python3-torch python3-numpy" ;;
    python) packages="$packages python3-dev python3-venv" ;;
    lint) packages="$packages clang clang-format clang-tidy" ;;
    *) echo "setup.sh: unknown purpose '$purpose'; allowed are test, bench, torch, python and lint" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "luge: this is not Debian, so nothing is installed for you. Needed is what these Debian packages hold:" >&2
  echo "$packages" | fmt -w 110 | sed 's/^/  /' >&2
  exit 0
fi

installed=$(dpkg-query -W -f='${binary:Package} ${db:Status-Status}\n' $packages 2>/dev/null | sed -n 's/^\([^: ]*\).* installed$/\1/p')
missing=
for package in $packages; do
  case "
$installed
" in
    *"
$package
"*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

by_hand="apt-get update && apt-get install --no-install-recommends$missing"
if [ "$(id -u)" -eq 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "luge: packages are missing and this user may not install them. As root, please run:" >&2
  echo "  $by_hand" >&2
  exit 1
fi

echo "luge: installing from Debian:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if $as_root apt-get update >"$log" 2>&1 </dev/null &&
   $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing \
     >>"$log" 2>&1 </dev/null; then
  exit 0
fi
tail -n 20 "$log" >&2
echo "luge: apt-get failed (above). By hand, as root:" >&2
echo "  $by_hand" >&2
exit 1
