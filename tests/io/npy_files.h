#pragma once
// Writes npy files for the tests, byte by byte, independently of the library.

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <luge/base/dtype.h>

#include "folder.h"

namespace luge::test {

using namespace std::string_literals;

/// All that NumPy has.
inline constexpr std::array kNpyDTypes{boolean, uint8, int8, int16, int32, int64, float16, float32, float64};

/// A file without a name in any folder: thousands of them take little time.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("luge_test", MFD_CLOEXEC)) {}
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  /// Replaces what was there.
  void write(std::string_view text) {
    EXPECT_EQ(ftruncate(descriptor_, 0), 0);
    EXPECT_EQ(pwrite(descriptor_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

 private:
  int descriptor_;
};

inline std::string npy_header(const std::string& code, const std::string& fortran_order, const std::string& shape) {
  return "{'descr': '" + code + "', 'fortran_order': " + fortran_order + ", 'shape': " + shape + ", }";
}

/// Magic bytes, version, the header with its length, data.
inline std::string npy_file(const std::string& header, const std::string& data, int version = 1) {
  std::string file = "\x93NUMPY";
  file += {static_cast<char>(version), '\0'};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) file += static_cast<char>(header.size() >> 8 * i & 0xFF);
  return file + header + data;
}

}  // namespace luge::test
