#include <fstream>

#include <zlib.h>

#include <luge/luge.h>

#include "fuzz.h"

namespace luge::fuzz {

const std::size_t bytes_of_input = kDeflated;
/// Buffers of zlib.
const std::size_t bytes_of_any_input = std::size_t{512} << 10;

void read(const std::string& path) {
  const IdxArray array = read_idx(path);
  if (array.bytes.size() > 4096) return;  // tensors of wider dtypes are larger than what the bound is about
  for (const DType dtype : {boolean, uint8, int32, float16, float64}) look_at(array.to_tensor(dtype));
}

void make_seeds(const std::string& folder) {
  for (const char type : {'\x08', '\x09', '\x0B', '\x0C', '\x0D', '\x0E'}) {
    const std::string elements(type <= 0x09 ? 6 : type == 0x0B ? 12 : type == 0x0E ? 48 : 24, '\x41');
    const std::string bytes = std::string{0, 0, type, 2, 0, 0, 0, 2, 0, 0, 0, 3} + elements;
    const std::string name = folder + std::to_string(type);
    std::ofstream(name, std::ios::binary) << bytes;
    const gzFile file = gzopen((name + ".gz").c_str(), "wb9");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  }
}

}  // namespace luge::fuzz
