#include <luge/io/detail/npy_format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/seam/backend.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr char kNative = std::endian::native == std::endian::little ? '<' : '>';
constexpr std::string_view kMagic = "\x93NUMPY";
/// NumPy reads no longer header either, unless it is told to.
constexpr std::uint64_t kLongestHeader = 10000;
/// The numbers begin at a multiple of it.
constexpr std::size_t kAlignment = 64;
/// NumPy leaves room for an array that grows: digits of the largest size.
constexpr std::size_t kGrowth = 21;
/// What is on its way between a file and a GPU at a time; a whole number of elements.
constexpr std::int64_t kPiece = std::int64_t{4} << 20;

/// NumPy's code without the byte order: "f4". Empty for bfloat16, which NumPy does not know.
std::string_view code_of(DType dtype) {
  switch (dtype) {
    case DType::Bool: return "b1";
    case DType::UInt8: return "u1";
    case DType::Int8: return "i1";
    case DType::Int16: return "i2";
    case DType::Int32: return "i4";
    case DType::Int64: return "i8";
    case DType::Float16: return "f2";
    case DType::Float32: return "f4";
    case DType::Float64: return "f8";
    case DType::BFloat16: break;
  }
  return {};
}

std::optional<DType> dtype_of_code(std::string_view code) {
  for (int i = 0; i < kDTypeCount; ++i)
    if (const auto dtype = static_cast<DType>(i); !code.empty() && code_of(dtype) == code) return dtype;
  return {};
}

/// A part of a file in a message of one line.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string result;
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte >= 0x20 && byte < 0x7F ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text.size() > kMost ? result + "..." : result;
}

/// The header, which is a Python dict of a fixed form: three keys, strings without escapes, True and False, a tuple of
/// ints. In the first two versions an int may end in L, as Python 2 wrote long ones.
class HeaderText {
 public:
  HeaderText(const NpyPlace& place, std::string_view text, std::uint64_t start, int version)
      : place_(place), text_(text), start_(start), may_be_long_(version < 3) {}

  NpyHeader parse() {
    NpyHeader header;
    std::array<bool, 3> seen{};
    static constexpr std::array<std::string_view, 3> kKeys{"descr", "fortran_order", "shape"};
    expect('{');
    for (bool more = true; more && !take('}');) {
      skip_space();
      const std::size_t start = at_;
      const std::string_view key = string("a key");
      const auto number = static_cast<std::size_t>(std::find(kKeys.begin(), kKeys.end(), key) - kKeys.begin());
      if (number == kKeys.size())
        fail(start, fmt::format("the key '{}'; the keys are 'descr', 'fortran_order' and 'shape'", shown(key)));
      if (std::exchange(seen[number], true)) fail(start, fmt::format("the key '{}' a second time", key));
      expect(':');
      if (number == 0) read_dtype(header);
      if (number == 1) header.fortran_order = read_bool();
      if (number == 2) read_shape(header);
      more = take(',');
      if (!more) expect('}');
    }
    skip_space();
    if (at_ < text_.size()) fail(at_, fmt::format("'{}' follows the header's '}}'", shown(text_.substr(at_))));
    for (std::size_t i = 0; i < kKeys.size(); ++i)
      if (!seen[i]) fail(at_, fmt::format("the header ends without the key '{}'", kKeys[i]));
    return header;
  }

 private:
  [[noreturn]] void fail(std::size_t at, std::string_view what) const {
    raise<IoError>("{}: {}: offset {}: {}", place_.op, place_.file, start_ + at, what);
  }
  [[noreturn]] void fail_expected(std::string_view what) const {
    fail(at_, fmt::format("expected {}, found {}", what,
                          at_ == text_.size() ? "the header's end" : fmt::format("'{}'", shown(text_.substr(at_, 1)))));
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r\f").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail_expected(fmt::format("'{}'", c));
  }

  std::string_view string(std::string_view what) {
    skip_space();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"'))
      fail_expected(fmt::format("{}, which is a string", what));
    const std::size_t begin = at_ + 1, end = text_.find(text_[at_], begin);
    const std::string_view value = text_.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (end == std::string_view::npos || value.find_first_of("\\\n\r") != std::string_view::npos)
      fail(at_, fmt::format("a string without its end, or with escapes: {}", shown(text_.substr(at_))));
    at_ = end + 1;
    return value;
  }

  bool read_bool() {
    skip_space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    fail_expected("True or False");
  }

  std::int64_t read_size() {
    skip_space();
    const std::size_t start = at_;
    std::int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(value, std::int64_t{10}, &value) ||
          __builtin_add_overflow(value, std::int64_t{text_[at_] - '0'}, &value))
        fail(start, fmt::format("the size {}; allowed are 0 to 2^63 - 1", shown(text_.substr(start))));
    if (at_ == start) fail_expected("a size, which is an int of 0 or more");
    if (text_[start] == '0' && at_ - start > 1) fail(start, "a size that begins with 0");
    if (may_be_long_ && at_ < text_.size() && text_[at_] == 'L') ++at_;
    return value;
  }

  void read_shape(NpyHeader& header) {
    expect('(');
    for (bool more = true; more && !take(')');) {
      const std::int64_t size = read_size();
      LUGE_CHECK(ShapeError, header.shape.ndim() < kMaxDims,
                 "{}: {}: the array has more than {} dimensions, begins with {}", place_.op, place_.file, kMaxDims,
                 to_string(header.shape));
      header.shape.push_back(size);
      more = take(',');
      if (more) continue;
      if (header.shape.ndim() == 1) fail_expected("',', without which it is no tuple");
      expect(')');
    }
  }

  void read_dtype(NpyHeader& header) {
    skip_space();
    const auto refuse = [&](std::string_view given, std::string_view why) {
      raise<DTypeError>(
          "{}: {}: the array is of dtype {}{}; allowed are bool (b1), i1, u1, i2, i4, i8, f2, f4 and f8, "
          "the wider ones with '<' or '>'",
          place_.op, place_.file, given, why);
    };
    if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '('))
      refuse(shown(text_.substr(at_, text_.find_first_of("])", at_) - at_ + 1)), ", which is a structured one");
    const std::string_view code = string("a dtype");
    const char order = code.empty() ? ' ' : code[0];
    const std::string_view type = code.substr(code.empty() ? 0 : 1);
    const std::optional<DType> dtype = dtype_of_code(type);
    const bool ordered =
        order == '<' || order == '>' || order == '=' || (order == '|' && dtype && size_of(*dtype) == 1);
    if (!dtype || !ordered)
      refuse(fmt::format("'{}'", shown(code)), type.starts_with('O') ? ", whose objects are pickles; luge reads none"
                                               : type == "V2" ? ", plain bytes, as which ml_dtypes writes bfloat16"
                                               : type.starts_with('u') ? ", which luge has not"
                                               : type.starts_with('c') ? ", which is complex"
                                                                       : "");
    header.dtype = *dtype;
    header.swapped = size_of(*dtype) > 1 && order != '=' && order != kNative;
  }

  const NpyPlace& place_;
  std::string_view text_;
  std::uint64_t start_;
  bool may_be_long_;
  std::size_t at_ = 0;
};

template <class Bits, class Swap>
void swap_each(std::span<std::byte> bytes, Swap swap) {
  for (std::size_t i = 0; i + sizeof(Bits) <= bytes.size(); i += sizeof(Bits)) {
    Bits value;
    std::memcpy(&value, &bytes[i], sizeof value);
    value = swap(value);
    std::memcpy(&bytes[i], &value, sizeof value);
  }
}

/// From the file's bytes to this machine's. Whatever the file holds, a bool is 0 or 1.
void to_native(const NpyHeader& header, std::span<std::byte> bytes) {
  if (header.dtype == DType::Bool)
    for (std::byte& b : bytes) b = static_cast<std::byte>(b != std::byte{0});
  if (!header.swapped) return;
  switch (size_of(header.dtype)) {
    case 2: return swap_each<std::uint16_t>(bytes, [](std::uint16_t x) { return __builtin_bswap16(x); });
    case 4: return swap_each<std::uint32_t>(bytes, [](std::uint32_t x) { return __builtin_bswap32(x); });
    case 8: return swap_each<std::uint64_t>(bytes, [](std::uint64_t x) { return __builtin_bswap64(x); });
    default: return;
  }
}

Tensor reversed(const Tensor& x) {
  std::array<int, kMaxDims> dims{};
  for (int d = 0; d < x.ndim(); ++d) dims[static_cast<std::size_t>(d)] = x.ndim() - 1 - d;
  return x.permute(std::span(dims).first(static_cast<std::size_t>(x.ndim())));
}

/// What NumPy writes before the numbers, its padding included. Eight dimensions always fit version 1.0.
std::string header_for(DType dtype, bool fortran_order, const Shape& shape) {
  const std::string digits = shape.empty() ? "" : std::to_string(shape[fortran_order ? shape.ndim() - 1 : 0]);
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': {}, 'shape': {}, }}{}",
                                 size_of(dtype) == 1 ? '|' : kNative, code_of(dtype), fortran_order ? "True" : "False",
                                 to_string(shape), std::string(shape.empty() ? 0 : kGrowth - digits.size(), ' '));
  constexpr std::size_t kBefore = 10, kNewline = 1;
  text += std::string(kAlignment - (kBefore + text.size() + kNewline) % kAlignment, ' ') + '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(text.size() & 0xFF), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace

// ---- reading ------------------------------------------------------------------------------------

NpyHeader read_npy_header(const NpyPlace& place, std::uint64_t size, const ReadNext& read) {
  std::array<unsigned char, 12> prefix{};
  std::uint64_t at = 0;
  const auto next = [&](std::size_t bytes, const char* what) {
    LUGE_CHECK(IoError, size - at >= bytes, "{}: {}: offset {}: the file of {} bytes ends within {}", place.op,
               place.file, at, size, what);
    read(&prefix[at], bytes);
    at += bytes;
  };
  next(8, "the magic bytes and the version");
  LUGE_CHECK(IoError, std::memcmp(prefix.data(), kMagic.data(), kMagic.size()) == 0,
             "{}: {}: offset 0: the file begins with '{}'; an npy file begins with '\\x93NUMPY'", place.op, place.file,
             shown({reinterpret_cast<const char*>(prefix.data()), kMagic.size()}));
  const int major = prefix[6], minor = prefix[7];
  LUGE_CHECK(IoError, major >= 1 && major <= 3 && minor == 0,
             "{}: {}: offset 6: the version is {}.{}; allowed are 1.0, 2.0 and 3.0", place.op, place.file, major,
             minor);
  next(major == 1 ? 2 : 4, "the length of the header");
  std::uint64_t length = prefix[8] | prefix[9] << 8;
  if (major > 1) length |= static_cast<std::uint64_t>(prefix[10]) << 16 | static_cast<std::uint64_t>(prefix[11]) << 24;
  LUGE_CHECK(IoError, length <= kLongestHeader, "{}: {}: offset 8: the header has {} bytes; allowed are {}", place.op,
             place.file, length, kLongestHeader);
  LUGE_CHECK(IoError, length <= size - at, "{}: {}: offset {}: the file of {} bytes ends within the header of {}",
             place.op, place.file, at, size, length);
  std::string text(length, ' ');
  read(text.data(), text.size());

  NpyHeader header = HeaderText(place, text, at, major).parse();
  header.data = at + length;
  // Sizes of an empty array count, too: its strides are products of them.
  std::int64_t most = static_cast<std::int64_t>(size_of(header.dtype));
  bool is_empty = false;
  for (const std::int64_t n : header.shape) {
    is_empty |= n == 0;
    LUGE_CHECK(IoError, !__builtin_mul_overflow(most, std::max<std::int64_t>(n, 1), &most),
               "{}: {}: the shape {} of {} is more than 2^63 - 1 bytes", place.op, place.file, to_string(header.shape),
               name(header.dtype));
  }
  header.bytes = is_empty ? 0 : most;
  const std::uint64_t there = size - header.data;
  LUGE_CHECK(IoError, there == static_cast<std::uint64_t>(header.bytes),
             "{}: {}: the shape {} of {} asks for {} bytes from offset {}; there are {}, {}", place.op, place.file,
             to_string(header.shape), name(header.dtype), header.bytes, header.data, there,
             there < static_cast<std::uint64_t>(header.bytes) ? "the file is truncated" : "something else follows");
  return header;
}

Shape stored_shape(const NpyHeader& header) {
  Shape shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  return shape;
}

Tensor as_in_header(const NpyHeader& header, const Tensor& stored) {
  return header.fortran_order ? reversed(stored) : stored;
}

Tensor read_npy_values(const NpyHeader& header, const ReadNext& read, Device device) {
  const Tensor stored = empty(stored_shape(header), {.dtype = header.dtype, .device = device});
  auto* const data = static_cast<std::byte*>(stored.data());
  std::vector<std::byte> staging(static_cast<std::size_t>(device.is_cpu() ? 0 : std::min(header.bytes, kPiece)));
  for (std::int64_t done = 0; done < header.bytes;) {
    const auto bytes = static_cast<std::size_t>(std::min(header.bytes - done, kPiece));
    std::byte* const host = device.is_cpu() ? data + done : staging.data();
    read(host, bytes);
    to_native(header, {host, bytes});
    if (!device.is_cpu()) stored.storage()->backend().copy_from_host(data + done, host, bytes);
    done += static_cast<std::int64_t>(bytes);
  }
  return as_in_header(header, stored);
}

// ---- writing ------------------------------------------------------------------------------------

NpyPieces::NpyPieces(const char* op, const std::string& argument, const Tensor& tensor) {
  checked(tensor, op, argument.c_str());
  LUGE_CHECK(
      DTypeError, !code_of(tensor.dtype()).empty(),
      "{}: {} is {}, for which NumPy's format has no name; write {}.to(float32), which has the same values, or a "
      "safetensors file",
      op, argument, name(tensor.dtype()), argument);
  tensor_ = tensor.detach();
  bool fortran_order = false;
  if (tensor_.numel() > 0 && !tensor_.is_contiguous()) {
    const Tensor other_way = reversed(tensor_);
    fortran_order = other_way.is_contiguous();
    if (fortran_order) tensor_ = other_way;
  }
  header_ = header_for(tensor.dtype(), fortran_order, tensor.shape());
  bytes_ = static_cast<std::size_t>(tensor.numel()) * size_of(tensor.dtype());
}

void NpyPieces::begin() {
  values_.reset();
  header_done_ = false;
}

std::span<const std::byte> NpyPieces::next() {
  if (!std::exchange(header_done_, true)) return std::as_bytes(std::span(header_));
  if (!values_) values_.emplace(tensor_);
  return values_->next();
}

}  // namespace luge
