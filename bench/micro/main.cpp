#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <luge/ops/create.h>
#include <luge/base/threads.h>

#include "benchmarks.h"

int main(int argc, char** argv) {
  using namespace luge;
  manual_seed(1);
  bench::add_elementwise();
  bench::add_reductions();
  bench::add_rows();
  bench::add_sort();
  bench::add_matmul();
  bench::add_autograd();
  bench::add_demo();
  bench::add_training();
  bench::add_networks();
  bench::add_allocation();

  // Before the caller's options, which so win: the whole list in some minutes, without first page faults.
  std::string brief = "--benchmark_min_time=0.1", warm = "--benchmark_min_warmup_time=0.02";
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.begin() + 1, {brief.data(), warm.data()});
  int count = static_cast<int>(arguments.size());
  benchmark::AddCustomContext("luge_threads", std::to_string(num_threads()));
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
