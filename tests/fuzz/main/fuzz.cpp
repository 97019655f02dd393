// Between libFuzzer and a fuzzer. With LUGE_FUZZ_SEEDS=FOLDER/ in the environment the first thing is to fill that
// folder, to see that every seed can be read, and to try every seed with each of its bytes changed: that takes a few
// seconds and finds for certain what random changes find by chance.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <sanitizer/allocator_interface.h>

#include <luge/luge.h>

#include "../fuzz.h"

namespace {

/// The largest allocation since it was 0; only the thread that reads allocates then.
thread_local std::size_t largest = 0;

void note_allocation(const volatile void*, std::size_t bytes) {
  if (bytes > largest) largest = bytes;
}
void note_release(const volatile void*) {}

void check(const char* what, std::size_t bytes, std::size_t input) {
  const std::size_t most = luge::fuzz::bytes_of_input * input + luge::fuzz::bytes_of_any_input;
  if (bytes <= most) return;
  std::fprintf(stderr, "%s of %zu bytes for an input of %zu bytes; allowed are %zu\n", what, bytes, input, most);
  std::abort();
}

}  // namespace

void luge::fuzz::look_at(const Tensor& tensor) {
  // What was loaded lies without gaps, in one order or the other.
  const auto* const bytes = static_cast<const unsigned char*>(tensor.data());
  unsigned char all = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.numel()) * size_of(tensor.dtype()); ++i) all |= bytes[i];
  if (tensor.dtype() == boolean && all > 1) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("fuzz", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  const luge::Device cpu = luge::Device::cpu();
  luge::reset_peak_memory(cpu);
  const std::size_t before = luge::memory_stats(cpu).allocated;
  largest = 0;
  try {
    luge::fuzz::read(path);
  } catch (const luge::Error&) {
  }
  check("an allocation", largest, size);
  const luge::MemoryStats after = luge::memory_stats(cpu);
  check("tensors", after.peak - before, size);
  if (after.allocated != before) {
    std::fprintf(stderr, "%zu bytes of tensors are still there\n", after.allocated - before);
    std::abort();
  }
  return 0;
}

namespace {

/// Three ways for each byte, one in a long seed. An input that ends the process stays behind as FOLDER/changed.
void change_every_byte(const std::string& folder, const std::string& seed) {
  constexpr std::size_t kLong = 1024;
  const std::string changed = folder + "changed";
  std::ofstream file(changed, std::ios::binary);
  for (std::size_t i = 0; i < seed.size(); ++i)
    for (const char value : seed.size() < kLong ? std::string{'9', '\xFF', static_cast<char>(seed[i] ^ 1)} : "9") {
      if (value == seed[i]) continue;
      std::string input = seed;
      input[i] = value;
      (file.seekp(0) << input).flush();
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
  std::filesystem::remove(changed);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  __sanitizer_install_malloc_and_free_hooks(&note_allocation, &note_release);
  if (const char* const folder = std::getenv("LUGE_FUZZ_SEEDS")) {
    luge::fuzz::make_seeds(folder);
    std::vector<std::string> seeds;
    for (const auto& seed : std::filesystem::directory_iterator(folder)) {
      luge::fuzz::read(seed.path().string());
      std::ifstream file(seed.path(), std::ios::binary);
      seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    for (const std::string& seed : seeds) change_every_byte(folder, seed);
  }
  return 0;
}
