#pragma once
// Internal: the header of a safetensors file as text and as data.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <luge/base/dtype.h>
#include <luge/io/safetensors.h>

namespace luge {

/// The longest header that the reference library reads.
inline constexpr std::uint64_t kMostHeaderBytes = 100'000'000;

struct SafetensorsHeader {
  std::map<std::string, StoredTensor> tensors;  ///< `begin` counts from the first byte after the header
  Metadata metadata;
};

/// The header of a file whose data are `data_bytes` long. Throws IoError: "op: 'path' is no valid safetensors file:
/// ...".
SafetensorsHeader parse_safetensors_header(const char* op, const std::string& path, std::string_view text,
                                           std::uint64_t data_bytes);

/// What the format calls a dtype: "F32".
const char* safetensors_name(DType dtype);
/// Throws DTypeError for what the format knows and luge has not.
DType dtype_of_safetensors(const char* op, std::string_view tensor, const std::string& dtype);

/// Its place in the order of the format, which writes the last ones first.
int safetensors_rank(DType dtype);

/// One tensor to be written.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Writes them in the order of the format, then by name. Throws what save_file does. With `checksums`, metadata tell
/// the XXH3 (64 bits, as 16 hexadecimal digits) of each tensor, "xxh3:NAME", and of the header, "xxh3", as it is with
/// zeros in that place.
void write_safetensors(const char* op, const std::string& path, std::vector<NamedTensor> tensors,
                       const Metadata& metadata, bool checksums);
inline constexpr const char* kHeaderChecksum = "xxh3";
std::string checksum_name(std::string_view tensor);
/// Of a tensor on the CPU, row-major without gaps.
std::string checksum_of(const Tensor& tensor);

}  // namespace luge
