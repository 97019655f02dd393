// Random step programs: a captured step leaves the bits of the eager one, whatever the step is.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "devices.h"
#include "expect.h"
#include "programs/check.h"
#include "programs/generate.h"
#include "programs/operations.h"

namespace luge::test {
namespace {

class ProgramsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ProgramsTest);

/// A whole number of the environment.
std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

bool is_switched_off(const char* name) {
  const char* const text = std::getenv(name);
  return text && std::string_view(text) == "0";
}

/// How many programs, from which seed: other ones for each way of executing them.
struct Share {
  std::uint64_t programs, seed;
  std::int64_t most;  ///< largest size
};

Share share_of(Device device) {
  const Share share = device.is_cuda()              ? Share{300, 3'000'000, 64}
                      : is_switched_off("LUGE_JIT") ? Share{700, 2'000'000, 4097}
                                                    : Share{1000, 1'000'000, 4097};
  return {from_environment("LUGE_PROGRAMS", share.programs), from_environment("LUGE_PROGRAM_SEED", share.seed),
          share.most};
}

/// Whether each program has a process of its own, so that one that crashes can be made smaller, too.
bool runs_apart() { return from_environment("LUGE_PROGRAM_APART", 0) != 0; }

/// The program, made smaller, and what is wrong with it.
std::string report(const Program& program, Device device, Outcome outcome, const std::string& fault = {}) {
  const bool crashes = outcome == Outcome::Crashed;
  const Program small = shrink(program, [&](const Program& one) {
    return (crashes ? check_apart(one, device) : check(one, device, fault).outcome) == outcome;
  });
  if (crashes) return to_string(small);
  return check(small, device, fault).text + "\n" + to_string(small);
}

TEST_P(ProgramsTest, CapturedAsEager) {
  const Share share = share_of(device());
  std::uint64_t counts[static_cast<int>(Outcome::Crashed) + 1] = {};
  for (std::uint64_t seed = share.seed; seed < share.seed + share.programs; ++seed) {
    const Program program = generate(seed, share.most);
    if (std::getenv("LUGE_PROGRAM_TRACE")) std::fprintf(stderr, "%s\n", to_string(program).c_str());
    const bool crashes = runs_apart() && check_apart(program, device()) == Outcome::Crashed;
    const Verdict verdict = crashes ? Verdict{Outcome::Crashed, "crashes"} : check(program, device());
    ++counts[static_cast<int>(verdict.outcome)];
    if (!is_failure(verdict.outcome)) continue;
    ADD_FAILURE() << "LUGE_PROGRAMS=1 LUGE_PROGRAM_SEED=" << seed << " " << verdict.text
                  << "\nsmaller: " << report(program, device(), verdict.outcome);
    if (std::getenv("LUGE_PROGRAMS")) continue;
    break;
  }
  const auto count = [&](Outcome outcome) { return counts[static_cast<int>(outcome)]; };
  if (std::getenv("LUGE_PROGRAMS"))
    std::printf("%llu programs: %llu the same, %llu refused, %llu the same error, %llu show nothing\n",
                static_cast<unsigned long long>(share.programs), static_cast<unsigned long long>(count(Outcome::Same)),
                static_cast<unsigned long long>(count(Outcome::Refused)),
                static_cast<unsigned long long>(count(Outcome::SameError)),
                static_cast<unsigned long long>(count(Outcome::NoProgram)));
  EXPECT_LT(count(Outcome::NoProgram), share.programs / 10 + 2);
}

/// Captured runs in which one operation is wrong: a program that shows it is found, and little is left of it.
TEST_P(ProgramsTest, WrongOperationIsFoundAndMadeSmall) {
  for (const char* wrong : {"mul", "sum_over", "transpose"}) {
    SCOPED_TRACE(wrong);
    // A minimum may be a local one, such as a product of a product whose gradient alone shows the fault: of three, the best.
    std::vector<Program> minima;
    for (std::uint64_t seed = 1; seed < 300 && minima.size() < 3; ++seed) {
      const Program program = generate(seed, 17);
      const auto shows = [&](const Program& one) { return check(one, device(), wrong).outcome == Outcome::OtherBits; };
      if (shows(program)) minima.push_back(shrink(program, shows));
    }
    ASSERT_FALSE(minima.empty()) << "no program of 300 shows it";
    const auto size = [](const Program& program) { return program.body.size() + program.tensors.size(); };
    const Program small = *std::min_element(minima.begin(), minima.end(),
                                            [&](const Program& a, const Program& b) { return size(a) < size(b); });
    EXPECT_TRUE(small.has(wrong));
    EXPECT_LE(small.body.size(), 2u) << to_string(small);
    EXPECT_LE(small.tensors.size(), 2u) << to_string(small);
    EXPECT_EQ(small.parts.size(), 1u) << to_string(small);
    EXPECT_FALSE(is_failure(check(small, device()).outcome)) << to_string(small);
  }
}

}  // namespace
}  // namespace luge::test
