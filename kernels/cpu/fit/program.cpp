#include "program.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <luge/seam/detail/op_traits.h>

namespace luge::cpu {

namespace {

bool is_value(const ChainInput& in) { return in.kind == ChainInput::Kind::Value; }
std::size_t index(std::int64_t value) { return static_cast<std::size_t>(value); }
bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

/// Calls visit(in) for everything that outputs and derivatives are.
template <class Visit>
void for_each_result(const FitModel& model, const Visit& visit) {
  for (const ChainInput& in : model.outputs) visit(in);
  for (const ChainInput& in : model.derivatives) visit(in);
}

}  // namespace

template <class T>
Program<T>::Program(const FitModel& model) : model_(model), formulas_(model.formulas) {
  multiply_by_reciprocals();
  note_uses();
  for (const double number : numbers_) constants_.insert(constants_.end(), kTile, static_cast<T>(number));
  for (std::size_t n = 0; n < numbers_.size(); ++n)
    constant_places_.push_back(
        reinterpret_cast<const std::byte*>(constants_.data() + static_cast<std::int64_t>(n) * kTile));
  place_tiles();
  for (const Link& link : formulas_.links) {
    const bool is_row = is_row_[index(link.out[0])];
    (is_row ? row_steps_ : steps_).push_back(step(link, is_row));
  }
}

/// x / t, of which t is the same at all points, is x times 1 / t: the one division of an evaluation.
template <class T>
void Program<T>::multiply_by_reciprocals() {
  std::vector<char> is_row(formulas_.values.size(), 0);
  std::vector<int> reciprocal(formulas_.values.size(), -1);
  for (int p = 0; p < model_.parameters; ++p) is_row[index(model_.parameter(p))] = 1;
  std::vector<Link> links;
  for (Link link : formulas_.links) {
    bool row = true;
    for (const ChainInput& in : link.in) row = row && (!is_value(in) || is_row[index(in.value)]);
    is_row[index(link.out[0])] = row;
    if (link.op == Op::Div && !row && is_value(link.in[1]) && is_row[index(link.in[1].value)]) {
      int& known = reciprocal[index(link.in[1].value)];
      if (known < 0) {
        Link inverse;
        inverse.op = Op::Div;
        inverse.in[0].kind = ChainInput::Kind::Number;
        inverse.in[0].number.kind = Operand::Kind::Immediate;
        inverse.in[0].number.dtype = model_.dtype;
        inverse.in[0].number.floating = 1;
        inverse.in[1] = link.in[1];
        inverse.out[0] = known = static_cast<int>(formulas_.values.size());
        formulas_.values.push_back(model_.dtype);
        links.push_back(inverse);
      }
      link.op = Op::Mul;
      link.in[1].value = known;
    }
    links.push_back(link);
  }
  formulas_.links = std::move(links);
}

/// Which values are the same at all points, which of those others read, and the numbers.
template <class T>
void Program<T>::note_uses() {
  is_row_.assign(formulas_.values.size(), 0);
  is_spread_.assign(formulas_.values.size(), 0);
  const auto note = [&](const ChainInput& in, bool spreads) {
    if (is_value(in) && spreads && is_row_[index(in.value)]) is_spread_[index(in.value)] = 1;
    if (in.kind != ChainInput::Kind::Number) return;
    const double number = in.number.floating;
    if (std::none_of(numbers_.begin(), numbers_.end(), [&](double known) { return same(known, number); }))
      numbers_.push_back(number);
  };
  for (int p = 0; p < model_.parameters; ++p) is_row_[index(model_.parameter(p))] = 1;
  for (const Link& link : formulas_.links) {
    bool is_row = true;
    for (const ChainInput& in : link.in) is_row = is_row && (!is_value(in) || is_row_[index(in.value)]);
    is_row_[index(link.out[0])] = is_row;
    for (const ChainInput& in : link.in) note(in, !is_row);
  }
  for_each_result(model_, [&](const ChainInput& in) { note(in, true); });
}

/// A tile that no later formula reads is used again.
template <class T>
void Program<T>::place_tiles() {
  const std::size_t values = formulas_.values.size();
  const int end = static_cast<int>(formulas_.links.size());
  std::vector<int> last(values, -1), slot(values, -1), free;
  for (int l = 0; l < end; ++l)
    for (const ChainInput& in : formulas_.links[index(l)].in)
      if (is_value(in)) last[index(in.value)] = l;
  for_each_result(model_, [&](const ChainInput& in) {
    if (is_value(in)) last[index(in.value)] = end;
  });
  int slots = 0;
  for (std::size_t v = 0; v < values; ++v)
    if (is_spread_[v]) slot[v] = slots++;
  for (int l = 0; l < end; ++l) {
    const std::size_t out = index(formulas_.links[index(l)].out[0]);
    if (is_row_[out]) continue;
    if (free.empty()) free.push_back(slots++);
    slot[out] = free.back();
    free.pop_back();
    for (std::size_t v = 0; v < values; ++v)
      if (last[v] == l && slot[v] >= 0 && !is_row_[v]) free.push_back(slot[v]);
  }
  constexpr std::size_t kAlign = 64, kBytes = static_cast<std::size_t>(kTile) * sizeof(T);
  memory_.resize(static_cast<std::size_t>(slots) * kBytes + kAlign);
  std::byte* const begin =
      memory_.data() + (kAlign - reinterpret_cast<std::uintptr_t>(memory_.data()) % kAlign) % kAlign;
  const auto numbers = static_cast<std::int64_t>(values) * kFitLanes;
  rows_.emplace(numbers);
  std::fill_n(rows_->data(), numbers, T(1));
  tiles_.assign(values, nullptr);
  for (std::size_t v = 0; v < values; ++v) {
    if (slot[v] >= 0) tiles_[v] = begin + index(slot[v]) * kBytes;
    row_places_.push_back(reinterpret_cast<std::byte*>(row(static_cast<int>(v))));
  }
}

template <class T>
const std::byte* const* Program<T>::constant(const ChainInput& in) const {
  const auto found =
      std::find_if(numbers_.begin(), numbers_.end(), [&](double number) { return same(number, in.number.floating); });
  return constant_places_.data() + (found - numbers_.begin());
}

template <class T>
typename Program<T>::Step Program<T>::step(const Link& link, bool is_row) const {
  const ChainInput& value = link.in[link.op == Op::Where ? 1 : 0];
  const DType dtype = is_value(value) ? formulas_.values[index(value.value)] : model_.dtype;
  const std::vector<std::byte*>& places = is_row ? row_places_ : tiles_;
  Step made{forward_tile(link.op, dtype), {}, places.data() + link.out[0], link.parameters};
  for (std::size_t i = 0; i < index(traits(link.op).inputs); ++i)
    made.in[i] = is_value(link.in[i]) ? places.data() + link.in[i].value : constant(link.in[i]);
  return made;
}

template <class T>
const T* Program<T>::tile(const ChainInput& in) const {
  return reinterpret_cast<const T*>(is_value(in) ? tiles_[index(in.value)] : *constant(in));
}

template <class T>
void Program<T>::run(const std::vector<Step>& steps, std::int64_t count) {
  for (const Step& step : steps) {
    std::array<const void*, 3> in{};
    for (std::size_t i = 0; i < in.size(); ++i)
      if (step.in[i]) in[i] = *step.in[i];
    void* const out[] = {*step.out};
    step.function(in.data(), out, step.parameters.data(), static_cast<std::size_t>(count));
  }
}

template <class T>
void Program<T>::prepare(std::int64_t rows) {
  prepare_lanes();
  for (std::size_t v = 0; v < is_spread_.size(); ++v) {
    if (!is_spread_[v]) continue;
    const bool is_condition = formulas_.values[v] == DType::Bool;
    const std::size_t row = index(kFitLanes) * (is_condition ? 1 : sizeof(T)), all = index(rows) * row;
    std::memcpy(tiles_[v], row_places_[v], row);
    for (std::size_t done = row; done < all; done *= 2)
      std::memcpy(tiles_[v] + done, tiles_[v], std::min(done, all - done));
  }
}

template <class T>
void Program<T>::run(const T* const* predictors, std::int64_t rows) {
  for (int k = 0; k < model_.predictors; ++k)
    tiles_[index(k)] = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(predictors[k]));
  run(steps_, rows * kFitLanes);
}

template class Program<float>;
template class Program<double>;

}  // namespace luge::cpu
