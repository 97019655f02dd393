#include <luge/ops/einsum.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>

#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/contraction.h>
#include <luge/ops/diagonal.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// Letters are labels 0 to 51, capitals first; what an ellipsis stands for has the labels from here on, counted from the last
/// dimension.
constexpr Label kEllipsis = 52;

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
Label label_of(char c) { return static_cast<Label>(c <= 'Z' ? c - 'A' : c - 'a' + 26); }
char letter_of(Label label) { return static_cast<char>(label < 26 ? 'A' + label : 'a' + (label - 26)); }

/// One side of a comma or of the arrow: its labels, and where an ellipsis stands among them.
struct Subscripts {
  std::vector<Label> labels;
  int ellipsis = -1;
};

Subscripts parsed(const std::string& text, const std::string& equation) {
  Subscripts result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text[i] == '.') {
      LUGE_CHECK(ValueError, text.compare(i, 3, "...") == 0 && result.ellipsis < 0,
                 "einsum: '{}' has a dot that is not part of one '...' for each operand", equation);
      result.ellipsis = static_cast<int>(result.labels.size());
      i += 2;
      continue;
    }
    LUGE_CHECK(ValueError, is_letter(text[i]), "einsum: '{}' has the character '{}'; allowed are letters, ',', '...', '->' and spaces",
               equation, text[i]);
    result.labels.push_back(label_of(text[i]));
  }
  return result;
}

struct Equation {
  std::vector<Subscripts> inputs;
  std::optional<Subscripts> output;
};

Equation parsed(const std::string& equation) {
  Equation result;
  std::string left = equation;
  if (const std::size_t arrow = equation.find("->"); arrow != std::string::npos) {
    left = equation.substr(0, arrow);
    result.output = parsed(equation.substr(arrow + 2), equation);
  }
  for (std::size_t start = 0;;) {
    const std::size_t comma = left.find(',', start);
    result.inputs.push_back(parsed(left.substr(start, comma - start), equation));
    if (comma == std::string::npos) return result;
    start = comma + 1;
  }
}

/// With labels for what the ellipsis stands for, and repeated labels reduced to diagonals.
Labelled labelled(const Tensor& x, const Subscripts& subscripts, std::size_t place) {
  const int named = static_cast<int>(subscripts.labels.size()), ndim = x.ndim();
  LUGE_CHECK(ShapeError, subscripts.ellipsis < 0 ? named == ndim : named <= ndim,
             "einsum: operand {} has shape {} and {} letters{}", place, to_string(x.shape()), named,
             subscripts.ellipsis < 0 ? "; there must be one for each dimension" : " beside '...'; there are too many");
  Labelled result{x, subscripts.labels};
  if (subscripts.ellipsis >= 0)
    for (int i = 0; i < ndim - named; ++i)
      result.labels.insert(result.labels.begin() + subscripts.ellipsis, static_cast<Label>(kEllipsis + i));
  for (std::size_t i = 0; i < result.labels.size(); ++i) {
    for (std::size_t j = i + 1; j < result.labels.size();) {
      if (result.labels[i] != result.labels[j]) {
        ++j;
        continue;
      }
      const int a = static_cast<int>(i), b = static_cast<int>(j);
      LUGE_CHECK(ShapeError, result.tensor.size(a) == result.tensor.size(b),
                 "einsum: operand {} of shape {} has the letter '{}' for sizes {} and {}; they must be equal", place,
                 to_string(x.shape()), letter_of(result.labels[i]), result.tensor.size(a), result.tensor.size(b));
      // The diagonal comes last; it goes back to the first of the two places.
      result.tensor = moved_from_end(diagonal(result.tensor, 0, a, b), a);
      result.labels.erase(result.labels.begin() + b);
    }
  }
  return result;
}

/// The labels of the result, in order.
std::vector<Label> output_labels(const Equation& equation, const std::vector<Labelled>& operands, const std::string& text) {
  std::array<int, 64> counts{};
  int broadcast = 0;
  for (const Subscripts& input : equation.inputs)
    for (const Label label : input.labels) ++counts[label];
  for (const Labelled& operand : operands)
    for (const Label label : operand.labels)
      if (label >= kEllipsis) broadcast = std::max(broadcast, label - kEllipsis + 1);
  std::vector<Label> lead, result;
  for (int i = broadcast - 1; i >= 0; --i) lead.push_back(static_cast<Label>(kEllipsis + i));
  if (!equation.output) {
    result = lead;
    for (Label label = 0; label < kEllipsis; ++label)
      if (counts[label] == 1) result.push_back(label);
    return result;
  }
  for (const Label label : equation.output->labels) {
    LUGE_CHECK(ValueError, counts[label] > 0, "einsum: '{}' has the letter '{}' in the output and in no operand", text,
               letter_of(label));
    LUGE_CHECK(ValueError, std::find(result.begin(), result.end(), label) == result.end(),
               "einsum: '{}' has the letter '{}' twice in the output", text, letter_of(label));
    result.push_back(label);
  }
  if (equation.output->ellipsis >= 0) result.insert(result.begin() + equation.output->ellipsis, lead.begin(), lead.end());
  return result;
}

void check_sizes(const std::vector<Labelled>& operands, const std::string& text) {
  std::array<std::int64_t, 64> sizes{};
  sizes.fill(1);
  for (std::size_t i = 0; i < operands.size(); ++i)
    for (std::size_t d = 0; d < operands[i].labels.size(); ++d) {
      const Label label = operands[i].labels[d];
      const std::int64_t size = operands[i].tensor.size(static_cast<int>(d));
      LUGE_CHECK(ShapeError, size == sizes[label] || size == 1 || sizes[label] == 1,
                 "einsum: in '{}', operand {} of shape {} has size {} for {}{}{} and another operand {}", text, i,
                 to_string(operands[i].tensor.shape()), size, label < kEllipsis ? "the letter '" : "a dimension of '...",
                 label < kEllipsis ? std::string(1, letter_of(label)) : "", "'", sizes[label]);
      if (size != 1) sizes[label] = size;
    }
}

/// Elements that a contraction of two leaves more than it takes; the smallest is next.
double growth(const Labelled& a, const Labelled& b, std::uint64_t kept) {
  double left = 1, size_a = 1, size_b = 1;
  for (std::size_t d = 0; d < a.labels.size(); ++d) {
    const auto size = static_cast<double>(a.tensor.size(static_cast<int>(d)));
    size_a *= size;
    if (kept >> a.labels[d] & 1) left *= size;
  }
  for (std::size_t d = 0; d < b.labels.size(); ++d) {
    const auto size = static_cast<double>(b.tensor.size(static_cast<int>(d)));
    size_b *= size;
    if ((kept >> b.labels[d] & 1) && (a.mask() >> b.labels[d] & 1) == 0) left *= size;
  }
  return left - size_a - size_b;
}

std::uint64_t mask_of(const std::vector<Label>& labels) {
  std::uint64_t mask = 0;
  for (const Label label : labels) mask |= std::uint64_t{1} << label;
  return mask;
}

}  // namespace

Tensor einsum(const std::string& equation, const std::vector<Tensor>& given) {
  const Operation called("einsum");
  std::vector<Tensor> tensors = given;
  for (Tensor& tensor : tensors) tensor = autocast_factor(tensor);
  LUGE_CHECK(ValueError, !tensors.empty(), "einsum: no operands are given; at least one is needed");
  const Equation parts = parsed(equation);
  LUGE_CHECK(ValueError, parts.inputs.size() == tensors.size(), "einsum: '{}' is about {} operands and {} are given", equation,
             parts.inputs.size(), tensors.size());
  std::vector<Labelled> operands;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    checked(tensors[i], "einsum", "an operand");
    LUGE_CHECK(DeviceError, tensors[i].device() == tensors[0].device(), "einsum: operand 0 is on {} and operand {} on {}",
               to_string(tensors[0].device()), i, to_string(tensors[i].device()));
    operands.push_back(labelled(tensors[i], parts.inputs[i], i));
  }
  check_sizes(operands, equation);
  const std::vector<Label> output = output_labels(parts, operands, equation);
  const std::uint64_t wanted = mask_of(output);
  while (operands.size() > 1) {
    std::size_t first = 0, second = 1;
    double least = 0;
    std::uint64_t kept = 0;
    for (std::size_t i = 0; i + 1 < operands.size(); ++i)
      for (std::size_t j = i + 1; j < operands.size(); ++j) {
        std::uint64_t needed = wanted;
        for (std::size_t k = 0; k < operands.size(); ++k)
          if (k != i && k != j) needed |= operands[k].mask();
        const double cost = operands.size() == 2 ? 0 : growth(operands[i], operands[j], needed);
        if (i + j > 1 && cost >= least) continue;  // the first pair is 0 and 1
        first = i;
        second = j;
        least = cost;
        kept = needed;
      }
    std::vector<Label> order = output;
    if (operands.size() > 2) order.clear();
    Labelled result = contracted(operands[first], operands[second], kept, order);
    operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(second));
    operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(first));
    operands.push_back(std::move(result));
  }
  return arranged(summed(operands[0], wanted), output);
}

}  // namespace luge
