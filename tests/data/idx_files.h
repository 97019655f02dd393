#pragma once
// Writes IDX files for the tests, byte by byte, independently of the reader.

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "folder.h"

namespace luge::test {

using Bytes = std::vector<unsigned char>;

inline void append_big_endian(Bytes& bytes, std::uint64_t value, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes.push_back(static_cast<unsigned char>(value >> shift));
}

/// The header of an IDX file.
inline Bytes idx_header(int type, const std::vector<std::uint32_t>& sizes) {
  Bytes bytes{0, 0, static_cast<unsigned char>(type), static_cast<unsigned char>(sizes.size())};
  for (const std::uint32_t size : sizes) append_big_endian(bytes, size, 4);
  return bytes;
}

/// A file of numbers; `Bits` is the unsigned type of T's size.
template <class Bits, class T>
Bytes idx_bytes(int type, const std::vector<std::uint32_t>& sizes, const std::vector<T>& values) {
  Bytes bytes = idx_header(type, sizes);
  for (const T value : values) {
    Bits bits;
    std::memcpy(&bits, &value, sizeof(Bits));
    append_big_endian(bytes, bits, sizeof(Bits));
  }
  return bytes;
}

inline void write_plain(const std::string& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline void write_gzip(const std::string& path, const Bytes& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb9");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

inline Bytes read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A folder with `train` and `test` images of 2 by 3 pixels: image i has label i % classes, pixel p is (i + p) % 50, and 200 more
/// where p % classes is the label, so that up to six classes are easy to learn.
inline void write_dataset(const Folder& folder, std::uint32_t train, std::uint32_t test, int classes, bool gzip = false) {
  const auto write = gzip ? write_gzip : write_plain;
  const std::string ending = gzip ? ".gz" : "";
  for (const auto& [part, count] : {std::pair{"train", train}, std::pair{"t10k", test}}) {
    std::vector<unsigned char> pixels, labels;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t label = i % static_cast<std::uint32_t>(classes);
      for (std::uint32_t p = 0; p < 6; ++p)
        pixels.push_back(static_cast<unsigned char>((i + p) % 50 + (p % static_cast<std::uint32_t>(classes) == label ? 200 : 0)));
      labels.push_back(static_cast<unsigned char>(label));
    }
    write(folder.path(std::string(part) + "-images-idx3-ubyte" + ending), idx_bytes<std::uint8_t>(0x08, {count, 2, 3}, pixels));
    write(folder.path(std::string(part) + "-labels-idx1-ubyte" + ending), idx_bytes<std::uint8_t>(0x08, {count}, labels));
  }
}

}  // namespace luge::test
