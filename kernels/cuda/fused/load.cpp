#include "load.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "../check.h"
#include "cache.h"
#include "headers.h"
#include "nvrtc.h"

namespace luge::cuda {

namespace {

std::atomic<int> compilations{0};

/// What compiled code depends on beside its source.
std::string circumstances(const std::string& architecture) {
  std::string text = fmt::format("NVRTC {} {}\n", nvrtc_version(), nvrtc_options(architecture));
  for (const FusedHeader& header : fused_headers()) text += fmt::format("// {}\n{}", header.name, header.text);
  return text;
}

std::string architecture_of(const Gpu& gpu, const char* op) {
  int major = 0, minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, gpu.index()), op, "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, gpu.index()), op, "cudaDeviceGetAttribute");
  return fmt::format("sm_{}{}", major, minor);
}

/// The line of a compiler's output that says most.
std::string first_error(const std::string& log) {
  const std::size_t error = log.find("error");
  if (error == std::string::npos) return log.substr(0, log.find('\n'));
  const std::size_t begin = log.rfind('\n', error) + 1;
  return log.substr(begin, log.find('\n', error) - begin);
}

/// The code of a source, or why there is none.
Compiled code_of(const char* name, const std::string& source, const std::string& architecture) {
  const std::string key = circumstances(architecture) + source;
  const std::filesystem::path folder = cache_folder();
  if (std::optional<std::string> cached = find_cached(folder, key)) return {*std::move(cached), {}};
  ++compilations;
  Compiled compiled = nvrtc_compile(name, source, architecture);
  if (compiled.code.empty())
    compiled.error =
        fmt::format("{}; its source is {}", first_error(compiled.error), keep_source(folder, name, source).string());
  else
    keep_cached(folder, key, compiled.code);
  return compiled;
}

GeneratedKernel load(const char* op, const char* name, const std::string& code) {
  GeneratedKernel loaded;
  check(cudaLibraryLoadData(&loaded.library, code.data(), nullptr, nullptr, 0, nullptr, nullptr, 0), op,
        "cudaLibraryLoadData");
  const cudaError_t error = cudaLibraryGetKernel(&loaded.kernel, loaded.library, name);
  if (error != cudaSuccess) {
    cudaLibraryUnload(loaded.library);
    raise_cuda(error, op, "cudaLibraryGetKernel");
  }
  return loaded;
}

}  // namespace

std::string why_not_compiled() {
  const char* const text = std::getenv("LUGE_NVRTC");
  if (text && std::string_view(text) == "0") return "the environment variable LUGE_NVRTC is 0";
  return nvrtc_error();
}

const GeneratedKernel& generated(const Gpu& gpu, const char* op, const char* name, const std::string& source) {
  static std::mutex mutex;
  static auto& kernels = *new std::map<std::pair<int, std::string>, GeneratedKernel>;  // as long as the GPU
  const std::scoped_lock lock(mutex);
  const auto known = kernels.find({gpu.index(), source});
  if (known != kernels.end()) return known->second;
  Compiled compiled = code_of(name, source, architecture_of(gpu, op));
  const GeneratedKernel made = compiled.code.empty() ? GeneratedKernel{nullptr, nullptr, std::move(compiled.error)}
                                                     : load(op, name, compiled.code);
  return kernels[{gpu.index(), source}] = made;
}

int compiled_sources() { return compilations; }

}  // namespace luge::cuda
