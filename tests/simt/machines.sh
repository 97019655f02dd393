#!/bin/sh
# Machines that lack something, played by the stand-in for the CUDA runtime: the program starts on each of
# them, works on the CPU, and names what is missing. Usage: machines.sh PROGRAM
set -eu
luge=$1
expect() {  # MACHINE REASON
  export SIMT_DRIVER=$1
  "$luge" doctor | grep -qF "$2" || { echo "doctor on '$1' does not say: $2"; "$luge" doctor; exit 1; }
  status=0
  message=$("$luge" demo --device cuda 2>&1) || status=$?
  [ "$status" -eq 1 ] || { echo "demo --device cuda on '$1': exit code $status, expected 1"; exit 1; }
  echo "$message" | grep -qF "$2" || { echo "demo on '$1' says: $message"; exit 1; }
  "$luge" demo --device cpu >/dev/null
  echo "$1: $message"
}
expect none 'no driver: no NVIDIA driver is installed on this machine'
expect old 'driver too old: it supports CUDA 11.4, this build of luge needs 13.0'
expect no-device 'no device: the driver finds no GPU'
expect other-architecture 'architecture not in this binary: SIMT executor (the host, no GPU) is sm_70, the binary holds sm_90'
unset SIMT_DRIVER
"$luge" demo --device cuda --json >/dev/null
if "$luge" demo --device cuda:1 >/dev/null 2>&1; then echo 'cuda:1 is not there, and was used'; exit 1; fi
