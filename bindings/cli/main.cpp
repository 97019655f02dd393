// The program luge: doctor, demo, train, sweep, fit, bench.
// Exit codes: 0 done, 1 failed while running, 2 options that make no sense.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <luge/base/error.h>
#include <luge/version.h>

#include "commands.h"

namespace {

constexpr int kFailed = 1, kBadUsage = 2;

/// Results that could not be written are a failure, not a success without output.
void flush_results() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw luge::IoError(fmt::format("standard output: cannot write: {}", std::strerror(errno)));
}

}  // namespace

int main(int argc, char** argv) {
  using namespace luge::cli;
  CLI::App program("luge trains: one model, or a million parameter sets at once, on the CPU or a GPU.", "luge");
  program.set_version_flag("--version", "luge " LUGE_VERSION);
  program.require_subcommand(0, 1);
  program.footer("`luge COMMAND --help` lists the options of a command.");
  Common common;
  const std::vector<Command> commands{add_doctor(program, common), add_demo(program, common), add_train(program, common),
                                      add_sweep(program, common), add_fit(program, common), add_bench(program, common)};
  try {
    program.parse(argc, argv);
    if (program.get_subcommands().empty()) throw CLI::RequiredError("One command");
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : kBadUsage;
  }
  try {
    for (const Command& command : commands)
      if (command.app->parsed()) command.run();
    flush_results();
    return 0;
  } catch (const CLI::ParseError& error) {  // options that only make no sense together
    program.exit(error);
    return kBadUsage;
  } catch (const std::exception& error) {
    fmt::print(stderr, "luge: error: {}\n", error.what());
    return kFailed;
  }
}
