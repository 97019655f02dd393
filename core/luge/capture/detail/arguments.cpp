#include <luge/capture/detail/arguments.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/capture/detail/overlap.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

bool in_step_memory(const Range& range) { return static_cast<std::uintptr_t>(range.low) >= StepBuffer::kBase; }

void merge(std::vector<Range>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
  std::vector<Range> merged;
  for (const Range& range : ranges) {
    if (merged.empty() || range.low > merged.back().high)
      merged.push_back(range);
    else
      merged.back().high = std::max(merged.back().high, range.high);
  }
  ranges = std::move(merged);
}

bool lies_in(const std::vector<Range>& ranges, const Range& range) {
  const auto after = std::lower_bound(ranges.begin(), ranges.end(), range.high,
                                      [](const Range& one, std::intptr_t high) { return one.low < high; });
  return after != ranges.begin() && range.low < std::prev(after)->high;
}

}  // namespace

void ArgumentUse::keep_off(const std::vector<StepBuffer>& buffers) {
  if (!is_written) return;
  for (const StepBuffer& buffer : buffers)
    if (buffer.kept)
      elsewhere.push_back({static_cast<std::intptr_t>(buffer.real), static_cast<std::intptr_t>(buffer.real + buffer.bytes)});
  merge(elsewhere);
}

Arguments::Arguments(const std::vector<Tensor>& given, SourceLocation capture) : capture_(capture) {
  for (const Tensor& argument : given)
    inputs_.push_back(empty_tensor(argument.shape(), argument.dtype(), argument.storage()->backend()));
}

std::string Arguments::named_argument(std::size_t i) const {
  return fmt::format("{}: argument {} of shape {}", named("capture", capture_), i, to_string(inputs_[i].shape()));
}

std::vector<Tensor> Arguments::handles() const {
  std::vector<Tensor> handles;
  for (const Tensor& input : inputs_) handles.push_back(input.detach());
  return handles;
}

void Arguments::check_leaves(const std::vector<Tensor>& handles) const {
  for (std::size_t i = 0; i < handles.size(); ++i)
    LUGE_CHECK(CaptureError, !handles[i].impl()->leaf,
               "{} is made to require a gradient within the step, which works on a copy of it; use x.detach().requires_grad_() "
               "instead",
               named_argument(i));
}

bool Arguments::take(const std::vector<Tensor>& given) const {
  return std::equal(inputs_.begin(), inputs_.end(), given.begin(), given.end(), [](const Tensor& input, const Tensor& argument) {
    return input.shape() == argument.shape() && input.dtype() == argument.dtype() && input.device() == argument.device();
  });
}

bool Arguments::is_input(const Tensor& given, std::size_t i) const {
  return given.impl()->storage.get() == inputs_[i].impl()->storage.get();
}

bool Arguments::is_in_place(const Tensor& given, std::size_t i) const {
  return is_input(given, i) && given.data() == inputs_[i].data() && given.strides() == inputs_[i].strides();
}

void Arguments::fill(const std::vector<Tensor>& given) {
  given_ = &given;
  bool is_moved = false;  // a result of the step before comes as another argument, or as another view
  for (const Tensor& one : given)
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      is_moved |= is_input(one, i) && !(&one == &given[i] && is_in_place(one, i));
  std::vector<Tensor> copies;
  if (is_moved) [[unlikely]]
    for (const Tensor& one : given) copies.push_back(one.detach().clone());
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!is_in_place(given[i], i)) copy_values(is_moved ? copies[i] : given[i], inputs_[i], Store::Overwrite);
    inputs_[i].impl()->storage->bump_version();
  }
}

// ---- what the step does to them -----------------------------------------------------------------

std::vector<ArgumentUse> Arguments::uses(const std::vector<Call>& calls) const {
  if (inputs_.empty()) return {};
  std::vector<Range> inputs;
  for (const Tensor& input : inputs_) inputs.push_back(range_of(input));
  std::vector<bool> is_written(inputs.size());
  std::vector<std::size_t> read_last(inputs.size());  // from 1
  std::vector<std::pair<std::size_t, RangeEffect>> elsewhere;
  for (std::size_t call = 0; call < calls.size(); ++call)
    for (const RangeEffect& effect : effects_of(calls[call])) {
      if (effect.range.low >= effect.range.high || in_step_memory(effect.range)) continue;
      bool is_input = false;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].overlaps(effect.range)) continue;
        is_input = true;
        if (effect.writes) is_written[i] = true;
        if (effect.reads) read_last[i] = call + 1;
      }
      if (!is_input) elsewhere.emplace_back(call + 1, effect);
    }
  std::vector<ArgumentUse> uses;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ArgumentUse use{i, is_written[i], {}};
    for (const auto& [call, effect] : elsewhere)
      if (is_written[i] || (effect.writes && call < read_last[i])) use.elsewhere.push_back(effect.range);
    merge(use.elsewhere);
    if (use.is_written || !use.elsewhere.empty()) uses.push_back(std::move(use));
  }
  return uses;
}

void Arguments::check(const std::vector<ArgumentUse>& uses) const {
  for (const ArgumentUse& use : uses) {
    if (use.is_written) check_written(use.argument);
    LUGE_CHECK(CaptureError, !lies_in(use.elsewhere, range_of((*given_)[use.argument])),
               "{} shares memory with another tensor that the step {}; a step works on a copy of its arguments; pass a clone() or "
               "let the function use the tensor itself",
               named_argument(use.argument), use.is_written ? "works on or returns" : "writes");
  }
}

void Arguments::check_written(std::size_t i) const {
  const std::vector<Tensor>& given = *given_;
  try {
    const NoGrad values_only;
    check_writable(given[i], "copy_");
  } catch (const Error& error) {
    raise<CaptureError>("{} is changed in place by the step and cannot be: {}", named_argument(i), error.what());
  }
  for (std::size_t j = 0; j < given.size(); ++j) {
    LUGE_CHECK(CaptureError, j == i || !share_elements(given[i], given[j]),
               "{} is changed in place by the step and shares memory with argument {}; a step works on a copy of each; pass a "
               "clone()",
               named_argument(i), j);
    LUGE_CHECK(CaptureError, (j == i && is_in_place(given[i], i)) || !is_input(given[i], j),
               "{} is changed in place by the step and lies in another argument that the step returned; pass a clone()",
               named_argument(i));
  }
}

void Arguments::took(const std::vector<ArgumentUse>& uses) {
  for (const ArgumentUse& use : uses)
    if (use.is_written && std::find(written_.begin(), written_.end(), use.argument) == written_.end())
      written_.push_back(use.argument);
}

void Arguments::give_back() {
  const std::vector<Tensor>& given = *std::exchange(given_, nullptr);
  for (const std::size_t i : written_) {
    if (is_in_place(given[i], i)) continue;
    copy_values(inputs_[i], given[i], Store::Overwrite);
    given[i].storage()->bump_version();
  }
  written_.clear();
}

}  // namespace luge
