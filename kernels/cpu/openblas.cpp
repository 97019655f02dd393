#include "openblas.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include <cblas.h>
#include <hwy/targets.h>

// Of builds that hold kernels for several processors; a build for one has none to choose.
extern "C" {
[[gnu::weak]] void gotoblas_dynamic_init();
[[gnu::weak]] void gotoblas_dynamic_quit();
}

namespace luge::cpu {

namespace {

/// Whether these kernels use no AVX2, which every processor that they were written for lacks.
bool is_old(std::string_view core) {
  constexpr std::string_view kOld[] = {"Katmai", "Coppermine", "Northwood", "Prescott",     "Banias",    "Atom",   "Core2",      "Penryn",
                                       "Dunnington", "Nehalem", "Sandybridge", "Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat",
                                       "Bulldozer", "Piledriver", "Nano"};
  return std::find(std::begin(kOld), std::end(kOld), core) != std::end(kOld);
}

}  // namespace

void set_up_openblas() {
  openblas_set_num_threads(1);
  constexpr const char* kVariable = "OPENBLAS_CORETYPE";
  if (gotoblas_dynamic_init == nullptr || gotoblas_dynamic_quit == nullptr || std::getenv(kVariable) != nullptr) return;
  const bool wide = (hwy::SupportedTargets() & HWY_AVX3) != 0, has_avx2 = (hwy::SupportedTargets() & HWY_AVX2) != 0;
  if (!(wide || has_avx2) || !is_old(openblas_get_corename())) return;
  setenv(kVariable, wide ? "SkylakeX" : "Haswell", 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv(kVariable);
}

}  // namespace luge::cpu
