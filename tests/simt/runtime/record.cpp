// Which kernels have run: with SIMT_EXECUTED=FOLDER the process adds, when it ends, a line for each to
// FOLDER/NAME, NAME being the executable's, with its address as `nm` prints it (executed.py reads them).

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "simt/runtime/state.h"

namespace simt::runtime {

namespace {

std::set<const void*>& executed() {
  static auto& all = *new std::set<const void*>;
  return all;
}

void write_executed() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").filename();
  std::ofstream file(std::filesystem::path(std::getenv("SIMT_EXECUTED")) / program, std::ios::app);
  for (const void* const kernel : executed()) {
    Dl_info module;
    if (dladdr(kernel, &module) == 0) continue;
    file << std::hex << reinterpret_cast<std::uintptr_t>(kernel) - reinterpret_cast<std::uintptr_t>(module.dli_fbase)
         << '\n';
  }
}

}  // namespace

void note_executed(const void* kernel) {
  static const bool wanted = [] {
    if (!std::getenv("SIMT_EXECUTED")) return false;
    std::atexit(write_executed);
    return true;
  }();
  if (wanted) executed().insert(kernel);
}

}  // namespace simt::runtime
