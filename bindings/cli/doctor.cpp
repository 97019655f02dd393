// luge doctor: what this program and this machine can do.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/base/cuda_status.h>
#include <luge/base/memory.h>
#include <luge/version.h>
#include <luge/report/detail/machine.h>
#include <luge/report/table.h>

#include "commands.h"
#include "options.h"

namespace luge::cli {

using namespace report;

namespace {

using Json = nlohmann::ordered_json;

Json as_json(const Machine& machine, const CudaStatus& cuda) {
  Json gpus = Json::array();
  for (const CudaStatus::Gpu& gpu : cuda.gpus)
    gpus.push_back({{"name", gpu.name},
                    {"compute_capability", fmt::format("{}.{}", gpu.major, gpu.minor)},
                    {"memory", gpu.memory},
                    {"free_memory", gpu.free_memory},
                    {"usable", gpu.usable}});
  return {{"version", LUGE_VERSION},
          {"compiler", machine.compiler},
          {"cpu",
           {{"name", machine.cpu},
            {"features", machine.features},
            {"vectors", machine.vectors},
            {"processors", machine.processors},
            {"threads", machine.threads},
            {"memory", machine.memory},
            {"memory_limit", memory_limit()}}},
          {"blas", machine.blas},
          {"cuda",
           {{"built", cuda.built},
            {"usable", cuda.usable},
            {"reason", cuda.reason},
            {"toolkit", cuda.toolkit},
            {"runtime", cuda.runtime},
            {"driver", cuda.driver},
            {"architectures", cuda.architectures},
            {"blas", cuda.blas},
            {"gpus", gpus}}}};
}

void print_line(const char* what, const std::string& text) {
  if (!text.empty()) fmt::print("{:<14}{}\n", what, text);
}

void print(const Machine& machine, const CudaStatus& cuda) {
  print_line("luge", LUGE_VERSION);
  print_line("compiler", machine.compiler);
  print_line("CPU", machine.cpu);
  print_line("  features", fmt::format("{}", fmt::join(machine.features, " ")));
  print_line("  vectors", machine.vectors);
  print_line("  threads", fmt::format("{} of {} processors", machine.threads, machine.processors));
  print_line("  memory", fmt::format("{}, luge uses at most {}", bytes_text(static_cast<double>(machine.memory)),
                                     bytes_text(static_cast<double>(memory_limit()))));
  print_line("BLAS", machine.blas);
  print_line("CUDA", cuda.usable ? "usable" : cuda.built ? "built in, not usable: " + cuda.reason : cuda.reason);
  print_line("  toolkit", cuda.toolkit);
  print_line("  driver", cuda.driver);
  print_line("  binary for", cuda.architectures);
  if (cuda.usable) print_line("  BLAS", cuda.blas);
  for (std::size_t i = 0; i < cuda.gpus.size(); ++i) {
    const CudaStatus::Gpu& gpu = cuda.gpus[i];
    print_line(fmt::format("  cuda:{}", i).c_str(),
               fmt::format("{}, compute capability {}.{}, {} ({} free){}", gpu.name, gpu.major, gpu.minor,
                           bytes_text(static_cast<double>(gpu.memory)), bytes_text(static_cast<double>(gpu.free_memory)),
                           gpu.usable ? "" : ", not usable: its architecture is not in this binary"));
  }
}

}  // namespace

Command add_doctor(CLI::App& program, Common& common) {
  CLI::App* const app = program.add_subcommand("doctor", "What this program and this machine can do.");
  add_common_options(*app, common);
  return {app, [&common] {
            const Machine machine = describe_machine();
            if (common.json) {
              fmt::print("{}\n", as_json(machine, cuda_status()).dump(2));
            } else {
              print(machine, cuda_status());
            }
          }};
}

}  // namespace luge::cli
