#include <luge/seam/detail/kept_kernels.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <fmt/format.h>

namespace luge {

namespace {

namespace fs = std::filesystem;

fs::path folder() {
  const char* const name = std::getenv("LUGE_KERNELS");
  return name ? name : "";
}

}  // namespace

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t value = 0xCBF29CE484222325u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return value;
}

bool keeps_kernels() { return !folder().empty(); }

void keep_kernel(std::string_view text, std::string_view extension) {
  if (!keeps_kernels()) return;
  std::error_code error;
  fs::create_directories(folder(), error);
  const fs::path path = folder() / fmt::format("luge_{:016x}.{}", hash_of(text), extension);
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.flush()) return;
  static std::once_flag once;
  std::call_once(once, [&] { fmt::print(stderr, "luge: LUGE_KERNELS: cannot write {}\n", path.string()); });
}

}  // namespace luge
