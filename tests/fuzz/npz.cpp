#include <fstream>

#include <luge/luge.h>

#include "fuzz.h"

namespace luge::fuzz {

const std::size_t bytes_of_input = kDeflated;
/// libzip makes room for 65,536 members when a directory holds more than it says.
const std::size_t bytes_of_any_input = std::size_t{3} << 20;

void read(const std::string& path) {
  for (const auto& [name, tensor] : load_npz(path)) look_at(tensor);
}

void make_seeds(const std::string& folder) {
  const Tensor x = arange(6, {.dtype = float32}).reshape({2, 3});
  save_npz(folder + "none", {});
  using namespace std::string_literals;
  const std::string none(8, '\0'), unknown(4, '\xFF');
  std::ofstream(folder + "none.zip64", std::ios::binary)
      << "PK\6\6\x2C\0\0\0\0\0\0\0\x2D\0\x2D\0"s << none << none << none << none << none  // no members
      << "PK\6\7\0\0\0\0"s << none << "\1\0\0\0"s                                         // where that is
      << "PK\5\6\0\0\0\0\xFF\xFF\xFF\xFF"s << unknown << unknown << "\0\0"s;
  for (const bool compressed : {false, true}) {
    const std::string suffix = compressed ? ".deflated" : ".stored";
    save_npz(folder + "one" + suffix, {{"x", x}}, compressed);
    save_npz(folder + "two" + suffix, {{"x", x.t()}, {"ü", zeros({500}, {.dtype = int8})}}, compressed);
    save_npz(folder + "rows" + suffix, {{"x", zeros({100000, 0})}}, compressed);
  }
}

}  // namespace luge::fuzz
