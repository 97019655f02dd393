#include "source.h"

#include <algorithm>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include "chain_text.h"

namespace luge::cuda {

namespace {

/// Losses of many steps that a kernel leaves in memory.
constexpr std::int64_t kMostHistoryBytes = std::int64_t{1} << 26;
/// With more chains the kernel takes long to compile, and its text no longer fits the instruction cache.
constexpr std::size_t kMostChains = 24;

/// Of a plan's kernel that run at once, at least.
constexpr int kSetBlocks = 2;

/// The arguments that every kernel ends with, and the text as a whole.
ChainKernel finish(KernelText& text, bool many, int blocks, unsigned* finished, const std::string& body) {
  text.parameters += ",\n    unsigned* const finished";
  text.kernel.arguments.add(finished);
  if (many) {
    text.parameters += ",\n    const int steps";
    text.kernel.steps = text.kernel.arguments.add(1);
  }
  text.kernel.source = fmt::format("#include \"chain.cuh\"\n\n#include <luge/math/elementwise.h>\n\n"
                                   "using namespace luge::cuda;\n\n"
                                   "extern \"C\" __global__ void __launch_bounds__(kThreads, {}) {}({}) {{\n{}}}\n",
                                   blocks, ChainKernel::kName, text.parameters, indented(body, 2));
  return std::move(text.kernel);
}

/// How many blocks at once have 64 KB of a chain's loads on their way, more than the 48 KB that an H200's bandwidth
/// takes: registers leave room for them.
int blocks_at_once(const Chain& chain, Steps steps) {
  if (steps == Steps::Many) return 1;
  const std::size_t bytes =
      std::max<std::size_t>(run_bytes(chain), 1) * static_cast<std::size_t>(kThreads * runs_at_once(chain, steps));
  const bool wide = std::find(chain.values.begin(), chain.values.end(), DType::Float64) != chain.values.end();
  // float64 takes two registers each, and more to divide by; so do sums and the summaries of losses.
  const std::size_t most = wide ? 2 : chain.recordings.empty() && chain.reductions.size() < 3 ? 4 : 3;
  return static_cast<int>(std::clamp<std::size_t>((64 * 1024 + bytes - 1) / bytes, 1, most));
}

std::string last_block(const std::string& last) {
  return last.empty() ? "" : "if (!is_last_block(finished)) return;\n" + last;
}

/// What becomes of the chunks' states of the only chain.
std::string groups(const std::string& group) {
  if (group.empty()) return "";
  return "if (space0.chunks > kChunk)\n  finish_groups(finished + 1, space0.chunks, space0.share, kChunk, "
         "[&](std::int64_t group) {\n" + indented(group, 4) + "  });\n";
}

/// How many steps leave no more losses in memory than they may.
int most_steps(const SetPlan& plan) {
  std::int64_t bytes = 1;
  for (const Chain& chain : plan.chains)
    for (const Chain::Recording& recording : chain.recordings)
      bytes += recording.call.n * static_cast<std::int64_t>(size_of(recording.call.losses.dtype));
  return static_cast<int>(std::clamp(kMostHistoryBytes / bytes, std::int64_t{1}, std::int64_t{kMostSteps}));
}

}  // namespace

bool can_repeat(const Chain& chain) {
  return std::none_of(chain.reductions.begin(), chain.reductions.end(),
                      [](const Chain::Reduction& sum) { return sum.call.store == luge::Store::Accumulate; });
}

bool can_repeat(const SetPlan& plan) {
  const auto fits = [&](const Chain& chain) {
    const auto plain = [&](const Chain::Window& window) { return set_window(chain.extent, window.memory).has_value(); };
    return chain.extent.count() / plan.sets <= kChunk && std::all_of(chain.loads.begin(), chain.loads.end(), plain) &&
           std::all_of(chain.stores.begin(), chain.stores.end(), plain) &&
           std::all_of(chain.reductions.begin(), chain.reductions.end(), [](const Chain::Reduction& sum) {
             Extent kept = sum.call.extent;
             kept.ndim -= sum.call.reduced;
             return set_window(kept, sum.call.out).has_value();
           });
  };
  return plan.chains.size() <= kMostChains && std::all_of(plan.chains.begin(), plan.chains.end(), fits);
}

ChainKernel generate(const Chain& chain, Steps steps, unsigned* finished, const Allocate& allocate) {
  KernelText text{allocate};
  const bool many = steps == Steps::Many;
  text.kernel.most_steps = many ? kMostSteps : 1;
  const ChainSpace space = space_of(chain, steps, 0);
  text.kernel.warps = space.chunks == 1 ? divide_up(space.rows, kWarp / space.lanes) : space.rows * space.chunks;
  const ChainParts parts = add_chain(text, chain, steps, space, 0);
  const std::string wait = many && !chain.updates.empty() ? "__syncthreads();\n" : parts.wait;
  return finish(text, many, blocks_at_once(chain, steps), finished,
                parts.before + wait + parts.body + parts.fence + groups(parts.group) + last_block(parts.last));
}

ChainKernel generate(const SetPlan& plan, unsigned* finished, const Allocate& allocate) {
  KernelText text{allocate};
  text.kernel.most_steps = most_steps(plan);
  SetSpace own{plan.sets, 1};
  for (const Chain& chain : plan.chains) own.lanes = std::max(own.lanes, space_of(chain, Steps::BySets, plan.sets).lanes);
  text.kernel.warps = divide_up(plan.sets, kWarp / own.lanes);
  text.parameter("SetSpace", "set_space", own);
  ChainParts all;
  for (const Chain& chain : plan.chains) {
    ChainSpace space = space_of(chain, Steps::BySets, plan.sets);
    space.lanes = own.lanes;
    const ChainParts parts = add_chain(text, chain, Steps::BySets, space, plan.sets);
    all.before += parts.before;
    // What a lane has written the others of its set read next.
    all.body += "{\n" + indented(parts.body, 2) + "}\n__syncwarp();\n";
    all.last += parts.last;
  }
  const std::string steps =
      "#pragma unroll 1\nfor (int step = 0; step < steps; ++step) {\n" + indented(all.body, 2) + "}\n";
  all.body = "for (SetWalk sets(set_space); sets.inside(); sets.advance()) {\n" + indented(steps, 2) + "}\n";
  return finish(text, true, kSetBlocks, finished, all.before + "__syncthreads();\n" + all.body + last_block(all.last));
}

}  // namespace luge::cuda
