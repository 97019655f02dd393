#!/bin/sh
# Unpacks the Debian packages that building and testing luge needs into a folder, for a machine without a
# network, and packs it into FOLDER.tar.xz: bench/gpu_check.sh --packages takes either.
# Usage: bench/gpu/packages.sh FOLDER   (with a network)
set -eu
folder=${1:?usage: bench/gpu/packages.sh FOLDER}
mkdir -p "$folder/debs"
folder=$(cd "$folder" && pwd)
cd "$folder/debs"
apt-get download -o APT::Sandbox::User=root libhwy-dev libhwy1 libtbb-dev libtbb12 libtbbmalloc2 libtbbbind-2-5 libopenblas0-pthread \
  libopenblas-pthread-dev libfmt-dev libfmt9 libxbyak-dev nlohmann-json3-dev libcli11-dev libcsv-dev libcsv3 libxxhash-dev zlib1g-dev libzip-dev libzip4 libgtest-dev googletest \
  libbenchmark-dev libbenchmark1debian pkgconf pkgconf-bin libpkgconf3 dataset-fashion-mnist libgfortran5 libquadmath0
for package in *.deb; do dpkg -x "$package" "$folder"; done
cd "$folder"
rm -rf debs usr/share/doc usr/share/man usr/src
# Only what is linked: no static BLAS, none but OpenBLAS itself, and no link to a shared zlib that is not here.
find . -name '*blas*.a' -delete -o -name 'lib*lapack.*' -delete -o -name 'libblas.*' -delete -o -name 'libz.so' -delete
tar -cJf "$folder.tar.xz" .
du -sh "$folder" "$folder.tar.xz"
