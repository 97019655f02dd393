#include <luge/data/idx.h>

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <span>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/base/detail/dispatch.h>
#include <luge/io/detail/deflate.h>

namespace luge {
namespace {

struct TypeRow {
  IdxType type;
  std::size_t size;
  const char* name;
};

constexpr std::array<TypeRow, 6> kTypes{{{IdxType::UInt8, 1, "uint8"},
                                         {IdxType::Int8, 1, "int8"},
                                         {IdxType::Int16, 2, "int16"},
                                         {IdxType::Int32, 4, "int32"},
                                         {IdxType::Float32, 4, "float32"},
                                         {IdxType::Float64, 8, "float64"}}};

const TypeRow* find_type(std::uint8_t code) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& r) { return static_cast<std::uint8_t>(r.type) == code; });
  return row == kTypes.end() ? nullptr : &*row;
}

/// A file read from front to back, decompressed where it begins as gzip does.
class Input {
 public:
  explicit Input(const std::string& path) : path_(path) {
    struct stat status {};
    LUGE_CHECK(IoError, ::stat(path.c_str(), &status) == 0, "idx: {}: cannot open: {}", path, std::strerror(errno));
    LUGE_CHECK(IoError, !S_ISDIR(status.st_mode), "idx: {}: is a directory; an IDX file is wanted", path);
    file_size_ = status.st_size;
    errno = 0;
    file_.reset(gzopen(path.c_str(), "rb"));
    LUGE_CHECK(IoError, file_ != nullptr, "idx: {}: cannot open: {}", path,
               errno != 0 ? std::strerror(errno) : "out of memory");
    gzbuffer(file_.get(), 1U << 17);
  }

  std::int64_t offset() const { return offset_; }
  /// Known once something has been read.
  bool compressed() const { return gzdirect(file_.get()) == 0; }
  std::int64_t file_size() const { return file_size_; }

  /// Up to data.size() bytes; fewer only where the contents end. Throws IoError for damage.
  std::size_t read(std::span<std::byte> data) {
    std::size_t done = 0;
    while (done < data.size()) {
      const auto wanted = static_cast<unsigned>(std::min<std::size_t>(data.size() - done, 1U << 26));
      const int got = gzread(file_.get(), data.data() + done, wanted);
      check(got);
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
      offset_ += got;
    }
    return done;
  }

 private:
  void check(int got) const {
    int code = Z_OK;
    const char* const message = gzerror(file_.get(), &code);
    if (got >= 0 && code != Z_BUF_ERROR) return;
    LUGE_CHECK(IoError, code != Z_BUF_ERROR, "idx: {}: the gzip data end early, after {} bytes of contents; the file is truncated",
               path_, offset_ + std::max(got, 0));
    raise<IoError>("idx: {}: offset {}: cannot read: {}", path_, offset_,
                   code == Z_ERRNO ? std::strerror(errno) : message);
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  const std::string& path_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
  std::int64_t file_size_ = 0, offset_ = 0;
};

std::uint32_t big_endian(std::span<const std::byte, 4> bytes) {
  std::uint32_t value = 0;
  for (const std::byte b : bytes) value = value << 8 | std::to_integer<std::uint32_t>(b);
  return value;
}

std::array<std::byte, 4> read_word(Input& input, const std::string& path, const std::string& what) {
  std::array<std::byte, 4> word{};
  const std::int64_t start = input.offset();
  const std::size_t got = input.read(word);
  LUGE_CHECK(IoError, got == 4, "idx: {}: offset {}: the file ends after {} of the 4 bytes of {}", path, start, got, what);
  return word;
}

/// The bytes that follow the header, or an error before any memory is taken.
std::int64_t announced_bytes(const IdxArray& array, const Input& input, const TypeRow& type) {
  std::int64_t bytes = static_cast<std::int64_t>(type.size);
  for (const std::int64_t size : array.shape) {
    // Zero times anything is zero, so only a product that grows can overflow.
    LUGE_CHECK(IoError, size == 0 || bytes <= std::numeric_limits<std::int64_t>::max() / size,
               "idx: {}: offset 4: sizes {} of {} are more than 2^63 - 1 bytes", array.path, to_string(array.shape), type.name);
    bytes *= size;
  }
  const std::int64_t header = input.offset();
  if (input.compressed()) {
    LUGE_CHECK(IoError, bytes / kMaxDeflateRatio <= input.file_size(),
               "idx: {}: offset 4: sizes {} of {} are {} bytes; a gzip file of {} bytes can hold at most {}", array.path,
               to_string(array.shape), type.name, bytes, input.file_size(), input.file_size() * kMaxDeflateRatio);
  } else {
    const std::int64_t there = input.file_size() - header;
    LUGE_CHECK(IoError, bytes == there,
               "idx: {}: sizes {} of {} ask for {} bytes from offset {}; the file holds {}, {}", array.path,
               to_string(array.shape), type.name, bytes, header, there,
               there < bytes ? "it is truncated" : "something else follows");
  }
  return bytes;
}

template <std::size_t kSize>
void swap_each(std::span<std::byte> bytes) {
  for (std::size_t i = 0; i + kSize <= bytes.size(); i += kSize)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.begin() + static_cast<std::ptrdiff_t>(i + kSize));
}

void to_native_order(std::span<std::byte> bytes, std::size_t size) {
  if constexpr (std::endian::native == std::endian::big) return;
  if (size == 2) swap_each<2>(bytes);
  if (size == 4) swap_each<4>(bytes);
  if (size == 8) swap_each<8>(bytes);
}

/// The dtype of the tensor where none is asked for.
DType own_dtype(IdxType type) {
  switch (type) {
    case IdxType::Float32: return float32;
    case IdxType::Float64: return float64;
    default: return int32;
  }
}

template <class From, class To>
void convert(const std::vector<std::byte>& bytes, void* out) {
  const std::size_t n = bytes.size() / sizeof(From);
  auto* const to = static_cast<To*>(out);
  for (std::size_t i = 0; i < n; ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    to[i] = std::is_same_v<To, bool> ? static_cast<To>(value != From{0}) : static_cast<To>(value);
  }
}

template <class To>
void convert_from(const IdxArray& array, void* out) {
  switch (array.type) {
    case IdxType::UInt8: return convert<std::uint8_t, To>(array.bytes, out);
    case IdxType::Int8: return convert<std::int8_t, To>(array.bytes, out);
    case IdxType::Int16: return convert<std::int16_t, To>(array.bytes, out);
    case IdxType::Int32: return convert<std::int32_t, To>(array.bytes, out);
    case IdxType::Float32:
    case IdxType::Float64: std::memcpy(out, array.bytes.data(), array.bytes.size()); return;  // to_tensor asks for this dtype
  }
}

}  // namespace

IdxArray read_idx(const std::string& path) {
  IdxArray array;
  array.path = path;
  Input input(path);
  const std::array<std::byte, 4> magic = read_word(input, path, "the magic number");
  LUGE_CHECK(IoError, magic[0] == std::byte{0} && magic[1] == std::byte{0},
             "idx: {}: offset 0: the file begins with bytes 0x{:02x} 0x{:02x}; an IDX file begins with two zero bytes", path,
             std::to_integer<int>(magic[0]), std::to_integer<int>(magic[1]));
  const TypeRow* const type = find_type(std::to_integer<std::uint8_t>(magic[2]));
  LUGE_CHECK(IoError, type != nullptr,
             "idx: {}: offset 2: element type 0x{:02x}; allowed are 0x08 uint8, 0x09 int8, 0x0b int16, 0x0c int32, 0x0d float32 "
             "and 0x0e float64", path, std::to_integer<int>(magic[2]));
  array.type = type->type;
  const int ndim = std::to_integer<int>(magic[3]);
  LUGE_CHECK(IoError, ndim >= 1 && ndim <= kMaxDims, "idx: {}: offset 3: {} dimensions; allowed are 1 to {}", path, ndim, kMaxDims);
  for (int d = 0; d < ndim; ++d) {
    const std::int64_t at = input.offset();
    const std::uint32_t size = big_endian(read_word(input, path, fmt::format("the size of dimension {} (of {})", d, ndim)));
    LUGE_CHECK(IoError, size <= std::numeric_limits<std::int32_t>::max(),
               "idx: {}: offset {}: size {} of dimension {}; allowed are 0 to 2147483647", path, at, size, d);
    array.shape.push_back(size);
  }

  const std::int64_t bytes = announced_bytes(array, input, *type);
  try {
    array.bytes.resize(static_cast<std::size_t>(bytes));
  } catch (const std::bad_alloc&) {
    raise<OutOfMemoryError>("idx: {}: no memory for its {} bytes", path, bytes);
  }
  const std::int64_t start = input.offset();
  const std::size_t got = input.read(array.bytes);
  LUGE_CHECK(IoError, got == array.bytes.size(),
             "idx: {}: sizes {} of {} ask for {} bytes from offset {}; the contents end at offset {}, they are truncated", path,
             to_string(array.shape), type->name, bytes, start, input.offset());
  std::byte more{};
  LUGE_CHECK(IoError, input.read({&more, 1}) == 0,
             "idx: {}: offset {}: the contents go on after the {} bytes that sizes {} of {} ask for", path, start + bytes, bytes,
             to_string(array.shape), type->name);
  to_native_order(array.bytes, type->size);
  return array;
}

Tensor IdxArray::to_tensor(SourceLocation location) const { return to_tensor(own_dtype(type), location); }

Tensor IdxArray::to_tensor(DType dtype, SourceLocation location) const {
  const DType own = own_dtype(type);
  // Numbers that an integer cannot hold, and NaN, are what Tensor::to makes of them.
  if (is_floating(own) && dtype != own) return to_tensor(own, location).to(dtype);
  if (is_storage_only(dtype)) return to_tensor(is_floating(dtype) ? float64 : int32, location).to(dtype);
  refuse_capture("to_tensor", kHostWrite, location);
  Tensor result = empty(shape, {.dtype = dtype});
  if (result.numel() == 0) return result;
  with_dtype(dtype, [&]<class T>() { convert_from<T>(*this, result.data()); });
  return result;
}

}  // namespace luge
