// Printing as PyTorch does: one column width for all elements, four digits, scientific notation where
// the range asks for it, and the middle of long dimensions left out.

#include <algorithm>
#include <cmath>
#include <ostream>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr std::int64_t kThreshold = 1000;  // elements beyond which dimensions are abbreviated
constexpr std::int64_t kEdge = 3;          // what remains at each end of an abbreviated dimension
constexpr std::size_t kLineWidth = 80;

/// The elements that are shown, in order.
Tensor shown_part(Tensor tensor) {
  if (tensor.numel() <= kThreshold) return tensor;
  for (int d = 0; d < tensor.ndim(); ++d) {
    const std::int64_t size = tensor.size(d);
    if (size <= 2 * kEdge) continue;
    Shape shape = tensor.shape();
    shape[d] = 2 * kEdge;
    Tensor joined = empty_tensor(shape, tensor.dtype(), tensor.storage()->backend());
    joined.slice(d, 0, kEdge).copy_(tensor.slice(d, 0, kEdge));
    joined.slice(d, kEdge).copy_(tensor.slice(d, size - kEdge));
    tensor = joined;
  }
  return tensor;
}

/// Chooses one format for all numbers.
class NumberFormat {
 public:
  explicit NumberFormat(const std::vector<double>& values) {
    double smallest = HUGE_VAL, largest = 0;
    for (const double v : values) {
      if (!std::isfinite(v) || v == 0) continue;
      whole_ &= v == std::floor(v);
      smallest = std::min(smallest, std::abs(v));
      largest = std::max(largest, std::abs(v));
    }
    scientific_ = largest > 0 && (largest > 1e8 || largest / smallest > 1000 || (!whole_ && smallest < 1e-4));
    for (const double v : values)  // NaN and infinity do not widen the column
      if (std::isfinite(v) && v != 0) width_ = std::max(width_, text(v).size());
  }

  std::string padded(double value) const { return fmt::format("{:>{}}", text(value), width_); }
  std::size_t width() const { return width_; }

 private:
  std::string text(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    if (scientific_) return fmt::format("{:.4e}", value);
    return whole_ ? fmt::format("{:.0f}.", value) : fmt::format("{:.4f}", value);
  }

  bool whole_ = true, scientific_ = false;
  std::size_t width_ = 1;
};

/// Writes the brackets.
class Writer {
 public:
  Writer(const Shape& full, const Shape& shown, std::vector<std::string> cells, std::size_t width)
      : full_(full), shown_(shown), cells_(std::move(cells)), width_(width) {}

  std::string write() {
    if (full_.empty()) return cells_[0];
    level(0);
    return std::move(out_);
  }

 private:
  void level(int d) {
    const bool innermost = d + 1 == full_.ndim(), abbreviated = shown_[d] != full_[d];
    const std::size_t indent = kPrefix + static_cast<std::size_t>(d) + 1;
    const std::size_t per_line = innermost ? std::max<std::size_t>((kLineWidth - indent + 1) / (width_ + 2), 1) : 1;
    const std::int64_t entries = shown_[d] + (abbreviated ? 1 : 0);
    out_ += '[';
    for (std::int64_t i = 0; i < entries; ++i) {
      if (i > 0) separate(full_.ndim() - 1 - d, static_cast<std::size_t>(i) % per_line == 0, indent);
      if (abbreviated && i == kEdge)
        out_ += innermost ? " ..." : "...";
      else if (innermost)
        out_ += cells_[next_++];
      else
        level(d + 1);
    }
    out_ += ']';
  }

  /// Between two entries that have `inner` dimensions themselves.
  void separate(int inner, bool new_line, std::size_t indent) {
    out_ += ',';
    if (inner == 0 && !new_line) {
      out_ += ' ';
      return;
    }
    out_.append(static_cast<std::size_t>(std::max(inner, 1)), '\n');
    out_.append(indent, ' ');
  }

  static constexpr std::size_t kPrefix = 7;  // "tensor("
  const Shape& full_;
  const Shape& shown_;
  std::vector<std::string> cells_;
  std::size_t width_, next_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& tensor, SourceLocation location) {
  if (!tensor.defined()) return "tensor(undefined)";
  refuse_capture("to_string", kHostRead, location);
  const NoGrad guard;
  const Tensor part = shown_part(tensor.detach());
  std::vector<std::string> cells;
  std::size_t width = 0;
  if (is_floating(tensor.dtype())) {
    const std::vector<double> values = part.to_vector<double>();
    const NumberFormat format(values);
    for (const double value : values) cells.push_back(format.padded(value));
    width = format.width();
  } else {
    const bool truth = tensor.dtype() == DType::Bool;
    for (const std::int64_t value : part.to_vector<std::int64_t>()) {
      cells.push_back(!truth ? fmt::format("{}", value) : value ? "True" : "False");
      width = std::max(width, cells.back().size());
    }
    for (std::string& cell : cells) cell = fmt::format("{:>{}}", cell, width);
  }
  const bool empty = tensor.numel() == 0;
  std::string text = "tensor(";
  text += empty ? "[]" : Writer(tensor.shape(), part.shape(), std::move(cells), width).write();
  if (tensor.device().is_cuda()) text += fmt::format(", device='{}'", to_string(tensor.device()));
  if (empty && tensor.ndim() != 1) text += fmt::format(", size={}", to_string(tensor.shape()));
  const DType dtype = tensor.dtype();
  const bool is_told = dtype == DType::Float32 || (!empty && (dtype == DType::Int64 || dtype == DType::Bool));
  if (!is_told) text += fmt::format(", dtype={}", name(dtype));
  if (tensor.impl()->grad_fn)
    text += fmt::format(", grad_fn=<{}>", tensor.impl()->grad_fn->name());
  else if (tensor.impl()->requires_grad)
    text += ", requires_grad=True";
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  return out << to_string(tensor, {});  // an operator cannot know the line
}

}  // namespace luge
