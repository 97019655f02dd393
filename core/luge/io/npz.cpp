#include <luge/io/npz.h>

#include <zip.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <luge/base/detail/check.h>
#include <luge/io/detail/deflate.h>
#include <luge/io/detail/file.h>
#include <luge/io/detail/npy_format.h>
#include <luge/seam/observer.h>

namespace luge {

namespace {

/// DOS's 1980-01-01.
constexpr std::uint16_t kFirstDate = 1 << 5 | 1;
constexpr std::string_view kEnding = ".npy";
/// The end of an archive's directory, alone: libzip writes no archive without members.
constexpr unsigned char kEmptyArchive[22] = {'P', 'K', 5, 6};

/// libzip's errors as text.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  zip_error_t* get() { return &error_; }
  const char* text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_;
};

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

/// Where libzip reads and writes bytes: it calls run(). An exception that is thrown there waits in `thrown` until
/// libzip, which is C, has returned.
class Source {
 public:
  explicit Source(std::exception_ptr& thrown) : thrown_(thrown) {}
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// For libzip, which does not own it.
  zip_source_t* make(zip_error_t* error) { return zip_source_function_create(&Source::call, this, error); }

 protected:
  virtual zip_int64_t run(void* data, zip_uint64_t length, zip_source_cmd_t command) = 0;

  static zip_int64_t stat(void* data, zip_uint64_t size) {
    auto* const result = static_cast<zip_stat_t*>(data);
    zip_stat_init(result);
    result->size = size;
    result->valid = ZIP_STAT_SIZE;
    return sizeof *result;
  }
  zip_int64_t unsupported() {
    zip_error_set(error_.get(), ZIP_ER_OPNOTSUPP, 0);
    return -1;
  }
  /// The new position that libzip asks for, or -1.
  zip_int64_t seek(std::uint64_t from, std::uint64_t size, void* data, zip_uint64_t length) {
    return zip_source_seek_compute_offset(from, size, data, length, error_.get());
  }

 private:
  static zip_int64_t call(void* state, void* data, zip_uint64_t length, zip_source_cmd_t command) {
    auto& self = *static_cast<Source*>(state);
    if (command == ZIP_SOURCE_ERROR) return zip_error_to_data(self.error_.get(), data, length);
    if (command == ZIP_SOURCE_FREE) return 0;
    try {
      return self.run(data, length, command);
    } catch (...) {
      self.thrown_ = std::current_exception();
      zip_error_set(self.error_.get(), ZIP_ER_INTERNAL, 0);
      return -1;
    }
  }

  std::exception_ptr& thrown_;
  ZipError error_;
};

/// The archive that is read.
class ArchiveInput : public Source {
 public:
  ArchiveInput(std::exception_ptr& thrown, const InputFile& file) : Source(thrown), file_(file) {}

  void forget_reads() { first_read_.reset(); }
  /// Where the first read began since then; 0: there was none.
  std::uint64_t first_read() const { return first_read_.value_or(0); }

 private:
  zip_int64_t run(void* data, zip_uint64_t length, zip_source_cmd_t command) override {
    switch (command) {
      case ZIP_SOURCE_OPEN: at_ = 0; return 0;
      case ZIP_SOURCE_CLOSE: return 0;
      case ZIP_SOURCE_STAT: return stat(data, file_.size());
      case ZIP_SOURCE_TELL: return static_cast<zip_int64_t>(at_);
      case ZIP_SOURCE_READ: {
        if (!first_read_) first_read_ = at_;
        const std::uint64_t bytes = std::min<std::uint64_t>(length, file_.size() - at_);
        file_.read(at_, data, bytes);
        at_ += bytes;
        return static_cast<zip_int64_t>(bytes);
      }
      case ZIP_SOURCE_SEEK: {
        const zip_int64_t to = seek(at_, file_.size(), data, length);
        if (to < 0) return -1;
        at_ = static_cast<std::uint64_t>(to);
        return 0;
      }
      case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_SEEKABLE;
      default: return unsupported();
    }
  }

  const InputFile& file_;
  std::uint64_t at_ = 0;
  std::optional<std::uint64_t> first_read_;
};

/// The archive that is written: mostly to its end; a member's sizes and checksum follow when its data are there.
class ArchiveOutput : public Source {
 public:
  ArchiveOutput(std::exception_ptr& thrown, OutputFile& file) : Source(thrown), file_(file) {}

 private:
  zip_int64_t run(void* data, zip_uint64_t length, zip_source_cmd_t command) override {
    switch (command) {
      case ZIP_SOURCE_OPEN:
      case ZIP_SOURCE_CLOSE:
      case ZIP_SOURCE_BEGIN_WRITE:
      case ZIP_SOURCE_COMMIT_WRITE:
      case ZIP_SOURCE_ROLLBACK_WRITE: return 0;
      case ZIP_SOURCE_STAT: return stat(data, size_);
      case ZIP_SOURCE_TELL_WRITE: return static_cast<zip_int64_t>(at_);
      case ZIP_SOURCE_SEEK_WRITE: {
        const zip_int64_t to = seek(at_, size_, data, length);
        if (to < 0) return -1;
        at_ = static_cast<std::uint64_t>(to);
        return 0;
      }
      case ZIP_SOURCE_WRITE: {
        const auto* const from = static_cast<const char*>(data);
        const std::uint64_t again = std::min<std::uint64_t>(length, size_ - at_);
        if (again > 0) file_.rewrite(at_, from, again);
        file_.write(from + again, length - again);
        at_ += length;
        size_ = std::max(size_, at_);
        return static_cast<zip_int64_t>(length);
      }
      // libzip writes to what it could also read and remove; a new archive is neither.
      case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_WRITABLE;
      default: return unsupported();
    }
  }

  OutputFile& file_;
  std::uint64_t at_ = 0, size_ = 0;
};

/// A tensor on its way into the archive.
class MemberOutput : public Source {
 public:
  MemberOutput(std::exception_ptr& thrown, const std::string& name, const Tensor& tensor)
      : Source(thrown), pieces_("save_npz", fmt::format("tensors['{}']", name), tensor) {}

 private:
  zip_int64_t run(void* data, zip_uint64_t length, zip_source_cmd_t command) override {
    switch (command) {
      case ZIP_SOURCE_OPEN:
        pieces_.begin();
        rest_ = pieces_.next();
        return 0;
      case ZIP_SOURCE_CLOSE: return 0;
      case ZIP_SOURCE_STAT: return stat(data, pieces_.size());
      case ZIP_SOURCE_READ: {
        if (rest_.empty()) rest_ = pieces_.next();
        const std::size_t bytes = std::min<std::size_t>(length, rest_.size());
        if (bytes > 0) std::memcpy(data, rest_.data(), bytes);
        rest_ = rest_.subspan(bytes);
        return static_cast<zip_int64_t>(bytes);
      }
      case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_READABLE;
      default: return unsupported();
    }
  }

  NpyPieces pieces_;
  std::span<const std::byte> rest_;
};

/// A member that is read from its beginning.
class MemberInput {
 public:
  MemberInput(zip_t* archive, std::uint64_t index, const NpyPlace& place, const std::exception_ptr& thrown)
      : place_(place), thrown_(thrown), member_(zip_fopen_index(archive, index, 0)) {
    if (!member_) fail(zip_strerror(archive));
  }

  void read(void* destination, std::size_t bytes) {
    auto* to = static_cast<char*>(destination);
    while (bytes > 0) {
      const std::size_t got = some(to, bytes);
      LUGE_CHECK(IoError, got > 0, "{}: {}: offset {}: the member ends here, {} bytes early", place_.op, place_.file,
                 at_, bytes);
      to += got;
      bytes -= got;
    }
  }
  /// The checksum is looked at when the end is read.
  void end() {
    char more = 0;
    LUGE_CHECK(IoError, some(&more, 1) == 0, "{}: {}: offset {}: the member goes on behind its size", place_.op,
               place_.file, at_ - 1);
  }

 private:
  std::size_t some(char* to, std::size_t bytes) {
    const zip_int64_t got = zip_fread(member_.get(), to, bytes);
    if (got < 0) fail(zip_file_strerror(member_.get()));
    at_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }
  [[noreturn]] void fail(const char* what) const {
    if (thrown_) std::rethrow_exception(thrown_);
    raise<IoError>("{}: {}: offset {}: cannot read: {}", place_.op, place_.file, at_, what);
  }

  const NpyPlace& place_;
  const std::exception_ptr& thrown_;
  std::unique_ptr<zip_file_t, CloseMember> member_;
  std::uint64_t at_ = 0;
};

/// For a message of one line.
std::string without_controls(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text;
}

/// Throws IoError for a member whose size cannot be what its compressed one gives.
void check_member(const NpyPlace& place, const zip_stat_t& found) {
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  LUGE_CHECK(IoError, (found.valid & kNeeded) == kNeeded, "{}: {}: the archive does not give its size and method",
             place.op, place.file);
  LUGE_CHECK(IoError, found.encryption_method == ZIP_EM_NONE, "{}: {}: it is encrypted", place.op, place.file);
  const bool stored = found.comp_method == ZIP_CM_STORE;
  LUGE_CHECK(IoError, stored || found.comp_method == ZIP_CM_DEFLATE,
             "{}: {}: it is compressed by method {}; allowed are 0 (stored) and 8 (deflated)", place.op, place.file,
             found.comp_method);
  LUGE_CHECK(IoError, stored ? found.size == found.comp_size : found.size / kMaxDeflateRatio <= found.comp_size,
             "{}: {}: it has {} bytes in the archive, which {} {}; its size is given as {}", place.op, place.file,
             found.comp_size, stored ? "are stored as" : "hold at most",
             stored ? found.comp_size : found.comp_size * kMaxDeflateRatio, found.size);
}

/// Throws IoError unless a member's own header stands before its data and has the name that the directory gives. libzip
/// reads of that header what it needs, the lengths of its fields; `first_read` is where it began.
void check_local_header(const NpyPlace& place, const InputFile& file, std::uint64_t first_read, std::string_view name) {
  constexpr std::string_view kSignature = "PK\3\4";
  constexpr std::uint64_t kLengths = 26, kName = 30;
  for (const std::uint64_t before : {std::uint64_t{0}, kLengths}) {
    const std::uint64_t begin = first_read - before;
    if (first_read < before || begin > file.size() || file.size() - begin < kName) continue;
    std::array<char, kName> header;
    file.read(begin, header.data(), header.size());
    if (!std::string_view(header.data(), header.size()).starts_with(kSignature)) continue;
    const auto length = static_cast<std::uint64_t>(static_cast<unsigned char>(header[kLengths])) |
                        static_cast<std::uint64_t>(static_cast<unsigned char>(header[kLengths + 1])) << 8;
    std::string own(std::min(length, file.size() - begin - kName), '\0');
    file.read(begin + kName, own.data(), own.size());
    LUGE_CHECK(IoError, own == name, "{}: {}: its own header has the name '{}'", place.op, place.file,
               without_controls(own));
    return;
  }
  raise<IoError>("{}: {}: there is no header of a member before its data", place.op, place.file);
}

struct Member {
  std::uint64_t index = 0;
  std::string name;      ///< of the array
  std::string raw_name;  ///< of the member, as its bytes are
  std::uint64_t size = 0;
  NpyPlace place;
};

/// The members of an archive; throws IoError before anything is read for what cannot be arrays.
std::vector<Member> members_of(const std::string& path, const InputFile& file, zip_t* archive) {
  std::vector<Member> result;
  std::set<std::string> names;
  const zip_int64_t count = zip_get_num_entries(archive, 0);
  std::uint64_t compressed = 0;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(count); ++i) {
    // The names as Python's zipfile, and so NumPy, reads them.
    const char* const found_name = zip_get_name(archive, i, ZIP_FL_ENC_STRICT);
    LUGE_CHECK(IoError, found_name, "load_npz: '{}': member {}: {}", path, i, zip_strerror(archive));
    std::string name = found_name;
    const NpyPlace place{"load_npz", fmt::format("'{}': member '{}'", path, without_controls(name))};
    LUGE_CHECK(IoError, name.ends_with(kEnding), "{}: {}: it is no array; the names of arrays end in '.npy'", place.op,
               place.file);
    zip_stat_t stat;
    LUGE_CHECK(IoError, zip_stat_index(archive, i, 0, &stat) == 0, "{}: {}: {}", place.op, place.file,
               zip_strerror(archive));
    LUGE_CHECK(IoError, stat.comp_size <= file.size() - compressed,
               "{}: {}: it has {} bytes in the archive and those before it {}; the file has {}", place.op, place.file,
               stat.comp_size, compressed, file.size());
    compressed += stat.comp_size;
    check_member(place, stat);
    name.resize(name.size() - kEnding.size());
    LUGE_CHECK(IoError, names.insert(name).second, "{}: {}: two members have this name", place.op, place.file);
    result.push_back({i, std::move(name), zip_get_name(archive, i, ZIP_FL_ENC_RAW), stat.size, place});
  }
  return result;
}

}  // namespace

void save_npz(const std::string& path, const std::map<std::string, Tensor>& tensors, bool compressed,
              SourceLocation location) {
  const Operation called("save_npz");
  refuse_capture("save_npz", kHostRead, location);
  std::exception_ptr thrown;
  std::vector<std::unique_ptr<MemberOutput>> members;
  for (const auto& [name, tensor] : tensors) {
    LUGE_CHECK(ValueError, name.find('\0') == std::string::npos && name.size() + kEnding.size() <= 0xFFFF,
               "save_npz: a name of {} bytes; a name has no zero bytes and at most {}", name.size(),
               0xFFFF - kEnding.size());
    members.push_back(std::make_unique<MemberOutput>(thrown, name, tensor));
  }

  OutputFile file("save_npz", path);
  ArchiveOutput output(thrown, file);
  if (tensors.empty()) {
    file.write(kEmptyArchive, sizeof kEmptyArchive);
    return file.commit();
  }
  const auto check = [&](bool done, auto&& what) {
    if (done) return;
    if (thrown) std::rethrow_exception(thrown);
    raise<IoError>("save_npz: cannot write '{}': {}", path, what());
  };
  ZipError error;
  zip_source_t* const target = output.make(error.get());
  check(target, [&] { return error.text(); });
  Archive archive(zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, error.get()));
  if (!archive) zip_source_free(target);
  check(archive != nullptr, [&] { return error.text(); });
  const auto why = [&] { return zip_strerror(archive.get()); };
  std::size_t number = 0;
  for (const auto& [name, tensor] : tensors) {
    zip_source_t* const member = members[number++]->make(error.get());
    check(member, [&] { return error.text(); });
    const zip_int64_t index =
        zip_file_add(archive.get(), (name + std::string(kEnding)).c_str(), member, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip_source_free(member);
    LUGE_CHECK(ValueError, index >= 0 || zip_error_code_zip(zip_get_error(archive.get())) != ZIP_ER_INVAL,
               "save_npz: a name of {} bytes is not UTF-8", name.size());
    check(index >= 0, why);
    const auto place = static_cast<zip_uint64_t>(index);
    check(zip_set_file_compression(archive.get(), place, compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0, why);
    check(zip_file_set_dostime(archive.get(), place, 0, kFirstDate, 0) == 0, why);
  }
  check(zip_close(archive.get()) == 0, why);
  static_cast<void>(archive.release());  // closing has freed it
  file.commit();
}

std::map<std::string, Tensor> load_npz(const std::string& path, Device device, SourceLocation location) {
  const Operation called("load_npz");
  refuse_capture("load_npz", kHostWrite, location);
  const InputFile file("load_npz", path);
  LUGE_CHECK(IoError, file.size() > 0, "load_npz: '{}': the file is empty; an npz file is a zip archive", path);
  std::exception_ptr thrown;
  ArchiveInput input(thrown, file);
  ZipError error;
  zip_source_t* const source = input.make(error.get());
  Archive archive(source ? zip_open_from_source(source, ZIP_RDONLY, error.get()) : nullptr);
  if (!archive) {
    zip_source_free(source);
    if (thrown) std::rethrow_exception(thrown);
    raise<IoError>("load_npz: '{}': {}; an npz file is a zip archive", path, error.text());
  }

  std::map<std::string, Tensor> result;
  for (const Member& found : members_of(path, file, archive.get())) {
    input.forget_reads();
    MemberInput member(archive.get(), found.index, found.place, thrown);
    check_local_header(found.place, file, input.first_read(), found.raw_name);
    const ReadNext read = [&](void* destination, std::size_t bytes) { member.read(destination, bytes); };
    const NpyHeader header = read_npy_header(found.place, found.size, read);
    result[found.name] = read_npy_values(header, read, device);
    member.end();
  }
  return result;
}

}  // namespace luge
