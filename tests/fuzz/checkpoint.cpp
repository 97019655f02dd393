#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include <luge/io/detail/safetensors_header.h>
#include <luge/luge.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "fuzz.h"

namespace luge::fuzz {

namespace {

struct Training {
  Training()
      : params({.sets = 2}),
        w(params.add("w", {3}, init::constant(1))),
        adam(params, {}),
        schedule(adam, {.step_size = 2}),
        stream(Batches({zeros({4, 2, 2}), arange(4)}, {.batch = 2})) {}
  checkpoint::Parts parts() {
    return {.params = params, .optimizer = &adam, .schedules = {&schedule}, .monitor = &monitor, .loader = &stream};
  }

  Parameters params;
  Tensor w;
  Adam adam;
  StepLr schedule;
  BatchStream stream;
  Monitor monitor{{.progress = false}};
};

void load(const std::string& path) {
  Training training;
  const checkpoint::Loaded loaded = checkpoint::load(path, training.parts(), {.strict = false});
  for (const auto& [name, tensor] : loaded.extra) look_at(tensor);
  look_at(training.w.detach());
}

/// Puts the value of a text of metadata in the place of the one that `header` has; nothing if there is none.
void set_text(std::string& header, const std::string& name, const std::string& value) {
  const std::string key = "\"" + name + "\":\"";
  const std::size_t at = header.find(key);
  if (at != std::string::npos && at + key.size() + value.size() <= header.size())
    header.replace(at + key.size(), value.size(), value);
}

/// Makes the checksums of a damaged file agree with what it has, so that what comes behind them is reached.
bool sign(const std::string& path) {
  std::map<std::string, std::string> checksums;
  const SafetensorsFile file(path);
  for (const auto& [name, stored] : file.tensors()) checksums[checksum_name(name)] = checksum_of(file.bytes(name));
  std::ifstream in(path, std::ios::binary);
  std::string length(8, '\0');
  in.read(length.data(), 8);
  std::string header(static_cast<std::size_t>(static_cast<unsigned char>(length[0])) +
                         (static_cast<std::size_t>(static_cast<unsigned char>(length[1])) << 8),
                     '\0');
  if (!in.read(header.data(), static_cast<std::streamsize>(header.size()))) return false;  // longer than any input
  const std::string before = header;
  for (const auto& [name, checksum] : checksums) set_text(header, name, checksum);
  set_text(header, kHeaderChecksum, std::string(16, '0'));
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(header.data(), header.size())));
  set_text(header, kHeaderChecksum, text);
  if (header == before) return false;
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(8);
  out << header;
  return out.good();
}

}  // namespace

const std::size_t bytes_of_input = 1;
const std::size_t bytes_of_any_input = std::size_t{1} << 20;

void read(const std::string& path) {
  try {
    load(path);
  } catch (const Error&) {
    if (!sign(path)) throw;
    load(path);
  }
}

void make_seeds(const std::string& folder) {
  Training training;
  training.w.sum().backward();
  training.adam.step();
  training.schedule.step();
  training.stream.next();
  training.monitor.record(training.w);
  checkpoint::save(folder + "whole", training.parts(), {.step = 1, .extra = {{"x", ones({2})}}, .notes = {{"a", "b"}}});
  checkpoint::save(folder + "params", {.params = training.params});
  checkpoint::save(folder + "none", {});
}

}  // namespace luge::fuzz
