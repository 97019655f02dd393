#include "cache.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include <luge/seam/detail/kept_kernels.h>

namespace luge::cuda {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "luge kernel 1\n";

/// The file appears under its name when all of it is there.
bool write_whole(const fs::path& path, std::string_view content) {
  static std::atomic<unsigned> count{0};
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  fs::path temporary = path;
  temporary += fmt::format(".{}.{}", getpid(), count++);
  {
    std::ofstream file(temporary, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    if (!file.flush()) {
      fs::remove(temporary, error);
      return false;
    }
  }
  fs::rename(temporary, path, error);
  if (!error) return true;
  fs::remove(temporary, error);
  return false;
}

/// What a file holds in front of its code: the key, compared when it is read, and a checksum.
std::string head(const std::string& key, std::string_view code) {
  return fmt::format("{}{} {} {:016x}\n{}", kMagic, key.size(), code.size(), hash_of(code), key);
}

}  // namespace

fs::path cache_folder() {
  const auto set = [](const char* name) {
    const char* const text = std::getenv(name);
    return fs::path(text ? text : "");
  };
  if (const fs::path own = set("LUGE_CACHE"); !own.empty()) return own;
  if (const fs::path cache = set("XDG_CACHE_HOME"); !cache.empty()) return cache / "luge";
  if (const fs::path home = set("HOME"); !home.empty()) return home / ".cache" / "luge";
  return {};
}

fs::path cache_file(const fs::path& folder, const std::string& key) {
  return folder / fmt::format("{:016x}.kernel", hash_of(key));
}

std::optional<std::string> find_cached(const fs::path& folder, const std::string& key) {
  if (folder.empty()) return {};
  std::ifstream file(cache_file(folder, key), std::ios::binary);
  if (!file) return {};
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The head tells the size of the code, so it is made from the code that the file claims to hold.
  const std::size_t line = content.find('\n', kMagic.size());
  if (line == std::string::npos || line + 1 + key.size() > content.size()) return {};
  const std::string_view code = std::string_view(content).substr(line + 1 + key.size());
  const std::string expected = head(key, code);
  if (code.empty() || content.compare(0, content.size() - code.size(), expected) != 0) return {};
  return std::string(code);
}

bool keep_cached(const fs::path& folder, const std::string& key, const std::string& code) {
  return !folder.empty() && write_whole(cache_file(folder, key), head(key, code) + code);
}

fs::path keep_source(const fs::path& folder, const char* kernel, const std::string& source) {
  const std::string name = fmt::format("{}_{:016x}.cu", kernel, hash_of(source));
  if (!folder.empty() && write_whole(folder / name, source)) return folder / name;
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  if (!error && write_whole(temporary / name, source)) return temporary / name;
  return {};
}

}  // namespace luge::cuda
