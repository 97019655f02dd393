#include <luge/io/detail/safetensors_header.h>

#include <algorithm>
#include <array>
#include <optional>

#include <nlohmann/json.hpp>

#include <luge/base/detail/check.h>

namespace luge {

namespace {

/// An element type of the format; null: luge has none like it.
struct FormatType {
  const char* name;
  std::uint64_t bits;
  std::optional<DType> dtype;
};

/// All of them, in the order in which the format writes tensors, last ones first.
constexpr std::array<FormatType, 22> kFormatTypes{{{"BOOL", 8, DType::Bool},
                                                   {"F4", 4, {}},
                                                   {"F6_E2M3", 6, {}},
                                                   {"F6_E3M2", 6, {}},
                                                   {"U8", 8, DType::UInt8},
                                                   {"I8", 8, DType::Int8},
                                                   {"F8_E5M2", 8, {}},
                                                   {"F8_E4M3", 8, {}},
                                                   {"F8_E8M0", 8, {}},
                                                   {"F8_E4M3FNUZ", 8, {}},
                                                   {"F8_E5M2FNUZ", 8, {}},
                                                   {"I16", 16, DType::Int16},
                                                   {"U16", 16, {}},
                                                   {"F16", 16, DType::Float16},
                                                   {"BF16", 16, DType::BFloat16},
                                                   {"I32", 32, DType::Int32},
                                                   {"U32", 32, {}},
                                                   {"F32", 32, DType::Float32},
                                                   {"C64", 64, {}},
                                                   {"F64", 64, DType::Float64},
                                                   {"I64", 64, DType::Int64},
                                                   {"U64", 64, {}}}};

const FormatType* find_type(std::string_view name) {
  const auto* const found = std::ranges::find(kFormatTypes, name, &FormatType::name);
  return found == kFormatTypes.end() ? nullptr : found;
}

const FormatType& type_of(DType dtype) { return *std::ranges::find(kFormatTypes, dtype, &FormatType::dtype); }

/// More dimensions than any library has.
constexpr std::size_t kMostDims = 64;

/// Takes the events of the JSON parser in the only order that the format allows.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(const char* op, const std::string& path) : op_(op), path_(path) {}
  SafetensorsHeader header;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override { return unexpected("the number " + text); }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (in_array_ && field_ == Field::Shape) {
      if (value > static_cast<std::uint64_t>(INT64_MAX)) fail("tensor '{}' has the size {}", name_, value);
      if (tensor_.shape.size() == kMostDims) fail("tensor '{}' has more than {} dimensions", name_, kMostDims);
      tensor_.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (in_array_ && field_ == Field::Offsets) {
      if (offsets_ == 2) fail("the data_offsets of tensor '{}' are more than two numbers", name_);
      range_[offsets_++] = value;
      return true;
    }
    return unexpected("a number");
  }

  bool string(string_t& text) override {
    if (depth_ == 2 && in_metadata_) {
      if (!header.metadata.emplace(key_, text).second) fail("the metadata '{}' is given twice", key_);
      return true;
    }
    if (depth_ != 2 || in_array_ || field_ != Field::DType) return unexpected("a text");
    if (!find_type(text)) fail("tensor '{}' has the dtype '{}', which the format does not know", name_, text);
    tensor_.dtype = text;
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 0) {
      depth_ = 1;
      return true;
    }
    if (depth_ != 1) return unexpected("an object");
    depth_ = 2;
    tensor_ = {};
    offsets_ = 0;
    has_shape_ = has_offsets_ = false;
    return true;
  }

  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) finish_tensor();
    if (depth_ == 2) in_metadata_ = false;
    --depth_;
    return true;
  }

  bool key(string_t& text) override {
    if (depth_ == 1) {
      in_metadata_ = text == "__metadata__";
      const bool is_new = in_metadata_ ? !std::exchange(has_metadata_, true) : !header.tensors.contains(text);
      if (!is_new) fail("'{}' is given twice", text);
      name_ = text;
      return true;
    }
    key_ = text;
    if (in_metadata_) return true;
    if (text == "dtype" && tensor_.dtype.empty()) {
      field_ = Field::DType;
    } else if (text == "shape" && !has_shape_) {
      field_ = Field::Shape;
    } else if (text == "data_offsets" && !has_offsets_) {
      field_ = Field::Offsets;
    } else if (text == "dtype" || text == "shape" || text == "data_offsets") {
      fail("the {} of tensor '{}' is given twice", text, name_);
    } else {
      fail("tensor '{}' has a '{}'; allowed are dtype, shape and data_offsets", name_, text);
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || field_ == Field::DType) return unexpected("a list");
    in_array_ = true;
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    (field_ == Field::Shape ? has_shape_ : has_offsets_) = true;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail("the header is no JSON from byte {} on", position);
  }

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    raise<IoError>("{}: '{}' is no valid safetensors file: {}", op_, path_,
                   fmt::vformat(format, fmt::make_format_args(args...)));
  }

 private:
  enum class Field : std::uint8_t { DType, Shape, Offsets };

  bool unexpected(const std::string& what) const {
    if (depth_ == 0) fail("the header is {}; it must be an object", what);
    if (depth_ == 1) fail("'{}' is {}; it must be an object", name_, what);
    fail("the {} of '{}' is or holds {}", key_, name_, what);
  }

  void finish_tensor() {
    if (tensor_.dtype.empty()) fail("tensor '{}' has no dtype", name_);
    if (!has_shape_) fail("tensor '{}' has no shape", name_);
    if (offsets_ != 2) fail("tensor '{}' has no two data_offsets", name_);
    if (range_[1] < range_[0]) fail("the data_offsets of tensor '{}' are {} and {}", name_, range_[0], range_[1]);
    std::uint64_t bits = find_type(tensor_.dtype)->bits;
    for (const std::int64_t size : tensor_.shape)
      if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(size), &bits))
        fail("tensor '{}' is larger than 2^64 bits", name_);
    tensor_.begin = range_[0];
    tensor_.bytes = range_[1] - range_[0];
    if (bits % 8 != 0 || bits / 8 != tensor_.bytes)
      fail("tensor '{}' has {} bytes; its dtype and shape take {} bits", name_, tensor_.bytes, bits);
    header.tensors.emplace(name_, std::move(tensor_));
  }

  const char* op_;
  const std::string& path_;
  int depth_ = 0;
  bool in_metadata_ = false, in_array_ = false, has_metadata_ = false;
  std::string name_, key_;
  Field field_ = Field::DType;
  StoredTensor tensor_;
  bool has_shape_ = false, has_offsets_ = false;
  std::size_t offsets_ = 0;
  std::array<std::uint64_t, 2> range_{};
};

}  // namespace

SafetensorsHeader parse_safetensors_header(const char* op, const std::string& path, std::string_view text,
                                           std::uint64_t data_bytes) {
  HeaderReader reader(op, path);
  if (!text.starts_with('{')) reader.fail("the header does not begin with '{{'");
  // Its errors are exceptions of the reader.
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);

  struct Place {
    std::uint64_t begin, bytes;
    const std::string* name;
  };
  std::vector<Place> places;
  places.reserve(reader.header.tensors.size());
  for (const auto& [name, tensor] : reader.header.tensors) places.push_back({tensor.begin, tensor.bytes, &name});
  std::ranges::sort(places, [](const Place& a, const Place& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.bytes < b.bytes;
  });
  std::uint64_t end = 0;
  for (const Place& place : places) {
    if (place.begin != end)
      reader.fail("tensor '{}' begins at byte {} of the data and the one before it ends at {}", *place.name,
                  place.begin, end);
    if (__builtin_add_overflow(end, place.bytes, &end)) reader.fail("its tensors are larger than 2^64 bytes");
  }
  if (end != data_bytes) reader.fail("its tensors take {} bytes and {} bytes of data are there", end, data_bytes);
  return std::move(reader.header);
}

const char* safetensors_name(DType dtype) { return type_of(dtype).name; }

int safetensors_rank(DType dtype) { return static_cast<int>(&type_of(dtype) - kFormatTypes.data()); }

DType dtype_of_safetensors(const char* op, std::string_view tensor, const std::string& dtype) {
  const FormatType* const type = find_type(dtype);
  LUGE_CHECK(DTypeError, type && type->dtype, "{}: tensor '{}' is {}, which luge has no dtype for", op, tensor, dtype);
  return *type->dtype;
}

}  // namespace luge
