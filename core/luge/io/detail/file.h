#pragma once
// Internal: files that are read in parts, and files that appear whole or not at all. Errors are IoError: "save_file:
// cannot write 'weights.safetensors': No space left on device".

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <luge/base/detail/check.h>

namespace luge {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  int release();

 private:
  int number_;
};

/// A regular file that is open for reading. It is read by position, so that several threads may.
class InputFile {
 public:
  InputFile(const char* op, std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// Throws IoError where the file has become shorter meanwhile.
  void read(std::uint64_t offset, void* destination, std::size_t bytes) const;
  /// The whole file, mapped read-only at the first call. Reading a part that another process has cut off meanwhile
  /// raises SIGBUS.
  std::span<const std::byte> mapped() const;
  /// The whole file, which must not be empty, mapped so that what is written to the memory stays in this process. It is
  /// unmapped with the last pointer, which may outlive the InputFile.
  std::shared_ptr<std::byte> map_privately() const;

 private:
  const char* op_;
  std::string path_;
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
  mutable void* mapping_ = nullptr;
};

/// A file in the making: until commit() it is a temporary one in the same folder, which the destructor removes. A
/// process that is killed leaves its temporary file behind; the next OutputFile of that name removes it.
class OutputFile {
 public:
  /// A symbolic link is followed: the file that it points to is replaced, or made.
  OutputFile(const char* op, const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Appends.
  void write(const void* data, std::size_t bytes);
  /// Overwrites what was written before.
  void rewrite(std::uint64_t offset, const void* data, std::size_t bytes);
  /// The data reach the disk, then the file takes its name, then the name reaches the disk. A file of that name is
  /// replaced in one step and keeps its permissions.
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int error) const;

  const char* op_;
  std::string path_, temporary_;
  Descriptor descriptor_;
};

/// Gives a file a second name, which may have stood for another one, in one step, and brings the name to the disk. A
/// copy where the file system has no links.
void give_second_name(const char* op, const std::string& file, const std::string& name);

}  // namespace luge
