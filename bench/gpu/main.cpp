// Times luge's operations and training steps on a device, with their errors against float64.
//
//   luge_device_bench [--device cuda] [--groups a,b,...] [--seconds S] [--small] [--output FILE]

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <luge/base/error.h>
#include <luge/ops/create.h>

#include "session.h"

namespace {

using namespace luge;
using namespace luge::bench;

struct Group {
  const char* name;
  void (*measure)(const Session&);
};
constexpr Group kGroups[] = {
    {"ceilings", measure_ceilings}, {"elementwise", measure_elementwise}, {"reductions", measure_reductions},
    {"rows", measure_rows},         {"adam", measure_adam},               {"matmul", measure_matmul},
    {"demo", measure_demo},         {"mlp", measure_mlp},                 {"ensemble", measure_ensemble},
};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

int usage(const std::string& why) {
  fmt::print(stderr, "{}\nusage: luge_device_bench [--device cuda] [--groups a,b,...] [--seconds S] [--small] [--output FILE]\ngroups:", why);
  for (const Group& group : kGroups) fmt::print(stderr, " {}", group.name);
  fmt::print(stderr, "\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings{.device = Device::cuda()};
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string option = argv[i];
      if (option == "--small") {
        settings.small = true;
        continue;
      }
      if (i + 1 == argc) return usage(option + " needs a value");
      const std::string value = argv[++i];
      if (option == "--device") settings.device = Device::parse(value);
      else if (option == "--groups") settings.groups = split(value);
      else if (option == "--seconds") settings.seconds = std::stod(value);
      else if (option == "--output") settings.output = std::fopen(value.c_str(), "w");
      else return usage("there is no option " + option);
      if (settings.output == nullptr) return usage(value + " cannot be written");
    }
    for (const std::string& name : settings.groups) {
      bool known = false;
      for (const Group& group : kGroups) known = known || name == group.name;
      if (!known) return usage("there is no group " + name);
    }
    manual_seed(1);
    zeros({1}, {.device = settings.device});  // a device that cannot be used is one error, not one for each case
    const Session session(settings);
    for (const Group& group : kGroups)
      if (session.wants(group.name)) group.measure(session);
  } catch (const std::exception& error) {
    fmt::print(stderr, "luge_device_bench: {}\n", error.what());
    return 1;
  }
}
