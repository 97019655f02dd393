#include "chain_text.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <optional>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>
#include <luge/base/detail/dispatch.h>


#include "../reduce.cuh"
#include "../walk.cuh"
#include "expressions.h"

namespace luge::cuda {

std::string indented(std::string_view text, std::size_t columns) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = text.find('\n') + 1;
    result += text[0] == '#' ? "" : std::string(columns, ' ');
    result += text.substr(0, end);
    text.remove_prefix(end);
  }
  return result;
}

namespace {

/// Where the text of a chain goes.
struct Parts {
  std::string set;       ///< with Steps::BySets: before the rows of a set
  std::string row;       ///< before a chunk: what is the same for all of a row
  std::string step;      ///< at the beginning of a step
  std::string hold;      ///< the declarations of what is loaded of some runs
  std::string load;      ///< of a run of neighbours
  std::string states;    ///< of a chunk's sums
  std::string run;       ///< before a run's elements
  std::string element;   ///< what one element computes, and where that goes
  std::string sum;       ///< of an element, into the states
  std::string store;     ///< of a run
  std::string chunk;     ///< at the end of a chunk
  // With Steps::Many the losses of every step are summarised, but sums and stores are those of the last one.
  std::string summaries, summary, keep, summarised;  ///< as `states`, `sum`, `store` and `chunk`
};

class Generator {
 public:
  Generator(KernelText& text, const Chain& chain, Steps steps, const ChainSpace& space, std::int64_t sets)
      : text_(text),
        chain_(chain),
        repeats_(steps == Steps::Many),
        by_sets_(steps == Steps::BySets),
        reduces_(!chain.reductions.empty() || !chain.recordings.empty()),
        runs_(runs_at_once(chain, steps)),
        space_(space),
        sets_(sets) {}

  ChainParts run() {
    const int number = text_.chains++;
    space_name_ = fmt::format("space{}", number);
    text_.kernel.share = &text_.parameter("ChainSpace", space_name_, space_)->share;
    if (by_sets_) text_.parameter("int", fmt::format("rows{}", number), static_cast<int>(space_.rows / sets_));
    if (by_sets_)
      parts_.set = fmt::format("const std::int64_t base = sets.set() * rows{0} * space{0}.length;\n", number);
    add_loads();
    const int first_update = text_.updates;
    add_updates();
    int links = 0;
    for (const Link& link : chain_.links)
      parts_.element += statements(chain_, link, links++, first_update, updates_);
    add_stores();
    add_reductions();
    add_recordings();
    result_.body = body(number);
    return std::move(result_);
  }

 private:
  DType dtype(int value) const { return chain_.values[static_cast<std::size_t>(value)]; }

  /// Whether it is one number for all elements; a single element is not.
  bool is_scalar(const Operand& window) const {
    bool moves = false;
    for (int d = 0; d < chain_.extent.ndim; ++d) moves = moves || stride(window, d) != 0;
    return chain_.extent.count() > 1 && !moves;
  }
  /// 0 along a dimension without a second element.
  std::int64_t stride(const Operand& window, int d) const {
    const auto at = static_cast<std::size_t>(d);
    return chain_.extent.sizes[at] > 1 ? window.strides[at] : 0;
  }
  bool is_contiguous(const Operand& window) const {
    std::int64_t next = 1;
    for (int d = chain_.extent.ndim - 1; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(d);
      if (chain_.extent.sizes[at] == 1) continue;
      if (window.strides[at] != next) return false;
      next *= chain_.extent.sizes[at];
    }
    return true;
  }
  /// How a window relates to rows that are reduced: all of a row is one number, or every row is the same line.
  enum class RowWindow : std::uint8_t { Other, Number, Line };
  RowWindow row_window(const Operand& window) const {
    if (by_sets_ || space_.rows == 1 || space_.length == 1) return RowWindow::Other;
    int inner = chain_.extent.ndim;  // the dimensions from here on are a row
    std::int64_t length = 1;
    while (inner > 0 && length < space_.length) length *= chain_.extent.sizes[static_cast<std::size_t>(--inner)];
    if (length != space_.length) return RowWindow::Other;
    bool is_number = true, is_line = true;
    std::int64_t next = 1;
    for (int d = chain_.extent.ndim - 1; d >= 0; --d) {
      const std::int64_t size = chain_.extent.sizes[static_cast<std::size_t>(d)], step = stride(window, d);
      if (d >= inner) {
        is_number = is_number && step == 0;
        is_line = is_line && (size == 1 || step == next);
        next *= size;
      } else {
        is_line = is_line && step == 0;
      }
    }
    return is_number ? RowWindow::Number : is_line ? RowWindow::Line : RowWindow::Other;
  }
  /// Whether every run of four elements of this memory may be moved at once.
  Access access(const void* data, DType dtype) const {
    const bool even = space_.rows == 1 || space_.length % kRun == 0;
    return even && reinterpret_cast<std::uintptr_t>(data) % (size_of(dtype) * kRun) == 0 ? Access::Packed
                                                                                         : Access::Single;
  }

  // ---- loads and stores

  /// A load of contiguous memory: a run of it is `name`.
  template <class T>
  void add_packed_load(const char* type, const std::string& name, const std::string& parameter, const T* data,
                       DType dtype, const char* position = "first") {
    text_.parameter(fmt::format("Source<{}>", type), parameter, Source<T>{data, T{}, access(data, dtype)});
    add_held_load(type, name, fmt::format("load_run<kWhole>({}, {}, count)", parameter, position));
    packed_.push_back(parameter);
  }
  /// A load of a run, whole or in part.
  void add_held_load(const char* type, const std::string& name, const std::string& value) {
    if (by_sets_) {
      parts_.load += fmt::format("const Pack<{}, kRun> {} = {};\n", type, name, value);
      return;
    }
    parts_.hold += fmt::format("Pack<{}, kRun> {}[kRuns]{{}};\n", type, name);
    parts_.load += fmt::format("{}[lap] = {};\n", name, value);
  }
  const char* held() const { return by_sets_ ? "" : "[lap]"; }

  void add_loads() {
    first_load_ = text_.loads;
    for (const auto& [value, window] : chain_.loads) {
      with_dtype(window.dtype, [&, i = text_.loads++, v = value, &w = window]<class T>() {
        const auto* const data = static_cast<const T*>(w.data);
        const char* const t = type_name(w.dtype);
        const std::string load = fmt::format("load{}", i), run = fmt::format("in{}", i);
        if (is_scalar(w)) {
          text_.parameter(fmt::format("{}*", t), load, data);
          // One set's number is an element that steps change.
          (by_sets_ ? parts_.set : result_.before) += fmt::format("const {} v{} = *{};\n", t, v, load);
          return;
        }
        if (!is_contiguous(w) && by_sets_) return add_set_load(t, load, v, w, data);
        const RowWindow in_rows = row_window(w);
        if (is_contiguous(w)) {
          add_packed_load(t, run, load, data, w.dtype);
        } else if (in_rows == RowWindow::Line) {
          add_packed_load(t, run, load, data, w.dtype, "at");
        } else {
          text_.parameter(fmt::format("{}*", t), load, data);
          text_.parameter("__grid_constant__ Walk<1>", load + "_walk",
                          make_walk<1>(dims(chain_.extent), {w.strides.data()}));
          if (in_rows == RowWindow::Number) {  // lanes without a row load nothing
            parts_.row += fmt::format("const {0} v{1} = walk.end() > 0 ? {2}[far_offset({2}_walk, walk.row() * {3}.length)] "
                                      ": {0}{{}};\n", t, v, load, space_name_);
            return;
          }
          add_held_load(t, run, fmt::format("load_far({0}, {0}_walk, first, count)", load));
        }
        parts_.element += fmt::format("const {} v{} = {}{}.values[k];\n", t, v, run, held());
      });
    }
  }
  /// Memory that is not contiguous, of one set at a time.
  template <class T>
  void add_set_load(const char* t, const std::string& load, int v, const Operand& w, const T* data) {
    text_.parameter(fmt::format("{}*", t), load, data);
    const SetWindow window = *set_window(chain_.extent, w);
    text_.parameter("SetWindow", load + "_window", window);
    if (window.row == 0 && window.column == 0) {  // lanes without a set load nothing
      parts_.set += fmt::format("const {0} v{1} = sets.has_set() ? {2}[sets.set() * {2}_window.set] : {0}{{}};\n", t, v,
                                load);
      return;
    }
    parts_.set += fmt::format("const {0}* const {1}_set = {1} + sets.set() * {1}_window.set;\n", t, load);
    parts_.element += fmt::format("const {0} v{1} = {2}_set[{2}_window.offset(at + k)];\n", t, v, load);
  }

  /// The load of what this store writes, which a later step finds as the store has left it.
  std::optional<int> load_of(const Operand& stored) const {
    for (std::size_t i = 0; i < chain_.loads.size(); ++i) {
      const Operand& loaded = chain_.loads[i].memory;
      bool same = loaded.data == stored.data;
      for (int d = 0; d < chain_.extent.ndim; ++d) same = same && stride(loaded, d) == stride(stored, d);
      if (same) return first_load_ + static_cast<int>(i);
    }
    return std::nullopt;
  }

  void add_stores() {
    for (const auto& [value, window] : chain_.stores) {
      with_dtype(window.dtype, [&, i = text_.stores++, v = value, &w = window]<class T>() {
        auto* const data = static_cast<T*>(w.data);
        const char* const t = type_name(w.dtype);
        const std::string store = fmt::format("store{}", i);
        std::string run = fmt::format("out{}", i);
        if (const auto load = load_of(w); load && repeats_)
          run = fmt::format("in{}[lap]", *load);
        else
          parts_.run += fmt::format("[[maybe_unused]] Pack<{}, kRun> {}{{}};\n", t, run);
        if (is_contiguous(w)) {
          text_.parameter(fmt::format("Sink<{}>", t), store, Sink<T>{data, false, access(data, w.dtype)});
          parts_.store += fmt::format("store_run<kWhole>({}, first, count, {});\n", store, run);
          packed_.push_back(store);
        } else {
          text_.parameters += fmt::format(",\n    {}* const {}", t, store);
          text_.kernel.arguments.add(data);
          add_far_store(t, store, run, w);
        }
        parts_.element += fmt::format("{}.values[k] = v{};\n", run, v);
      });
    }
  }
  void add_far_store(const char* t, const std::string& store, const std::string& run, const Operand& w) {
    if (by_sets_) {
      text_.parameter("SetWindow", store + "_window", *set_window(chain_.extent, w));
      parts_.set += fmt::format("{0}* const {1}_set = {1} + sets.set() * {1}_window.set;\n", t, store);
      parts_.store += fmt::format("store_far({0}_set, {0}_window, at, count, {1});\n", store, run);
      return;
    }
    text_.parameter("__grid_constant__ Walk<1>", store + "_walk",
                    make_walk<1>(dims(chain_.extent), {w.strides.data()}));
    parts_.store += fmt::format("store_far({0}, {0}_walk, first, count, {1});\n", store, run);
  }

  // ---- updates

  template <class Formula, class T>
  void add_rule(const char* name, const Chain::UpdatePart& part, const Link& link) {
    const int i = text_.updates++;
    const Update& call = part.call;
    const std::int64_t per_set = call.layout.per_set[part.parameter];
    const char* const t = type_name(call.dtype);
    const std::string rule = fmt::format("Rule<formula::{}, {}>", name, t);
    text_.parameter(fmt::format("ChainUpdate<{}>", rule), fmt::format("update{}", i),
                    ChainUpdate<Rule<Formula, T>>{Rule<Formula, T>(call), call.steps, per_set});
    const bool many = repeats_ || by_sets_, own_steps = has_numbers_per_set(call, true);
    // Nothing in the chain writes what a step reads besides its elements.
    result_.before += fmt::format("const std::int64_t {1}{0} = *update{0}.steps;\n"
                                  "const auto hypers{0} = update{0}.rule.hypers(0);\n", i, many ? "begun" : "taken");
    if (many) {
      result_.before += fmt::format("using Rule{0} = {1};\n"  // a macro's argument has no comma
                                    "LUGE_SHARED(Rule{0}::AtStep, step_numbers_of{0}, kMostSteps);\n"
                                    "update{0}.fill_step_numbers(step_numbers_of{0}, hypers{0}, begun{0}, steps);\n", i, rule);
      parts_.step += fmt::format("[[maybe_unused]] const std::int64_t taken{0} = begun{0} + step;\n"
                                 "[[maybe_unused]] const auto step_numbers{0} = step_numbers_of{0}[step];\n", i);
    } else {
      result_.wait += fmt::format("const auto step_numbers{0} = step_numbers_in_block(update{0}.rule, hypers{0}, taken{0});\n", i);
    }
    if (by_sets_ && (own_steps || has_numbers_per_set(call, false))) {
      parts_.step += fmt::format("auto own{0} = hypers{0};\nif (sets.has_set()) update{0}.rule.reload(own{0}, sets.set());\n", i);
      const std::string step_numbers =
          own_steps ? fmt::format("sets.has_set() ? update{0}.rule.step_numbers(own{0}, update{0}.rule.step(sets.set(), "
                                  "taken{0})) : step_numbers{0}", i)
                    : fmt::format("step_numbers{}", i);
      parts_.step += fmt::format("const auto common{0} = update{0}.rule.numbers(own{0}, {1});\n", i, step_numbers);
      updates_.push_back({});
    } else {
      (many ? parts_.step : result_.wait) += fmt::format(
          "[[maybe_unused]] const auto common{0} = update{0}.rule.numbers(hypers{0}, step_numbers{0});\n", i);
      updates_.push_back({own_hypers<Formula, T>(i, call, link, per_set), held(), own_steps,
                          repeats_ ? "first + (k < count ? k : 0)" : "first + k"});
    }
    if (part.counts_step)
      result_.last += fmt::format("if (threadIdx.x == 0) *update{0}.steps = {1}{0} + {2};\n", i,
                                  many ? "begun" : "taken", many ? "steps" : "1");
  }
  /// Loads what sets have of their own, element by element.
  template <class Formula, class T>
  std::vector<int> own_hypers(int i, const Update& call, const Link& link, std::int64_t per_set) {
    std::vector<int> own;
    const char* const t = type_name(call.dtype);
    for (int h = 0; h <= Formula::kHypers; ++h) {
      const bool is_flag = h == Formula::kHypers;
      if (is_flag && link.in[Link::kActive].kind == ChainInput::Kind::Value) continue;
      const Hyper& hyper = call.hyper[static_cast<std::size_t>(is_flag ? Update::kActive : h)];
      if (hyper.stride == 0) continue;
      own.push_back(h);
      const std::string run = fmt::format("own{}_{}", i, h);
      if (per_set == 1)
        add_packed_load(t, run, fmt::format("hyper{}_{}", i, h), static_cast<const T*>(hyper.data), call.dtype);
      else
        add_held_load(t, run, fmt::format("update{}.own_hypers({}, first, count)", i, h));
    }
    return own;
  }

  void add_updates() {
    for (std::size_t i = 0; i < chain_.updates.size(); ++i) {
      const Chain::UpdatePart& part = chain_.updates[i];
      const Link& link = *std::find_if(chain_.links.begin(), chain_.links.end(), [&](const Link& one) {
        return one.is_update && one.update == static_cast<int>(i);
      });
      with_floating(part.call.dtype, [&]<class T>() {
        switch (part.call.rule) {
#define LUGE_ROW(Rule, ...) \
  case UpdateRule::Rule: return add_rule<math::scalar::Rule, T>(#Rule, part, link);
          LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
        }
      });
    }
  }

  // ---- sums and recordings

  template <class R>
  void add_sum(const std::string& reducer, const Chain::Reduction& reduction) {
    const int i = text_.sums++;
    const Reduce& call = reduction.call;
    if (by_sets_) return add_set_sum<R>(i, reducer, reduction);
    Target<R> target = target_of<R>(call);
    if (space_.chunks > 1) {
      const std::int64_t states = space_.rows == 1 ? total_partials(space_.chunks) : space_.rows * space_.chunks;
      target.partials = static_cast<double*>(text_.allocate(static_cast<std::size_t>(states) * sizeof(double)));
    }
    text_.parameter(fmt::format("Target<{}>", reducer), fmt::format("sum{}", i), target);
    parts_.states += fmt::format("double state{0} = 0;\n", i);
    parts_.sum += fmt::format("state{0} = {1}{{}}.include(state{0}, v{2}, 0);\n", i, reducer, reduction.value);
    parts_.chunk += fmt::format(
        "state{0} = walk.reduce(state{0}, {1}{{}});\n"
        "if (walk.leads()) sum{0}.write({1}{{}}, walk.row(), walk.chunk(), {2}.chunks, state{0});\n",
        i, reducer, space_name_);
    if (call.reduced == call.extent.ndim) {
      result_.group +=
          fmt::format("reduce_group({0}{{}}, sum{1}.partials, {2}.chunks, group);\n", reducer, i, space_name_);
      result_.last =
          fmt::format("if ({2}.chunks > 1) finish_total({0}{{}}, sum{1}, {2}.chunks);\n", reducer, i, space_name_) +
          result_.last;
    } else if (space_.chunks > 1)
      text_.kernel.unfinished.push_back({call, target.partials, space_.rows, space_.chunks});
  }

  template <class R>
  void add_set_sum(int i, const std::string& reducer, const Chain::Reduction& reduction) {
    const Reduce& call = reduction.call;
    Extent kept = call.extent;
    kept.ndim -= call.reduced;
    text_.parameter(fmt::format("SetTarget<{}>", reducer), fmt::format("sum{}", i),
                    SetTarget<R>{static_cast<typename R::Result*>(call.out.data), *set_window(kept, call.out),
                                 call.store == luge::Store::Accumulate});
    parts_.states += fmt::format("double state{0} = 0;\n", i);
    parts_.sum += fmt::format("state{0} = {1}{{}}.include(state{0}, v{2}, 0);\n", i, reducer, reduction.value);
    parts_.chunk += fmt::format(
        "state{0} = walk.reduce(state{0}, {1}{{}});\n"
        "if (walk.leads()) sum{0}.write({1}{{}}, walk.set(), walk.number(), {2}.length, state{0});\n",
        i, reducer, space_name_);
  }

  void add_reductions() {
    for (const Chain::Reduction& reduction : chain_.reductions) {
      const bool mean = reduction.call.op == ReduceOp::Mean;
      const std::string reducer = fmt::format("Sum<{}, {}>", type_name(dtype(reduction.value)), mean);
      with_floating(dtype(reduction.value), [&]<class T>() {
        mean ? add_sum<Sum<T, true>>(reducer, reduction) : add_sum<Sum<T, false>>(reducer, reduction);
      });
    }
  }

  void add_recordings() {
    for (const auto& [value, call] : chain_.recordings) {
      const int i = text_.recordings++;
      const std::int64_t partials = summary_partials(call.n) * text_.kernel.most_steps;
      const auto bytes = static_cast<std::size_t>(partials) * sizeof(Summary);
      auto* const summaries = static_cast<Summary*>(text_.allocate(bytes));
      if (by_sets_) {
        add_history(i, value, call, summaries);
        continue;
      }
      text_.parameter("Ring", fmt::format("ring{}", i),
                      Ring{call.ring, call.rows, call.kept, call.capacity, call.counter, summaries});
      const std::string step = fmt::format("recorded{}{}", i, repeats_ ? " + step" : "");
      result_.before += fmt::format("const std::int64_t recorded{0} = ring{0}.step();\n", i);
      parts_.summaries += fmt::format("Summary summary{} = Summarize{{}}.identity();\n", i);
      parts_.summaries += fmt::format("double* const kept{0} = kept_losses(ring{0}, {1}, walk.begin());\n", i, step);
      parts_.run += fmt::format("Pack<double, kRun> losses{}{{}};\n", i);
      parts_.summary += fmt::format("losses{0}.values[k] = v{1};\n"
                                    "summary{0} = Summarize{{}}.include(summary{0}, losses{0}.values[k]);\n", i, value);
      parts_.keep += fmt::format("if (kept{0}) keep_run(kept{0}, ring{0}.kept, first, count, losses{0});\n", i);
      const std::string of_step = repeats_ ? fmt::format("step * summary_partials({}.length) + ", space_name_) : "";
      parts_.summarised += fmt::format("summary{0} = walk.reduce(summary{0}, Summarize{{}});\n"
                                       "if (walk.leads()) ring{0}.partials[{1}walk.chunk()] = summary{0};\n", i, of_step);
      result_.fence = "__threadfence_system();  // the rows of losses are for the host\n";
      if (repeats_) {
        text_.kernel.unfinished_records.push_back({call, summaries, nullptr});
        continue;
      }
      result_.group += fmt::format("reduce_group(Summarize{{}}, ring{0}.partials, {1}.chunks, group);\n", i, space_name_);
      result_.last += fmt::format("ring{0}.finish({1}, {2}.length);\nring{0}.count({1} + 1);\n", i, step, space_name_);
    }
  }

  /// A set's losses are not neighbours in the order of the summary: another kernel makes that.
  void add_history(int i, int value, const Record& call, Summary* summaries) {
    with_floating(dtype(value), [&]<class T>() {
      const std::int64_t losses = call.n * text_.kernel.most_steps;
      auto* const history = static_cast<T*>(text_.allocate(static_cast<std::size_t>(losses) * sizeof(T)));
      text_.parameters += fmt::format(",\n    {}* const history{}", type_name(dtype(value)), i);
      text_.kernel.arguments.add(history);
      parts_.element +=
          fmt::format("history{0}[step * {1}.rows * {1}.length + first + k] = v{2};\n", i, space_name_, value);
      text_.kernel.unfinished_records.push_back({call, summaries, history});
    });
  }

  // ---- loops

  /// Statements for each of some runs from `begin` on; what is held of them are registers.
  static std::string by_lap(const std::string& text) {
    return "#pragma unroll\nfor (int lap = 0; lap < kRuns; ++lap) {\n" + indented(text, 2) + "}\n";
  }
  /// The run's first element, and how many there are.
  std::string of_run() const {
    return fmt::format("[[maybe_unused]] const std::int64_t first = walk.row() * {0}.length + at;\n"
                       "[[maybe_unused]] const int count = kWhole || walk.end() - at >= kRun ? kRun : "
                       "static_cast<int>(walk.end() - at);\n", space_name_);
  }
  static std::string elements(const std::string& text) {
    return "#pragma unroll\nfor (int k = 0; k < kRun; ++k) {\n" + indented(text, 2) + "}\n";
  }

  /// One step. Chunks that are whole are moved 16 bytes at a time, several runs before the first is used; others run by
  /// run.
  std::string chunk() const {
    std::string packed;
    for (const std::string& name : packed_) packed += " && is_packed(" + name + ")";
    const std::string at = "const std::int64_t at = kWhole ? begin + lap * kLap : begin;\n" + of_run();
    const std::string runs =
        "constexpr bool kWhole = decltype(whole)::kValue;\nconstexpr int kRuns = kWhole ? kRunsAtOnce : 1;\n" +
        parts_.hold + (parts_.load.empty() ? "" : by_lap(at + parts_.load)) +
        by_lap(at + parts_.run +
               elements("if (!kWhole && k >= count) break;\n" + parts_.element + parts_.sum + parts_.summary) +
               parts_.keep + parts_.store);
    return parts_.row + parts_.states + parts_.summaries +
           "const auto runs = [&](auto whole, const std::int64_t begin) {\n" + indented(runs, 2) + "};\n" +
           "if (walk.whole()" + packed + ") {\n#pragma unroll 1\n"
           "  for (int lap = 0; lap < kLaps; lap += kRunsAtOnce) runs(Known<true>(), walk.begin() + lap * kLap);\n"
           "} else {\n#pragma unroll 1\n"
           "  for (std::int64_t at = walk.begin(); at < walk.end(); at += walk.step()) runs(Known<false>(), at);\n"
           "}\n" + parts_.chunk + parts_.summarised;
  }

  /// Many steps of what a lane holds. Sums and stores are those of the last one, which is apart from the loop over the
  /// others. Elements that a run lacks are computed as well, and go nowhere.
  std::string repeated_chunk() const {
    const std::string at = "const std::int64_t at = begin + lap * walk.step();\n";
    const std::string count = at + of_run();
    const bool records = !parts_.summaries.empty();
    const bool needs_count = records || std::any_of(updates_.begin(), updates_.end(),
                                                    [](const UpdateText& update) { return update.own_steps; });
    const std::string lap = "if (lap >= laps) break;\n";
    const std::string sums = "if (kLast && k < count) {\n" + indented(parts_.sum, 2) + "}\n";
    const std::string summaries = "if (k < count) {\n" + indented(parts_.summary, 2) + "}\n";
    const std::string run = needs_count ? count : "[[maybe_unused]] std::int64_t first = 0;\n[[maybe_unused]] int count = 0;\n"
                                                  "if (kLast) {\n" + indented(at + assigned_run(), 2) + "}\n";
    const std::string step =
        "constexpr bool kLast = decltype(last)::kValue;\n" + parts_.step + parts_.summaries +
        by_lap(lap + run + parts_.run +
               elements(parts_.element + (parts_.sum.empty() ? "" : sums) + (records ? summaries : "")) + parts_.keep +
               (parts_.store.empty() ? "" : "if (kLast) {\n" + indented(parts_.store, 2) + "}\n")) +
        parts_.summarised;
    const std::string part =
        "const std::int64_t begin = walk.begin() + part * walk.step();\n"
        "const int laps = walk.runs(begin, kRuns);\n" + parts_.hold + by_lap(lap + count + parts_.load) +
        "const auto take_step = [&](auto last, const int step) {\n" + indented(step, 2) + "};\n"
        "#pragma unroll 1\nfor (int step = 0; step < steps - 1; ++step) take_step(Known<false>(), step);\n"
        "take_step(Known<true>(), steps - 1);\n";
    return parts_.row + parts_.states + "#pragma unroll 1\nfor (int part = 0; part < kLaps; part += kRuns) {\n" + indented(part, 2) +
           "}\n" + parts_.chunk;
  }
  std::string assigned_run() const {
    return fmt::format("first = walk.row() * {0}.length + at;\n"
                       "count = walk.end() - at >= kRun ? kRun : static_cast<int>(walk.end() - at);\n", space_name_);
  }

  std::string set_rows(int number) const {
    // Most parameters of a fit are one number: the compiler leaves of a run what there is.
    const char* const count = chain_.extent.count() == sets_ ? "1" : "walk.end() - at < kRun ? walk.end() - at : kRun";
    const std::string run =
        "[[maybe_unused]] const std::int64_t first = base + at;\n" +
        fmt::format("const int count = {};\n", count) + parts_.load + parts_.run +
        elements("if (k >= count) break;\n" + parts_.element + parts_.sum) + parts_.store;
    const std::string row = parts_.states + "for (int at = walk.begin(); at < walk.end(); at += walk.step()) {\n" +
                            indented(run, 2) + "}\n" + parts_.chunk;
    return parts_.step + parts_.set +
           fmt::format("for (SetRows walk(sets, space{0}, rows{0}); walk.inside(); walk.advance()) {{\n", number) +
           indented(row, 2) + "}\n";
  }

  std::string body(int number) const {
    if (by_sets_) return "constexpr bool kWhole = false;\n" + set_rows(number);
    const std::string size = reduces_ ? "kChunk" : fmt::format("{} * kLap", runs_);
    return fmt::format("constexpr int kLaps = {} / kLap;\n", size) +
           fmt::format(repeats_ ? "constexpr bool kWhole = false;\nconstexpr int kRuns = {};\n"
                                : "constexpr int kRunsAtOnce = {};\n", runs_) +
           fmt::format("for (ChainWalk<{}> walk({}); walk.inside(); walk.advance()) {{\n", size, space_name_) +
           indented(repeats_ ? repeated_chunk() : chunk(), 2) + "}\n";
  }

  KernelText& text_;
  const Chain& chain_;
  const bool repeats_, by_sets_, reduces_;
  const int runs_;  ///< that a lane holds at once
  const ChainSpace space_;
  const std::int64_t sets_;
  std::string space_name_;
  int first_load_ = 0;
  std::vector<UpdateText> updates_;
  std::vector<std::string> packed_;  ///< arguments that tell how memory is accessed
  Parts parts_;
  ChainParts result_;
};

}  // namespace

std::optional<SetWindow> set_window(const Extent& extent, const Operand& window) {
  // A set's dimensions, joined where this memory permits.
  std::array<std::int64_t, kMaxDims> sizes, strides;
  std::size_t count = 0;
  for (int d = 1; d < extent.ndim; ++d) {
    const auto at = static_cast<std::size_t>(d);
    if (extent.sizes[at] == 1) continue;
    const bool joins = count > 0 && strides[count - 1] == window.strides[at] * extent.sizes[at];
    if (!joins) sizes[count++] = 1;
    sizes[count - 1] *= extent.sizes[at];
    strides[count - 1] = window.strides[at];
  }
  if (count > 2) return std::nullopt;
  std::int64_t reach = 0;
  for (std::size_t i = 0; i < count; ++i) reach += std::abs(strides[i]) * sizes[i];
  if (reach > std::numeric_limits<int>::max()) return std::nullopt;
  SetWindow result{window.strides[0], count == 2 ? static_cast<int>(strides[0]) : 0,
                   count > 0 ? static_cast<int>(strides[count - 1]) : 0,
                   count > 0 ? static_cast<int>(sizes[count - 1]) : 1, {}};
  result.divide = Divider(static_cast<unsigned>(result.columns));
  return result;
}

std::size_t run_bytes(const Chain& chain) {
  std::size_t bytes = 0;
  for (const auto& [value, window] : chain.loads) {
    int inner = chain.extent.ndim - 1;
    while (inner > 0 && chain.extent.sizes[static_cast<std::size_t>(inner)] == 1) --inner;
    if (inner >= 0 && window.strides[static_cast<std::size_t>(inner)] != 0) bytes += kRun * size_of(window.dtype);
  }
  for (const Chain::UpdatePart& part : chain.updates)
    for (const Hyper& hyper : part.call.hyper) bytes += hyper.stride != 0 ? kRun * size_of(part.call.dtype) : 0;
  return bytes;
}

int runs_at_once(const Chain& chain, Steps steps) {
  constexpr std::size_t kInFlight = 64, kRegisters = 32;  // bytes of a thread; 32-bit registers
  if (steps == Steps::BySets || (steps == Steps::Many && !chain.recordings.empty())) return kChunk / kLap;
  const std::size_t bytes = run_bytes(chain);
  int runs = 1;
  if (steps == Steps::One)
    while (runs < 4 && static_cast<std::size_t>(runs) * bytes < kInFlight) runs *= 2;
  else
    while (runs < kChunk / kLap && static_cast<std::size_t>(2 * runs) * bytes <= kRegisters * 4) runs *= 2;
  return runs;
}

ChainSpace space_of(const Chain& chain, Steps steps, std::int64_t sets) {
  const std::int64_t count = chain.extent.count();
  ChainSpace space{1, count, 1, kWarp};
  if (sets > 0) space = {sets, count / sets, 1, kWarp};
  if (!chain.reductions.empty()) {
    const Reduce& call = chain.reductions.front().call;
    space.length = 1;
    for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d)
      space.length *= call.extent.sizes[static_cast<std::size_t>(d)];
    space.rows = count / space.length;
  }
  const bool reduces = !chain.reductions.empty() || !chain.recordings.empty();
  space.chunks = sets > 0 ? 1 : divide_up(space.length, reduces ? kChunk : runs_at_once(chain, steps) * kLap);
  if (space.length <= kLap)
    for (space.lanes = 1; std::int64_t{space.lanes} * kRun < space.length;) space.lanes *= 2;
  return space;
}

ChainParts add_chain(KernelText& text, const Chain& chain, Steps steps, const ChainSpace& space, std::int64_t sets) {
  return Generator(text, chain, steps, space, sets).run();
}

}  // namespace luge::cuda
