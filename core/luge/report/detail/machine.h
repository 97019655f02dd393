#pragma once
// Internal: what a report and `luge doctor` say of the machine.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <luge/base/device.h>

namespace luge::report {

/// The machine and the program, as far as they matter for a result.
struct Machine {
  std::string cpu;                    ///< the processor's name
  std::vector<std::string> features;  ///< of those that matter to the kernels: avx2, fma, ...
  std::string vectors;                ///< the widest instruction set that the kernels are built for and this CPU has
  int processors = 0, threads = 0;
  std::size_t memory = 0;
  std::string blas;                   ///< OpenBLAS and how it was configured
  std::string compiler;
};

Machine describe_machine();

/// The same in pairs of words for a report: luge, device, CPU, threads, compiler, date.
std::vector<std::pair<std::string, std::string>> machine_facts(Device device);

}  // namespace luge::report
