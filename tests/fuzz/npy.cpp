#include <cstdlib>
#include <cstring>

#include <luge/luge.h>

#include "fuzz.h"

namespace luge::fuzz {

const std::size_t bytes_of_input = 1;
const std::size_t bytes_of_any_input = std::size_t{16} << 10;

void read(const std::string& path) {
  const Tensor read = load_npy(path);
  look_at(read);
  if (read.dtype() == boolean) return;  // none is mapped
  const Tensor mapped = load_npy(path, Device::cpu(), true);
  const std::size_t bytes = static_cast<std::size_t>(read.numel()) * size_of(read.dtype());
  if (mapped.strides() != read.strides() || (bytes > 0 && std::memcmp(mapped.data(), read.data(), bytes) != 0))
    std::abort();
}

void make_seeds(const std::string& folder) {
  for (const DType dtype : {boolean, uint8, int8, int16, int32, int64, float16, float32, float64}) {
    const Tensor x = arange(6, {.dtype = float32}).to(dtype).reshape({2, 3});
    save_npy(folder + std::string(name(dtype)), x);
    save_npy(folder + std::string(name(dtype)) + ".t", x.t());
  }
  save_npy(folder + "scalar", scalar(1.5));
  save_npy(folder + "empty", zeros({0, 3}));
  save_npy(folder + "rows", zeros({100000, 0}));  // a byte away from more than the file holds
}

}  // namespace luge::fuzz
