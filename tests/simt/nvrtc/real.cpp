// Compiles generated sources with NVIDIA's NVRTC, which needs no GPU. Exit code 77: it is not installed.
//
//     real ARCHITECTURE SOURCE...

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "kernels/cuda/fused/nvrtc.h"

int main(int count, char** arguments) {
  using namespace luge::cuda;
  if (!nvrtc_error().empty()) {
    std::printf("skipped: %s\n", nvrtc_error().c_str());
    return 77;
  }
  if (count < 3) {
    std::printf("no sources\n");
    return 1;
  }
  for (int i = 2; i < count; ++i) {
    std::ifstream file(arguments[i]);
    const std::string source((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const Compiled compiled = nvrtc_compile("source", source, arguments[1]);
    if (compiled.code.empty()) {
      std::printf("%s: %s\n", arguments[i], compiled.error.c_str());
      return 1;
    }
  }
  std::printf("NVRTC %s compiled %d sources for %s\n", nvrtc_version().c_str(), count - 2, arguments[1]);
  return 0;
}
