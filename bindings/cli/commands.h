#pragma once
// The subcommands of luge. Each file adds its options to the program and says how to run it.

#include <cstdint>
#include <functional>

#include <luge/base/device.h>

namespace CLI {
class App;
}

namespace luge::cli {

/// What every subcommand takes.
struct Common {
  Device device = Device::cpu();
  std::uint64_t seed = 0;
  bool json = false;  ///< results as JSON on standard output
};

/// A subcommand: run() prints its results on standard output and throws luge::Error where it fails.
struct Command {
  CLI::App* app = nullptr;
  std::function<void()> run;
};

Command add_doctor(CLI::App& program, Common& common);
Command add_demo(CLI::App& program, Common& common);
Command add_train(CLI::App& program, Common& common);
Command add_sweep(CLI::App& program, Common& common);
Command add_fit(CLI::App& program, Common& common);
Command add_bench(CLI::App& program, Common& common);

}  // namespace luge::cli
