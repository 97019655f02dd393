#include <cstdlib>
#include <cstring>

#include <luge/luge.h>

#include "fuzz.h"

namespace luge::fuzz {

const std::size_t bytes_of_input = 1;
/// An element of a list in JSON takes 16 bytes for two of text, and a list grows by doubling.
const std::size_t bytes_of_any_input = std::size_t{64} << 10;

void read(const std::string& path) {
  const SafetensorsFile file(path);
  for (const auto& [name, stored] : file.tensors()) {
    Tensor copy;
    try {
      copy = file.tensor(name);
    } catch (const Error&) {
      continue;  // of a dtype or shape that luge has not
    }
    look_at(copy);
    const Tensor view = file.view(name);
    if (stored.bytes > 0 && copy.dtype() != boolean && std::memcmp(view.data(), copy.data(), stored.bytes) != 0)
      std::abort();
  }
}

void make_seeds(const std::string& folder) {
  std::map<std::string, Tensor> all;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const Tensor x = arange(6, {.dtype = float32}).to(dtype).reshape({2, 3});
    save_file({{"x", x}}, folder + std::string(name(dtype)));
    all[std::string(name(dtype))] = x;
  }
  all["scalar"] = scalar(1.5);
  all["none"] = zeros({0, 3});
  all["rows"] = zeros({100000, 0});  // a byte away from more than the file holds
  save_file(all, folder + "all", {{"key", "value"}, {"\"\\\n", ""}});
}

}  // namespace luge::fuzz
