#include "segment_text.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include <luge/base/detail/dispatch.h>

#include "../segment.cuh"
#include "chain_text.h"
#include "expressions.h"

namespace luge::cuda {

namespace {

/// What a thread has on its way from memory at once, in bytes: few warps run, so each has to ask for much.
constexpr std::size_t kInFlight = 128;
constexpr int kMostRuns = 4;

std::int64_t reduced_length(const Reduce& call) {
  std::int64_t length = 1;
  for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d)
    length *= call.extent.sizes[static_cast<std::size_t>(d)];
  return length;
}
Extent kept_of(const Reduce& call) {
  Extent kept = call.extent;
  kept.ndim -= call.reduced;
  return kept;
}
/// The rows of a chain that reduces, of one set.
BlockRows rows_of(const Chain& chain) {
  BlockRows rows{1, static_cast<int>(reduced_length(chain.reductions.front().call)), 1, kWarp};
  rows.rows = static_cast<int>(per_set(chain.extent)) / rows.length;
  rows.chunks = static_cast<int>(divide_up(rows.length, kChunk));
  if (rows.length <= kLap)
    for (rows.lanes = 1; rows.lanes * kRun < rows.length;) rows.lanes *= 2;
  return rows;
}
/// How many doubles the chunks of a chain's sums leave.
int states_of(const Chain& chain) {
  if (chain.reductions.empty()) return 0;
  const BlockRows rows = rows_of(chain);
  return rows.chunks == 1 ? 0 : rows.rows * rows.chunks;
}
std::string sum_name(const Reduce& call, DType dtype) {
  return fmt::format("Sum<{}, {}>", type_name(dtype), call.op == ReduceOp::Mean);
}
bool accumulates(const Reduce& call) { return call.store == luge::Store::Accumulate; }

/// Whether two parts of steps are of one step, so that all that they read besides their elements is the same.
bool is_same_step(const Update& a, const Update& b) {
  bool same = a.rule == b.rule && a.dtype == b.dtype && a.steps == b.steps && a.begun == b.begun && a.maximize == b.maximize;
  for (std::size_t h = 0; h < a.hyper.size(); ++h)
    same = same && a.hyper[h].data == b.hyper[h].data && a.hyper[h].stride == b.hyper[h].stride;
  return same;
}

class Generator {
 public:
  Generator(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles, const SegmentLayout& layout,
            std::int64_t sets)
      : parts_(parts), tiles_(tiles), layout_(layout), sets_(sets) {}

  SegmentKernel run(int blocks, unsigned* finished) {
    for (part_ = 0; part_ < parts_.size(); ++part_) {
      if (layout_.waits[part_]) sets_text_ += "__syncthreads();\n";
      text_.clear();
      std::visit([&](const auto& kind) { add(kind); }, parts_[part_]);
      sets_text_ += "{\n" + indented(text_, 2) + "}\n";
    }
    before_ += "LUGE_SHARED(unsigned, zero, 1);\nif (threadIdx.x == 0) zero[0] = 0;\n__syncthreads();\n";
    argument("std::int64_t", "sets", sets_);
    argument("unsigned*", "finished", finished);
    const std::string loop = "for (std::int64_t set = blockIdx.x; set < sets; set += gridDim.x) {\n" +
                             indented(begin_ + sets_text_ + "__syncthreads();\n", 2) + "}\n";
    const std::string last = last_.empty() ? "" : "if (!is_last_block(finished)) return;\n" + last_;
    kernel_.source = fmt::format("#include \"segment.cuh\"\n\n#include <luge/math/elementwise.h>\n\n"
                                 "using namespace luge::cuda;\n\n"
                                 "extern \"C\" __global__ void __launch_bounds__(kThreads, {}) {}({}) {{\n{}}}\n",
                                 blocks, SegmentKernel::kName, parameters_,
                                 indented(before_ + "#pragma unroll 1\n" + loop + last, 2));
    kernel_.blocks = blocks;
    kernel_.shared = layout_.bytes;
    return std::move(kernel_);
  }

 private:
  // ---- arguments

  template <class T>
  void argument(const std::string& type, const std::string& name, const T& value) {
    const bool is_pointer = type.back() == '*';
    parameters_ += (parameters_.empty() ? "\n    " : ",\n    ") + (is_pointer ? type + " const " : "const " + type + " ") + name;
    kernel_.arguments.add(value);
  }
  /// Where a set's part of a window begins: declares `name`.
  void declare(const std::string& name, const Operand& window, bool writes) {
    const std::string type = type_name(window.dtype);
    const char* const constness = writes ? "" : "const ";
    const SegmentLayout::Place at = layout_.place_of(part_, window.data);
    if (at.offset) {
      std::string& place = places_[*at.offset];
      if (place.empty()) argument("int", place = fmt::format("place{}", places_.size() - 1), *at.offset);
      text_ += fmt::format("{0}{1}* const {2} = in_shared<{1}>({3});\n", constness, type, name, place);
      return;
    }
    std::string& memory = memories_[{at.data, window.strides[0], window.dtype}];
    if (memory.empty()) {
      memory = fmt::format("memory{}", memories_.size() - 1);
      with_dtype(window.dtype, [&]<class T>() {
        argument(fmt::format("SetMemory<{}>", type), memory, SetMemory<T>{reinterpret_cast<T*>(at.data), window.strides[0]});
      });
    }
    text_ += fmt::format("{}{}* const {} = {}.of({});\n", constness, type, name, memory, at.of_block ? "blockIdx.x" : "set");
  }
  std::string window_argument(const Extent& extent, const Operand& window) {
    const std::string name = fmt::format("window{}", windows_++);
    argument("SetWindow", name, *set_window(extent, window));
    return name;
  }
  std::uintptr_t address_of(const Operand& window) const {
    const SegmentLayout::Place at = layout_.place_of(part_, window.data);
    return at.offset ? static_cast<std::uintptr_t>(*at.offset) : reinterpret_cast<std::uintptr_t>(at.data);
  }

  // ---- products and sums of columns

  void add(const MatMul& call) {
    declare("a", call.a, false);
    declare("b", call.b, false);
    declare("c", call.c, true);
    const std::string name = fmt::format("product{}", part_);
    const ProductText product =
        product_text(call, tiles_[part_], name, [&](const Operand& operand) { return address_of(operand); });
    argument("BlockProduct", name, product.argument);
    text_ += product.call;
  }

  void add(const Reduce& call) {
    declare("from", call.in, false);
    declare("to", call.out, true);
    const int kept = call.extent.ndim - call.reduced;
    const auto at = [&](int d) { return static_cast<std::size_t>(d); };
    int along = 0;  // the innermost dimension that has a second element
    for (int d = kept; d < call.extent.ndim; ++d)
      if (call.extent.sizes[at(d)] > 1) along = static_cast<int>(call.in.strides[at(d)]);
    const std::string name = fmt::format("columns{}", part_);
    argument("BlockColumns", name, BlockColumns{static_cast<int>(call.extent.sizes[1]),
                                                static_cast<int>(reduced_length(call)),
                                                static_cast<int>(call.in.strides[1]), along});
    text_ += fmt::format("sum_columns<{}, {}>({}, from, to, {}, in_shared<double>(0));\n", sum_name(call, call.in.dtype), accumulates(call), name,
                         window_argument(kept_of(call), call.out));
  }

  // ---- chains

  /// The same number for all elements of a set.
  static bool is_number(const Extent& extent, const Operand& window) {
    bool moves = false;
    for (int d = 1; d < extent.ndim; ++d)
      moves = moves || (extent.sizes[static_cast<std::size_t>(d)] > 1 && window.strides[static_cast<std::size_t>(d)] != 0);
    return !moves && per_set(extent) > 1;
  }
  /// Whether every run of a window is whole, and what moves at once is 16 aligned bytes or less.
  bool is_packed(const Operand& window) const {
    const std::size_t bytes = size_of(window.dtype) * kRun;
    return bytes <= 16 && address_of(window) % bytes == 0 && window.strides[0] % kRun == 0;
  }
  /// Whether a run of a window that is not dense is within a row of it, and packed.
  bool lies_in_packs(const Chain& chain, const Operand& window) const {
    const SetWindow lines = *set_window(chain.extent, window);
    return lines.column == 1 && lines.columns % kRun == 0 && lines.row % kRun == 0 && run_length(chain) % kRun == 0 &&
           is_packed(window);
  }
  /// Of the elements that a run may not go beyond.
  static std::int64_t run_length(const Chain& chain) {
    return chain.reductions.empty() ? per_set(chain.extent) : rows_of(chain).length;
  }
  bool all_packed(const Chain& chain) const {
    const std::int64_t length = run_length(chain);
    const auto packed = [&](const Chain::Window& window) {
      return !is_dense(chain.extent, window.memory) || is_packed(window.memory);
    };
    return length % kRun == 0 && std::all_of(chain.loads.begin(), chain.loads.end(), packed) &&
           std::all_of(chain.stores.begin(), chain.stores.end(), packed);
  }

  /// Where the text of a chain's elements goes.
  struct Elements {
    std::string hold, load, run, element, store;
    std::size_t bytes = 0;  ///< of a run that come from global memory
  };

  void add_loads(const Chain& chain, Elements& to) {
    int i = 0;
    for (const auto& [value, window] : chain.loads) {
      const std::string from = fmt::format("load{}", i), held = fmt::format("in{}", i);
      ++i;
      const char* const type = type_name(window.dtype);
      declare(from, window, false);
      if (is_number(chain.extent, window)) {
        text_ += fmt::format("const {} v{} = *{};\n", type, value, from);
        continue;
      }
      to.hold += fmt::format("Pack<{}, kRun> {}[kRuns]{{}};\n", type, held);
      if (is_dense(chain.extent, window)) {
        to.load += fmt::format("{}[lap] = load_near<kWhole>({}, first, count);\n", held, from);
        if (!layout_.offset_of(part_, window.data)) to.bytes += kRun * size_of(window.dtype);
      } else {
        const std::string place = window_argument(chain.extent, window);
        to.load += lies_in_packs(chain, window)
                       ? fmt::format("{}[lap] = load_near<true>({} + {}.offset(first), 0, kRun);\n", held, from, place)
                       : fmt::format("{}[lap] = load_window({}, {}, first, count);\n", held, from, place);
      }
      to.element += fmt::format("const {} v{} = {}[lap].values[k];\n", type, value, held);
    }
  }

  void add_stores(const Chain& chain, Elements& to) {
    int i = 0;
    for (const auto& [value, window] : chain.stores) {
      const std::string place = fmt::format("store{}", i), run = fmt::format("out{}", i);
      ++i;
      declare(place, window, true);
      to.run += fmt::format("Pack<{}, kRun> {}{{}};\n", type_name(window.dtype), run);
      to.element += fmt::format("{}.values[k] = v{};\n", run, value);
      to.store += is_dense(chain.extent, window)
                      ? fmt::format("store_near<kWhole, {}>({}, first, count, {});\n",
                                    layout_.offset_of(part_, window.data).has_value(), place, run)
                      : fmt::format("store_far({}, {}, first, count, {});\n", place, window_argument(chain.extent, window), run);
    }
  }

  /// The number of an optimizer step whose parts a chain has; what is the same for all sets is read once.
  template <class Formula, class T>
  int add_step(const char* formula, const Chain::UpdatePart& part) {
    const Update& call = part.call;
    for (std::size_t i = 0; i < steps_.size(); ++i)
      if (is_same_step(*steps_[i], call)) return static_cast<int>(i);
    const int i = static_cast<int>(steps_.size());
    steps_.push_back(&call);
    const std::string rule = fmt::format("Rule<formula::{}, {}>", formula, type_name(call.dtype));
    argument(fmt::format("ChainUpdate<{}>", rule), fmt::format("step{}", i),
             ChainUpdate<Rule<Formula, T>>{Rule<Formula, T>(call), call.steps, 1});
    before_ += fmt::format("const std::int64_t taken{0} = *step{0}.steps;\n"
                           "using Rule{0} = {1};\n"  // a macro's argument has no comma
                           "LUGE_SHARED(Rule{0}::AtStep, step_numbers{0}, 1);\n", i, rule);
    // Numbers that count steps are dear: a thread makes each of them for the block.
    const bool own = has_numbers_per_set(call, true);
    (own ? begin_ : before_) += fmt::format(
        "if (const int which = static_cast<int>(threadIdx.x) / kWarp; threadIdx.x % kWarp == 0 && which < Rule{0}::AtStep::kCount)\n"
        "  step{0}.rule.fill(step_numbers{0}[0], which, step{0}.rule.hypers({1}), step{0}.rule.step({1}, taken{0}));\n"
        "__syncthreads();\n", i, own ? "set" : "0");
    return i;
  }

  void add_updates(const Chain& chain) {
    for (std::size_t u = 0; u < chain.updates.size(); ++u) {
      const Chain::UpdatePart& part = chain.updates[u];
      int step = 0;
      with_floating(part.call.dtype, [&]<class T>() {
        switch (part.call.rule) {
#define LUGE_ROW(Name, ...) \
  case UpdateRule::Name: step = add_step<math::scalar::Name, T>(#Name, part); break;
          LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
        }
      });
      text_ += fmt::format("const auto& update{0} = step{1};\n"
                           "const auto common{0} = step{1}.rule.numbers(step{1}.rule.hypers(set), step_numbers{1}[0]);\n", u,
                           step);
      if (part.counts_step) last_ += fmt::format("if (threadIdx.x == 0) *step{0}.steps = taken{0} + 1;\n", step);
    }
  }

  static std::string by_lap(const std::string& text) {
    return "#pragma unroll\nfor (int lap = 0; lap < kRuns; ++lap) {\n" + indented(text, 2) + "}\n";
  }
  static std::string by_element(const std::string& text) {
    return "#pragma unroll\nfor (int k = 0; k < kRun; ++k) {\n" + indented("if (!kWhole && k >= count) break;\n" + text, 2) +
           "}\n";
  }

  void add(const Chain& chain) {
    Elements elements;
    add_loads(chain, elements);
    add_updates(chain);
    int id = 0;
    for (const Link& link : chain.links)
      elements.element += statements(chain, link, id++, 0, std::vector<UpdateText>(chain.updates.size()));
    add_stores(chain, elements);
    text_ += fmt::format("constexpr bool kWhole = {};\n", all_packed(chain));
    chain.reductions.empty() ? add_line(chain, elements) : add_rows(chain, elements);
  }

  /// All elements of a set, a few runs of a thread at a time.
  void add_line(const Chain& chain, const Elements& elements) {
    const std::string name = fmt::format("elements{}", part_);
    argument("int", name, static_cast<int>(per_set(chain.extent)));
    int runs = 1;
    while (runs < kMostRuns && static_cast<std::size_t>(runs) * std::max<std::size_t>(elements.bytes, 64) < kInFlight * 2)
      runs *= 2;
    if (per_set(chain.extent) <= kThreads * kRun) runs = 1;
    const std::string of_run =
        "const int first = begin + lap * kThreads * kRun;\n"
        "[[maybe_unused]] const int count = kWhole ? kRun : " + name + " - first < kRun ? " + name + " - first : kRun;\n";
    text_ += fmt::format("constexpr int kRuns = {};\n", runs);
    text_ += "#pragma unroll 1\nfor (int begin = static_cast<int>(threadIdx.x) * kRun; begin < " + name +
             "; begin += kRuns * kThreads * kRun) {\n" +
             indented(elements.hold +
                          by_lap(of_run + "if (first < " + name + ") {\n" + indented(elements.load, 2) + "}\n") +
                          by_lap(of_run + "if (first >= " + name + ") break;\n" + elements.run +
                                 by_element(elements.element) + elements.store), 2) +
             "}\n";
  }

  /// The same in rows, whose sums are made on the way.
  void add_rows(const Chain& chain, const Elements& elements) {
    const BlockRows rows = rows_of(chain);
    const std::string name = fmt::format("rows{}", part_);
    argument("BlockRows", name, rows);
    std::string states, include, merge, finish;
    int i = 0;
    for (const Chain::Reduction& sum : chain.reductions) {
      const std::string reducer = sum_name(sum.call, chain.values[static_cast<std::size_t>(sum.value)]);
      const std::string to = fmt::format("sum{}", i), window = window_argument(kept_of(sum.call), sum.call.out);
      declare(to, sum.call.out, true);
      states += fmt::format("double state{} = 0;\n", i);
      include += fmt::format("state{0} = {1}::include(state{0}, v{2}, 0);\n", i, reducer, sum.value);
      merge += fmt::format("state{0} = walk.reduce(state{0}, {1}{{}});\n", i, reducer);
      const std::string of_sum = fmt::format("<{}, {}>", reducer, accumulates(sum.call));
      if (rows.chunks == 1) {
        merge += fmt::format("if (walk.leads()) put_sum{}({}, {}, walk.row(), {}.length, state{});\n", of_sum, to, window, name, i);
      } else {
        const std::string chunks = fmt::format("(in_shared<double>(0) + {} * {}.rows * {}.chunks)", i, name, name);
        merge += fmt::format("if (walk.leads()) {}[walk.row() * {}.chunks + walk.chunk()] = state{};\n", chunks, name, i);
        finish += fmt::format("finish_block_rows{}({}, {}, {}, {});\n", of_sum, chunks, name, to, window);
      }
      ++i;
    }
    const std::string run =
        "constexpr int kRuns = 1, lap = 0;\n[[maybe_unused]] const int first = walk.row() * " + name + ".length + at;\n"
        "[[maybe_unused]] const int count = kWhole || walk.end() - at >= kRun ? kRun : walk.end() - at;\n" +
        elements.hold + elements.load + elements.run + by_element(elements.element + include) + elements.store;
    text_ += "#pragma unroll 1\nfor (BlockWalk walk(" + name + "); walk.inside(); walk.advance()) {\n" +
             indented(states + "#pragma unroll 1\nfor (int at = walk.begin(); at < walk.end(); at += walk.step()) {\n" +
                          indented(run, 2) + "}\n" + merge, 2) +
             "}\n";
    if (!finish.empty()) text_ += "__syncthreads();\n" + finish;
  }

  const std::vector<SegmentPart>& parts_;
  const std::vector<ProductTile>& tiles_;
  const SegmentLayout& layout_;
  const std::int64_t sets_;
  SegmentKernel kernel_;
  std::size_t part_ = 0;
  std::vector<const Update*> steps_;
  std::map<int, std::string> places_;  ///< in shared memory
  std::map<std::tuple<const void*, std::int64_t, DType>, std::string> memories_;
  int windows_ = 0;
  std::string parameters_;
  std::string before_;     ///< once in a block
  std::string begin_;      ///< of a set
  std::string sets_text_;  ///< the parts
  std::string last_;       ///< by the last block
  std::string text_;       ///< the part that is being made
};

}  // namespace

std::vector<int> scratch_of(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles) {
  std::vector<int> result;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const auto* const chain = std::get_if<Chain>(&parts[p]);
    const int states = chain ? states_of(*chain) * static_cast<int>(chain->reductions.size())
                       : std::holds_alternative<Reduce>(parts[p]) ? kThreads
                                                                  : 0;
    result.push_back(tiles[p].scratch + states * static_cast<int>(sizeof(double)));
  }
  return result;
}

SegmentKernel segment_text(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles,
                           const SegmentLayout& layout, std::int64_t sets, int blocks, unsigned* finished) {
  return Generator(parts, tiles, layout, sets).run(blocks, finished);
}

}  // namespace luge::cuda
