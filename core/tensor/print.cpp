// Printing as PyTorch does: one column width for all elements, four digits, scientific notation where
// the range asks for it, and the middle of long dimensions left out.

#include <algorithm>
#include <cmath>
#include <ostream>

#include <luge/autograd/grad_mode.h>
#include <luge/check.h>
#include <luge/tensor/tensor_impl.h>

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
      if (!std::isfinite(v)) continue;
      whole_ &= v == std::floor(v);
      if (v == 0) continue;
      smallest = std::min(smallest, std::abs(v));
      largest = std::max(largest, std::abs(v));
    }
    scientific_ = largest > 0 && (largest >= 1e8 || largest / smallest > 1000 || smallest < 1e-4) &&
                  !(whole_ && largest < 1e8);
    for (const double v : values) width_ = std::max(width_, text(v).size());
  }

  std::string padded(double value) const { return fmt::format("{:>{}}", text(value), width_); }

 private:
  std::string text(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    if (scientific_) return fmt::format("{:.4e}", value);
    return whole_ ? fmt::format("{:.0f}.", value) : fmt::format("{:.4f}", value);
  }

  bool whole_ = true, scientific_ = false;
  std::size_t width_ = 0;
};

/// Writes the brackets.
class Writer {
 public:
  Writer(const Shape& full, const Shape& shown, std::vector<std::string> cells)
      : full_(full), shown_(shown), cells_(std::move(cells)) {}

  std::string write() {
    level(0);
    return std::move(out_);
  }

 private:
  void level(int d) {
    if (d == full_.ndim()) {
      out_ += cells_[next_++];
      return;
    }
    out_ += '[';
    const bool abbreviated = shown_[d] != full_[d];
    for (std::int64_t i = 0; i < shown_[d]; ++i) {
      if (i > 0) separate(d);
      if (abbreviated && i == kEdge) {
        out_ += "...";
        separate(d);
      }
      level(d + 1);
    }
    out_ += ']';
  }

  void separate(int d) {
    out_ += ',';
    const int inner = full_.ndim() - 1 - d;
    if (inner == 0 && out_.size() - (out_.rfind('\n') + 1) + cells_[std::min(next_, cells_.size() - 1)].size() < kLineWidth) {
      out_ += ' ';
      return;
    }
    out_.append(static_cast<std::size_t>(std::max(inner, 1)), '\n');
    out_.append(kPrefix + static_cast<std::size_t>(d) + 1, ' ');
  }

  static constexpr std::size_t kPrefix = 7;  // "tensor("
  const Shape& full_;
  const Shape& shown_;
  std::vector<std::string> cells_;
  std::size_t next_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "tensor(undefined)";
  const NoGrad guard;
  const Tensor part = shown_part(tensor.detach());
  std::vector<std::string> cells;
  if (tensor.dtype() == DType::Bool) {
    for (const bool value : part.to_vector<bool>()) cells.push_back(value ? " True" : "False");
  } else if (!is_floating(tensor.dtype())) {
    std::size_t width = 0;
    for (const std::int64_t value : part.to_vector<std::int64_t>()) {
      cells.push_back(fmt::format("{}", value));
      width = std::max(width, cells.back().size());
    }
    for (std::string& cell : cells) cell = fmt::format("{:>{}}", cell, width);
  } else {
    const std::vector<double> values = part.to_vector<double>();
    const NumberFormat format(values);
    for (const double value : values) cells.push_back(format.padded(value));
  }
  std::string text = "tensor(";
  text += tensor.numel() == 0 ? "[]" : Writer(tensor.shape(), part.shape(), std::move(cells)).write();
  if (tensor.numel() == 0 && tensor.ndim() != 1) text += fmt::format(", size={}", to_string(tensor.shape()));
  const DType dtype = tensor.dtype();
  if (tensor.device().is_cuda()) text += fmt::format(", device='{}'", to_string(tensor.device()));
  const bool is_default = dtype == DType::Float32 || dtype == DType::Int64 || dtype == DType::Bool;
  if (!is_default || tensor.numel() == 0) text += fmt::format(", dtype={}", name(dtype));
  if (tensor.impl()->grad_fn)
    text += fmt::format(", grad_fn=<{}>", tensor.impl()->grad_fn->name());
  else if (tensor.impl()->requires_grad)
    text += ", requires_grad=True";
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << to_string(tensor); }

}  // namespace luge
