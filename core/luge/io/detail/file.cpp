#include <luge/io/detail/file.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace luge {

namespace {

/// Linux moves a little less than 2 GiB in one call.
constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;

[[noreturn]] void fail_to(const char* op, const char* what, const std::string& path, int error) {
  raise<IoError>("{}: cannot {} '{}': {}", op, what, path, std::strerror(error));
}

/// A call that a signal has interrupted is made again.
template <class Call>
auto retried(Call call) {
  decltype(call()) result;
  do result = call();
  while (result == -1 && errno == EINTR);
  return result;
}

/// The system would take what stands before a zero byte for the whole path.
void check_path(const char* op, const char* what, const std::string& path) {
  if (path.empty()) raise<IoError>("{}: cannot {} '': the path is empty", op, what);
  if (const std::size_t at = path.find('\0'); at != std::string::npos)
    raise<IoError>("{}: cannot {} '{}...': the path holds a zero byte", op, what, path.substr(0, at));
}

/// Calls write(data, bytes) until all bytes are written; one call may write fewer than it is given. Returns whether
/// none failed; errno then says why.
template <class Write>
bool write_all(const void* data, std::size_t bytes, const Write& write) {
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = retried([&] { return write(from, std::min(bytes, kMostAtOnce)); });
    if (count < 0) return false;
    from += count;
    bytes -= static_cast<std::size_t>(count);
  }
  return true;
}

namespace fs = std::filesystem;

/// Longer names give way to a checksum in those of temporary files, which the file system would find too long.
constexpr std::size_t kLongestName = 100;

/// What temporary files for the file `name` begin with.
std::string temporary_prefix(const std::string& name) {
  return fmt::format(".{}.partial-", name.size() <= kLongestName
                                         ? name
                                         : fmt::format("luge-{:016x}", XXH3_64bits(name.data(), name.size())));
}

/// A name in the folder of `target` that no other process or call gives.
std::string temporary_for(const fs::path& target) {
  static std::atomic<unsigned> made{0};
  const std::string name = fmt::format("{}{}-{}", temporary_prefix(target.filename().string()), getpid(), ++made);
  return (target.parent_path() / name).string();
}

fs::path folder_of(const fs::path& target) { return target.has_parent_path() ? target.parent_path() : fs::path("."); }

/// The file that a path names where nothing is there yet: the end of symbolic links, as open() would make it.
fs::path end_of_links(const char* op, const std::string& path) {
  constexpr int kMostLinks = 40;  // Linux's own bound
  fs::path target(path);
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, error)); ++links) {
    if (links == kMostLinks) fail_to(op, "write", path, ELOOP);
    const fs::path next = fs::read_symlink(target, error);
    if (error) fail_to(op, "write", path, error.value());
    target = target.parent_path() / next;  // an absolute one stands for itself
  }
  return target;
}

/// The file that is to be written at a path. `existing` tells of the one that is there; returns false: there is none.
bool find_target(const char* op, const std::string& path, struct stat& existing, std::string& target) {
  check_path(op, "write", path);
  const bool replaces = stat(path.c_str(), &existing) == 0;
  if (!replaces) {
    target = end_of_links(op, path).string();
  } else {
    if (S_ISDIR(existing.st_mode)) raise<IoError>("{}: cannot write '{}': it is a folder", op, path);
    if (!S_ISREG(existing.st_mode)) raise<IoError>("{}: cannot write '{}': it is no regular file", op, path);
    std::error_code error;
    target = fs::canonical(path, error).string();
    if (error) fail_to(op, "write", path, error.value());
  }
  if (!fs::path(target).has_filename()) raise<IoError>("{}: cannot write '{}': it names a folder", op, path);
  return replaces;
}

/// Gives the temporary file its name and brings the name to the disk.
void rename_durably(const char* op, const std::string& temporary, const std::string& target) {
  if (rename(temporary.c_str(), target.c_str()) != 0) fail_to(op, "write", target, errno);
  const Descriptor folder(retried([&] { return open(folder_of(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  // The file is complete under its name; what may still be lost by a failing machine is the change of the name.
  // Some network file systems cannot do that for folders.
  if (!folder.is_open() || (retried([&] { return fsync(folder.get()); }) != 0 && errno != EINVAL))
    fail_to(op, "make durable", target, errno);
}

/// Removes what killed processes have left of the same file. A live one holds a lock on its own.
void remove_abandoned(const std::filesystem::path& folder, const std::string& prefix) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(prefix)) continue;
    const Descriptor other(open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (other.is_open() && flock(other.get(), LOCK_EX | LOCK_NB) == 0) unlink(entry->path().c_str());
  }
}

}  // namespace

Descriptor::~Descriptor() {
  if (is_open()) close(number_);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (is_open()) close(number_);
    number_ = other.release();
  }
  return *this;
}

int Descriptor::release() { return std::exchange(number_, -1); }

// ---- reading ------------------------------------------------------------------------------------

InputFile::InputFile(const char* op, std::string path) : op_(op), path_(std::move(path)) {
  check_path(op_, "read", path_);
  // A pipe without a writer would block.
  descriptor_ = Descriptor(retried([&] { return open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (!descriptor_.is_open()) fail_to(op_, "read", path_, errno);
  struct stat status;
  if (fstat(descriptor_.get(), &status) != 0) fail_to(op_, "read", path_, errno);
  if (!S_ISREG(status.st_mode))
    raise<IoError>("{}: cannot read '{}': it is {}", op_, path_,
                   S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  if (mapping_) munmap(mapping_, size_);
}

void InputFile::read(std::uint64_t offset, void* destination, std::size_t bytes) const {
  auto* to = static_cast<char*>(destination);
  while (bytes > 0) {
    const ssize_t count =
        retried([&] { return pread(descriptor_.get(), to, std::min(bytes, kMostAtOnce), static_cast<off_t>(offset)); });
    if (count < 0) fail_to(op_, "read", path_, errno);
    if (count == 0) raise<IoError>("{}: cannot read '{}': it ends at byte {}", op_, path_, offset);
    to += count;
    offset += static_cast<std::uint64_t>(count);
    bytes -= static_cast<std::size_t>(count);
  }
}

std::span<const std::byte> InputFile::mapped() const {
  if (size_ == 0) return {};
  if (!mapping_) {
    void* const mapping = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_.get(), 0);
    if (mapping == MAP_FAILED) fail_to(op_, "map", path_, errno);
    mapping_ = mapping;
  }
  return {static_cast<const std::byte*>(mapping_), size_};
}

std::shared_ptr<std::byte> InputFile::map_privately() const {
  void* const mapping = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor_.get(), 0);
  if (mapping == MAP_FAILED) fail_to(op_, "map", path_, errno);
  return {static_cast<std::byte*>(mapping), [size = size_](std::byte* first) { munmap(first, size); }};
}

// ---- writing ------------------------------------------------------------------------------------

OutputFile::OutputFile(const char* op, const std::string& path) : op_(op) {
  struct stat existing;
  const bool replaces = find_target(op, path, existing, path_);
  const fs::path target(path_);
  remove_abandoned(folder_of(target), temporary_prefix(target.filename().string()));
  temporary_ = temporary_for(target);
  struct stat created = {};
  while (created.st_nlink == 0) {  // until it is locked, another process may take it for abandoned
    descriptor_ = Descriptor(
        retried([&] { return open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666); }));
    if (!descriptor_.is_open()) {
      temporary_.clear();
      fail("write", errno);
    }
    retried([&] { return flock(descriptor_.get(), LOCK_EX); });
    if (fstat(descriptor_.get(), &created) != 0) break;
  }
  if (replaces && fchmod(descriptor_.get(), existing.st_mode & 07777) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    fail("write", error);
  }
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void OutputFile::fail(const char* what, int error) const { fail_to(op_, what, path_, error); }

void OutputFile::write(const void* data, std::size_t bytes) {
  const auto append = [&](const char* from, std::size_t count) { return ::write(descriptor_.get(), from, count); };
  if (!write_all(data, bytes, append)) fail("write", errno);
}

void OutputFile::rewrite(std::uint64_t offset, const void* data, std::size_t bytes) {
  const auto overwrite = [&](const char* from, std::size_t count) {
    const auto at = static_cast<off_t>(offset) + (from - static_cast<const char*>(data));
    return pwrite(descriptor_.get(), from, count, at);
  };
  if (!write_all(data, bytes, overwrite)) fail("write", errno);
}

void OutputFile::commit() {
  if (retried([&] { return fsync(descriptor_.get()); }) != 0) fail("write", errno);
  const std::string temporary = temporary_;
  rename_durably(op_, temporary, path_);
  temporary_.clear();
  if (close(descriptor_.release()) != 0 && errno != EINTR) fail("write", errno);
}

void give_second_name(const char* op, const std::string& file, const std::string& name) {
  struct stat existing;
  std::string target;
  find_target(op, name, existing, target);
  const std::string temporary = temporary_for(target);
  if (link(file.c_str(), temporary.c_str()) == 0) {
    try {
      rename_durably(op, temporary, target);
    } catch (...) {
      unlink(temporary.c_str());
      throw;
    }
    unlink(temporary.c_str());  // rename() leaves it where both are names of one file already
    return;
  }
  // A file system without links.
  const InputFile from(op, file);
  OutputFile to(op, name);
  std::vector<char> piece(std::size_t{1} << 20);
  for (std::uint64_t at = 0; at < from.size(); at += piece.size()) {
    piece.resize(std::min<std::uint64_t>(piece.size(), from.size() - at));
    from.read(at, piece.data(), piece.size());
    to.write(piece.data(), piece.size());
  }
  to.commit();
}

}  // namespace luge
