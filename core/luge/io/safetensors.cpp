#include <luge/io/safetensors.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <utility>

#include <nlohmann/json.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/io/detail/host_bytes.h>
#include <luge/io/detail/safetensors_header.h>
#include <luge/ops/create.h>
#include <luge/seam/backend.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace {

std::string checksum_text(std::uint64_t checksum) { return fmt::format("{:016x}", checksum); }
const std::string kNoChecksum = checksum_text(0);

/// Of the header as it was before it held its own checksum.
std::string header_checksum(std::string header) {
  const std::string key = fmt::format("\"{}\":\"", kHeaderChecksum);
  const std::size_t at = header.find(key);
  if (at != std::string::npos && at + key.size() + kNoChecksum.size() <= header.size())
    header.replace(at + key.size(), kNoChecksum.size(), kNoChecksum);
  return checksum_text(XXH3_64bits(header.data(), header.size()));
}

}  // namespace

std::string checksum_name(std::string_view tensor) { return fmt::format("{}:{}", kHeaderChecksum, tensor); }

std::string checksum_of(const Tensor& tensor) {
  return checksum_text(XXH3_64bits(tensor.data(), static_cast<std::size_t>(tensor.numel()) * size_of(tensor.dtype())));
}

// ---- reading ------------------------------------------------------------------------------------

class SafetensorsFile::Impl {
 public:
  Impl(const char* op, const std::string& path) : op_(op), file_(op, path) {
    const std::uint64_t size = file_.size();
    std::uint64_t length = 0;
    LUGE_CHECK(IoError, size >= sizeof length,
               "{}: '{}' is no valid safetensors file: it has {} bytes, fewer than the length of a header", op, path,
               size);
    file_.read(0, &length, sizeof length);
    LUGE_CHECK(IoError, length <= kMostHeaderBytes,
               "{}: '{}' is no valid safetensors file: its header has {} bytes; allowed are {}", op, path, length,
               kMostHeaderBytes);
    LUGE_CHECK(IoError, length <= size - sizeof length,
               "{}: '{}' is no valid safetensors file: its header has {} bytes and {} are there", op, path, length,
               size - sizeof length);
    std::string text(length, '\0');
    file_.read(sizeof length, text.data(), text.size());
    const std::uint64_t data = sizeof length + length;
    header_ = parse_safetensors_header(op, path, text, size - data);
    for (auto& [name, tensor] : header_.tensors) tensor.begin += data;
    const auto told = header_.metadata.find(kHeaderChecksum);
    is_damaged_ = told != header_.metadata.end() && told->second != header_checksum(std::move(text));
  }

  const char* op() const { return op_; }
  const InputFile& file() const { return file_; }
  const SafetensorsHeader& header() const { return header_; }
  bool is_damaged() const { return is_damaged_; }

  const StoredTensor& find(std::string_view name) const {
    const auto found = header_.tensors.find(std::string(name));
    if (found != header_.tensors.end()) return found->second;
    std::string names;
    int listed = 0;
    for (const auto& [other, tensor] : header_.tensors) {
      if (++listed > 10) break;
      names += fmt::format("{}'{}'", listed == 1 ? "" : ", ", other);
    }
    if (listed > 10) names += ", ...";
    raise<IndexError>("{}: '{}' has no tensor '{}'; there {}: {}", op_, file_.path(), name,
                      header_.tensors.size() == 1 ? "is one" : fmt::format("are {}", header_.tensors.size()), names);
  }

 private:
  const char* op_;
  InputFile file_;
  SafetensorsHeader header_;
  bool is_damaged_ = false;
};

SafetensorsFile::SafetensorsFile(const char* op, const std::string& path)
    : impl_(std::make_shared<const Impl>(op, path)) {}
SafetensorsFile::SafetensorsFile(const std::string& path, SourceLocation location) {
  refuse_capture("SafetensorsFile", kHostWrite, location);
  impl_ = std::make_shared<const Impl>("SafetensorsFile", path);
}
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::string& SafetensorsFile::path() const { return impl_->file().path(); }
const std::map<std::string, StoredTensor>& SafetensorsFile::tensors() const { return impl_->header().tensors; }
const Metadata& SafetensorsFile::metadata() const { return impl_->header().metadata; }
bool SafetensorsFile::contains(std::string_view name) const { return tensors().contains(std::string(name)); }
const StoredTensor& SafetensorsFile::operator[](std::string_view name) const { return impl_->find(name); }

std::vector<std::string> SafetensorsFile::offset_names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors()) names.push_back(name);
  std::ranges::stable_sort(names, [&](const std::string& a, const std::string& b) {
    const StoredTensor &left = tensors().at(a), &right = tensors().at(b);
    return left.begin != right.begin ? left.begin < right.begin : left.bytes < right.bytes;
  });
  return names;
}

DType SafetensorsFile::dtype(std::string_view name) const {
  return dtype_of_safetensors(impl_->op(), name, impl_->find(name).dtype);
}

Shape SafetensorsFile::shape(std::string_view name) const {
  const StoredTensor& stored = impl_->find(name);
  LUGE_CHECK(ShapeError, stored.shape.size() <= kMaxDims, "{}: tensor '{}' has {} dimensions; allowed are {}",
             impl_->op(), name, stored.shape.size(), kMaxDims);
  return Shape(std::span<const std::int64_t>(stored.shape));
}

Tensor SafetensorsFile::tensor(std::string_view name, Device device, SourceLocation location) const {
  refuse_capture(impl_->op(), kHostWrite, location);
  const DType dtype = this->dtype(name);
  const Tensor result = empty(shape(name), {.dtype = dtype});
  const StoredTensor& stored = impl_->find(name);
  if (stored.bytes > 0) impl_->file().read(stored.begin, result.data(), stored.bytes);
  if (dtype == DType::Bool) {
    // Whatever the file holds, a bool is 0 or 1.
    auto* const bytes = static_cast<unsigned char*>(result.data());
    for (std::uint64_t i = 0; i < stored.bytes; ++i) bytes[i] = bytes[i] != 0;
  }
  return result.to(device, location);
}

Tensor SafetensorsFile::bytes(std::string_view name) const {
  const StoredTensor& stored = impl_->find(name);
  const Tensor result = empty({static_cast<std::int64_t>(stored.bytes)}, {.dtype = DType::UInt8});
  if (stored.bytes > 0) impl_->file().read(stored.begin, result.data(), stored.bytes);
  return result;
}

Tensor SafetensorsFile::view(std::string_view name) const {
  const StoredTensor& stored = impl_->find(name);
  const DType dtype = this->dtype(name), seen = dtype == DType::Bool ? DType::UInt8 : dtype;
  const Shape shape = this->shape(name);
  if (stored.begin % size_of(seen) != 0 || stored.bytes == 0) {
    const Tensor copy = tensor(name);
    return dtype == DType::Bool ? copy.to(seen) : copy;
  }
  // Nobody writes to it: the mapping is read-only.
  void* const data = const_cast<std::byte*>(impl_->file().mapped().data() + stored.begin);
  return from_memory(data, shape, contiguous_strides(shape), seen, Device::cpu(), [keep = impl_] {});
}

bool SafetensorsFile::header_is_damaged() const { return impl_->is_damaged(); }

std::map<std::string, Tensor> load_file(const std::string& path, Device device, SourceLocation location) {
  refuse_capture("load_file", kHostWrite, location);
  backend(device);  // a device that cannot be used is reported before anything is read
  const SafetensorsFile file("load_file", path);
  for (const auto& [name, stored] : file.tensors())
    static_cast<void>(file.dtype(name)), static_cast<void>(file.shape(name));
  std::map<std::string, Tensor> result;
  for (const std::string& name : file.offset_names()) result.emplace(name, file.tensor(name, device, location));
  return result;
}

// ---- writing ------------------------------------------------------------------------------------

namespace {

struct HeaderText {
  std::string text;
  std::map<std::string, std::size_t> places;  ///< of the texts of the metadata, by name

  /// Writes over a text of the metadata, which needs no escapes and stays as long.
  void put(const std::string& name, const std::string& value) { text.replace(places.at(name), value.size(), value); }
};

HeaderText header_text(const std::vector<NamedTensor>& tensors, const Metadata& metadata) {
  using Json = nlohmann::ordered_json;
  HeaderText header{"{", {}};
  std::string& text = header.text;
  const auto add_key = [&](const std::string& name) {
    text += fmt::format("{}{}:", text.back() == '{' ? "" : ",", Json(name).dump());
  };
  if (!metadata.empty()) {
    add_key("__metadata__");
    text += '{';
    for (const auto& [name, value] : metadata) {
      add_key(name);
      header.places[name] = text.size() + 1;  // after the quote
      text += Json(value).dump();
    }
    text += '}';
  }
  std::uint64_t offset = 0;
  for (const NamedTensor& entry : tensors) {
    const std::uint64_t end = offset + static_cast<std::uint64_t>(entry.tensor.numel()) * size_of(entry.tensor.dtype());
    const Shape& shape = entry.tensor.shape();
    add_key(entry.name);
    text += Json{{"dtype", safetensors_name(entry.tensor.dtype())},
                 {"shape", std::vector<std::int64_t>(shape.begin(), shape.end())},
                 {"data_offsets", {offset, end}}}
                .dump();
    offset = end;
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

void write_safetensors(const char* op, const std::string& path, std::vector<NamedTensor> tensors,
                       const Metadata& metadata, bool checksums) {
  for (const NamedTensor& entry : tensors) {
    LUGE_CHECK(ValueError, entry.tensor.defined(), "{}: tensor '{}' is undefined", op, entry.name);
    LUGE_CHECK(ValueError, entry.name != "__metadata__",
               "{}: a tensor has the name '__metadata__', which the format keeps for texts", op);
  }
  std::ranges::sort(tensors, [](const NamedTensor& a, const NamedTensor& b) {
    const int left = safetensors_rank(a.tensor.dtype()), right = safetensors_rank(b.tensor.dtype());
    return left != right ? left > right : a.name < b.name;
  });
  Metadata texts = metadata;
  // Of the same length as what will stand there.
  if (checksums) {
    texts[kHeaderChecksum] = kNoChecksum;
    for (const NamedTensor& entry : tensors) texts[checksum_name(entry.name)] = kNoChecksum;
  }
  HeaderText header;
  try {
    header = header_text(tensors, texts);
  } catch (const nlohmann::json::exception&) {
    raise<ValueError>("{}: a name or a text of the metadata is no UTF-8", op);
  }
  LUGE_CHECK(ValueError, header.text.size() <= kMostHeaderBytes, "{}: names and metadata take {} bytes; allowed are {}",
             op, header.text.size(), kMostHeaderBytes);
  OutputFile file(op, path);
  const std::uint64_t length = header.text.size();
  file.write(&length, sizeof length);
  file.write(header.text.data(), header.text.size());
  for (const NamedTensor& entry : tensors) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    HostBytes bytes(entry.tensor);
    for (auto piece = bytes.next(); !piece.empty(); piece = bytes.next()) {
      if (checksums) XXH3_64bits_update(&state, piece.data(), piece.size());
      file.write(piece.data(), piece.size());
    }
    if (checksums) header.put(checksum_name(entry.name), checksum_text(XXH3_64bits_digest(&state)));
  }
  if (checksums) {
    header.put(kHeaderChecksum, header_checksum(header.text));
    file.rewrite(sizeof length, header.text.data(), header.text.size());
  }
  file.commit();
}

void save_file(const std::map<std::string, Tensor>& tensors, const std::string& path, const Metadata& metadata,
               SourceLocation location) {
  refuse_capture("save_file", kHostRead, location);
  std::vector<NamedTensor> entries;
  for (const auto& [name, tensor] : tensors) entries.push_back({name, tensor});
  write_safetensors("save_file", path, std::move(entries), metadata, false);
}

}  // namespace luge
