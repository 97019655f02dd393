#include <luge/report/detail/machine.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <sstream>

#include <cblas.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <luge/base/cuda_status.h>
#include <luge/base/threads.h>
#include <luge/version.h>

#include <luge/report/table.h>
#include <luge/seam/backend.h>

namespace luge::report {
namespace {

struct Processor {
  std::string name = "unknown";
  std::vector<std::string> flags;
};

Processor read_processor() {
  Processor processor;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    const std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) processor.name = value;
    if (line.starts_with("flags") || line.starts_with("Features")) {
      std::istringstream words(value);
      for (std::string word; words >> word;) processor.flags.push_back(word);
    }
  }
  return processor;
}

/// The instruction sets of kernels/cpu/targets.h, widest first, with the flags that each needs.
std::string widest_vectors(const std::vector<std::string>& flags) {
  const auto has = [&](const auto&... names) {
    return ((std::find(flags.begin(), flags.end(), names) != flags.end()) && ...);
  };
  if (has("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")) return "AVX-512";
  if (has("avx2", "fma", "bmi1", "bmi2", "f16c")) return "AVX2";
  if (has("asimd")) return "NEON";
  return "none";
}

}  // namespace

Machine describe_machine() {
  const Processor processor = read_processor();
  Machine machine;
  machine.cpu = processor.name;
  for (const char* name : {"sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16",
                           "avx512_fp16", "amx_bf16", "asimd", "sve"})
    if (std::find(processor.flags.begin(), processor.flags.end(), name) != processor.flags.end())
      machine.features.emplace_back(name);
  machine.vectors = widest_vectors(processor.flags);
  machine.processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  machine.threads = num_threads();
  machine.memory = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGE_SIZE));
  backend(Device::cpu());  // chooses OpenBLAS's kernels, which the text names
  machine.blas = openblas_get_config();
  machine.blas.erase(machine.blas.find_last_not_of(' ') + 1);
#if defined(__clang__)
  machine.compiler = fmt::format("clang {}", __clang_version__);
#else
  machine.compiler = fmt::format("g++ {}", __VERSION__);
#endif
  return machine;
}

std::vector<std::pair<std::string, std::string>> machine_facts(Device device) {
  const Machine machine = describe_machine();
  std::string where = to_string(device);
  const std::vector<CudaStatus::Gpu>& gpus = cuda_status().gpus;
  if (device.is_cuda() && static_cast<std::size_t>(device.index) < gpus.size())
    where += " (" + gpus[static_cast<std::size_t>(device.index)].name + ")";
  return {{"luge", LUGE_VERSION},
          {"device", where},
          {"CPU", fmt::format("{}, {} of {} processors used", machine.cpu, machine.threads, machine.processors)},
          {"memory", bytes_text(static_cast<double>(machine.memory))},
          {"compiler", machine.compiler},
          {"BLAS", machine.blas},
          {"date", fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)))}};
}

}  // namespace luge::report
