#pragma once
// THE SEAM, first half: everything luge computes crosses as plain data. Core fills one of these structs
// and hands it to Backend::run (backend.h). A struct owns nothing and says everything, so a step can be recorded,
// counted, fused and replayed by code that knows nothing of autograd.
//
// Core has checked shapes, dtypes, devices and aliasing before a struct is made: a backend may rely on
// it. No size is zero and every operand is on the backend's device. All but Copy and Gather get types that arithmetic
// is done in (widen.h). Work is queued in order on the backend's one stream; on the CPU it is done when run() returns.

//
// Each struct describes itself: name() is the operation as errors and plans call it, effects() hands over the memory
// that it touches, flops() counts its work. LUGE_CALLS lists them; everything that has one case per kind is made of
// that list, so a call that lacks an entry point does not link, and one that lacks a description does not compile.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>

#include <luge/seam/fit.h>
#include <luge/seam/loss_summary.h>
#include <luge/seam/normalization.h>
#include <luge/seam/op.h>
#include <luge/seam/operand.h>
#include <luge/seam/update_rule.h>

namespace luge {

/// Every kind of call, by the name of its struct.
#define LUGE_CALLS(X) \
  X(Elementwise)      \
  X(Copy)             \
  X(Reduce)           \
  X(MatMul)           \
  X(Softmax)          \
  X(CrossEntropy)     \
  X(Gather)           \
  X(Sort)             \
  X(Scan)             \
  X(Iota)             \
  X(Random)           \
  X(Update)           \
  X(ClipNorm)         \
  X(Record)           \
  X(LeastSquares)     \
  X(Covariance)       \
  X(Factorize)        \
  X(Convolution)      \
  X(Normalization)

/// One elementwise formula over broadcast operands.
///   Forward   in = the op's inputs (Where: condition, a, b); out[0] = the result (Bool for
///             comparisons and tests). All value inputs have the same dtype as out[0], or, for a
///             comparison, as each other.
///   Backward  in[0] = dy, in[1..n] = the op's inputs, in[n + 1] = its output; those that the formula
///             does not save (Traits::kSaves) are Absent. out[i] = gradient of input i, or Absent where
///             nobody wants it. Where: in[1] = condition, the rest Absent, out[0] Absent.
/// Outputs never repeat an element (no zero strides over sizes > 1). An output may be the very same
/// window as an input (same data, same strides) and overlaps none otherwise.
struct Elementwise {
  static constexpr int kMaxInputs = 5;
  static constexpr int kMaxOutputs = 3;

  Op op;
  Direction direction = Direction::Forward;
  Extent extent;
  int inputs = 0, outputs = 0;
  std::array<Operand, kMaxInputs> in;
  std::array<Operand, kMaxOutputs> out;
  std::array<Store, kMaxOutputs> store{};
  std::array<double, 2> parameters{};

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// Copies with conversion, broadcast and any strides; an Immediate input fills. To Bool: "is not zero";
/// from floating to integer: towards zero; to a narrower integer modulo 2^bits; to a half the nearest one. Backends get
/// pairs of dtypes that convert at once (converts_at_once).
struct Copy {
  Extent extent;
  Operand in, out;
  Store store = Store::Overwrite;  ///< Accumulate: floating dtypes only

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

#define LUGE_REDUCTIONS(X) \
  X(Sum, "sum")            \
  X(Mean, "mean")          \
  X(Prod, "prod")          \
  X(Min, "min")            \
  X(Max, "max")            \
  X(ArgMin, "argmin")      \
  X(ArgMax, "argmax")      \
  X(LogSumExp, "logsumexp") \
  X(SumSquares, "sum of squares")

enum class ReduceOp : std::uint8_t {
#define LUGE_ROW(Formula, name) Formula,
  LUGE_REDUCTIONS(LUGE_ROW)
#undef LUGE_ROW
};

/// "sum", "logsumexp", ...
constexpr const char* name(ReduceOp op) {
  switch (op) {
#define LUGE_ROW(Formula, name) \
  case ReduceOp::Formula: return name;
    LUGE_REDUCTIONS(LUGE_ROW)
#undef LUGE_ROW
  }
  return "";
}

/// Reduces the last `reduced` dimensions of the extent; the first extent.ndim - reduced are kept.
///   in.strides   one per dimension of the extent
///   out.strides  one per kept dimension
/// Sum and Prod of int32, int64 and bool arrive with an int64 output; Mean, LogSumExp and SumSquares are floating
/// only; ArgMin and ArgMax give the int64 row-major position within the reduced dimensions, of the
/// first of equals, NaN counting as the extreme; Min and Max propagate NaN and also take Bool.
/// Floating sums carry at least float64 between chunks; the order of additions depends on the reduced
/// sizes alone, never on the number of outputs, the thread count or the position (law 7).
struct Reduce {
  ReduceOp op;
  Extent extent;
  int reduced = 0;
  Operand in, out;
  Store store = Store::Overwrite;

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// c[..., i, j] (=, +=) sum over k of a[..., i, k] b[..., k, j]; float32 or float64. The last two
/// strides of each operand are those of its matrix, the ones before belong to the batch dimensions.
/// How one matrix product is computed depends on m, n, k and the matrix strides alone (law 7).
/// c's rows are contiguous (strides n-dimension 1) or its columns are.
struct MatMul {
  Extent batch;                    ///< at most kMaxDims - 2 dimensions
  std::int64_t m = 0, n = 0, k = 0;
  Operand a, b, c;                 ///< strides: batch dimensions, then row, then column
  Store store = Store::Overwrite;
  bool allow_tf32 = false;         ///< factors of float32 may be rounded to TF32's 11 bits on the way

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// Softmax along contiguous rows.
///   Forward   in = x, out = y
///   Backward  in = dy, y = the forward result, out = dx
struct Softmax {
  bool log = false;
  Direction direction = Direction::Forward;
  std::int64_t rows = 0, columns = 0;
  Operand in, y, out;              ///< strides[0] = distance of rows; columns are contiguous
  Store store = Store::Overwrite;

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// Cross entropy of rows of logits against class labels (int64), with the log-sum-exp of each row kept
/// for the way back.
///   Forward   out[r] = lse[r] - logits[r, target[r]], lse written
///   Backward  out[r, c] = dy[r] * (exp(logits[r, c] - lse[r]) - [c == target[r]])
/// A label outside [0, columns) never reads out of bounds: it gives NaN (core has refused it where
/// the labels can be read on the host).
struct CrossEntropy {
  Direction direction = Direction::Forward;
  std::int64_t rows = 0, columns = 0;
  Operand logits;                  ///< strides[0] = distance of rows; columns are contiguous
  Operand target;                  ///< Int64; strides[0]
  Operand lse, dy, out;            ///< strides[0]; Backward out: strides[0] = distance of rows
  Store store = Store::Overwrite;

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// How what meets at one place becomes one value. Integers wrap around; Min and Max propagate NaN.
enum class Fold : std::uint8_t { Sum, Prod, Min, Max };

/// Picks along one dimension of the extent (the extent is that of index and out).
///   Forward   out[.., i, ..] = source[.., index[.., i, ..], ..]
///   Backward  source[.., index[.., i, ..], ..] += out[.., i, ..], or what `fold` says instead of +=, in an order that
///             does not depend on thread count or position; source already holds what is folded into
///   Backward, Overwrite   the same with = instead of +=; of equal labels the last one stays
/// index is Int64; a zero stride in index repeats it (index_select has one stride only). Any dtype, but for Sum and Prod,
/// which Bool has none of (they are Max and Min). A label outside [0, source_size) never reads or writes out of bounds.
struct Gather {
  Direction direction = Direction::Forward;
  Extent extent;
  int dim = 0;
  std::int64_t source_size = 0;    ///< size of source along dim
  Operand source, index, out;
  Store store = Store::Accumulate; ///< of Backward
  Fold fold = Fold::Sum;           ///< of Accumulate
  bool distinct = false;           ///< no label stands twice in a line along dim, so no sum has an order

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// Orders each row by value: NaN counts as the largest, 0.0 and -0.0 are equal, equals stay in the order in which they
/// stand, in both directions.
///   values[r, i]   the i-th element of row r in that order, its bits as they are; for i < kept
///   indices[r, i]  its position in the row
/// A row's result depends on the row alone (law 7).
struct Sort {
  bool descending = false;
  std::int64_t rows = 0, columns = 0;
  std::int64_t kept = 0;           ///< how many of each row are wanted, 1 to columns
  Operand in;                      ///< strides[0] = distance of rows; columns are contiguous
  Operand values, indices;         ///< the same; values: of in's dtype, or Absent; indices: Int64

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

#define LUGE_SCANS(X)  \
  X(Sum, "cumsum")     \
  X(Prod, "cumprod")   \
  X(Max, "cummax")     \
  X(Min, "cummin")     \
  X(LogSumExp, "logcumsumexp")

enum class ScanOp : std::uint8_t {
#define LUGE_ROW(Formula, name) Formula,
  LUGE_SCANS(LUGE_ROW)
#undef LUGE_ROW
};

/// "cumsum", "cummax", ...
constexpr const char* name(ScanOp op) {
  switch (op) {
#define LUGE_ROW(Formula, name) \
  case ScanOp::Formula: return name;
    LUGE_SCANS(LUGE_ROW)
#undef LUGE_ROW
  }
  return "";
}

/// Running reductions along the middle one of three contiguous dimensions, (outer, n, inner):
///   out[o, i, j]      that of in[o, 0, j] to in[o, i, j]; reversed, of in[o, i, j] to in[o, n - 1, j]
///   indices[o, i, j]  of Max and Min: the position of that element, of the last one met of equals, NaN counting as the
///                     extreme
/// Sum and Prod are of int64, float32 or float64, LogSumExp is floating only, Max and Min take anything but Bool. Sums
/// and products of floats are carried in float64; NaN stays once it is met. A line's result depends on the line alone
/// (law 7). out overlaps nothing else.
struct Scan {
  ScanOp op;
  bool reverse = false;
  std::int64_t outer = 1, n = 0, inner = 1;
  Operand in, out;
  Operand indices;                 ///< Int64, of Max and Min; else Absent

  std::int64_t count() const { return outer * n * inner; }
  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// out[i] = start + i * step over n contiguous elements, computed in float64 or int64.
struct Iota {
  std::int64_t n = 0;
  Operand out;                     ///< contiguous
  double start = 0, step = 1;
  std::int64_t integer_start = 0, integer_step = 1;

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// Seed and first stream of a replayed step's draws, in device memory.
struct RandomState {
  std::uint64_t seed = 0, stream = 0;
};

/// Random numbers into contiguous memory seen as (sets, n / sets). Philox4x32-10 keyed by `seed`;
/// counters consist of a number, set + first_set and stream, and each has the words of 2 or 4 neighbouring
/// elements of its set (core/luge/math/random.h). So a set draws the same numbers alone and inside any batch, on every
/// device.
struct Random {
  enum class Kind : std::uint8_t { Uniform, Normal, Integer };

  Kind kind = Kind::Uniform;
  std::int64_t sets = 1, per_set = 0;
  std::int64_t first_set = 0;
  std::uint64_t seed = 0, stream = 0;
  /// Device memory, or null. Where it is given, its seed replaces `seed` and its stream is added to `stream`.
  const RandomState* state = nullptr;
  bool global = false;                           ///< seed and stream are the global generator's
  double low = 0, high = 1;                      ///< Uniform: [low, high); Normal: mean, deviation
  std::int64_t integer_low = 0, integer_high = 0;///< Integer: [low, high)
  Operand out;                                   ///< contiguous; Integer: Int32 or Int64

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// One optimizer step over a whole arena; formulas in core/luge/math/updates.h. Reads the step count
/// (int64, number of steps taken before this one) from device memory and increments it.
struct Update {
  static constexpr int kMaxHypers = 6;
  /// Index of the flags in `hyper`: of the arena's dtype, 0 for a set whose values and states stay as they are. Without
  /// memory every set takes part.
  static constexpr int kActive = kMaxHypers;

  UpdateRule rule;
  DType dtype = DType::Float32;
  ArenaLayout layout;
  void* value = nullptr;
  const void* grad = nullptr;
  std::array<void*, kMaxStates> state{};            ///< as many as the rule has
  std::int64_t* steps = nullptr;
  /// (sets), or null: how many steps were taken before each set began anew; those do not count for it.
  const std::int64_t* begun = nullptr;
  std::array<Hyper, kMaxHypers + 1> hyper{};        ///< by the rule's enumeration
  bool maximize = false;

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);

  /// Whether `data` is that of the values, the gradients or a state.
  bool is_block(const void* data) const;
  bool decays() const { return hyper[math::kWeightDecay].data != nullptr; }
  bool has_idle() const { return hyper[kActive].data != nullptr; }
  /// How many numbers the rule's step reads, with the flag of the set, the last one, if some may stand still.
  int numbers() const;
  math::Number number(int i) const;
  /// Whether number i differs from set to set.
  bool is_per_set(int i) const;
};

/// Clips gradients by their norm, set by set: norm[s] = |all gradients of set s|_2, then the set's
/// gradients are multiplied by min(1, max_norm / (norm[s] + 1e-6)), PyTorch's formula.
struct ClipNorm {
  DType dtype = DType::Float32;
  ArenaLayout layout;
  void* grad = nullptr;
  void* norm = nullptr;            ///< (sets), the arena's dtype
  Hyper max_norm;

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// Summarises n contiguous losses into ring[*counter % capacity] and increments *counter. The ring is
/// host-visible memory, so reading it needs no synchronisation. With `rows` not null the first
/// `kept` losses are also copied, as float64, to rows + (*counter % capacity) * kept.
struct Record {
  Operand losses;                  ///< contiguous, floating
  std::int64_t n = 0;
  LossSummary* ring = nullptr;
  double* rows = nullptr;
  std::int64_t kept = 0, capacity = 0;
  std::int64_t* counter = nullptr; ///< device memory

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// What fits and their covariances are of: a model and the observations of each set.
///   x           predictors; strides: predictor, set, point
///   y           observed; strides: set, output, point
///   weight      1 / standard deviation, as y; 0 for what was not observed, whose x and y are never looked at.
///               Absent: 1
///   lower, upper  bounds; strides: set, parameter; equal ones hold a parameter. Absent: none
///   parameters  float64; strides: set, parameter; contiguous
/// x, y and weight are of the model's dtype, bounds float64.
struct Observations {
  std::shared_ptr<const FitModel> model;
  FitLoss loss = FitLoss::Linear;
  double loss_scale = 1;
  std::int64_t sets = 0, points = 0;
  Operand x, y, weight, lower, upper, parameters;
};

/// Batched nonlinear least squares: of every set, parameters that make
/// sum over outputs and points of loss((model(x, parameters) - y) * weight) smallest, from those that are there.
/// A set's results depend on its own observations alone (law 7).
struct LeastSquares {
  Observations of;                 ///< parameters: the start, and what was found
  FitMethod method = FitMethod::LevenbergMarquardt;
  std::int64_t max_steps = 0;
  double ftol = 0, xtol = 0, gtol = 0;
  Operand cost;                    ///< (sets), float64: half of the smallest sum
  Operand optimality;              ///< (sets), float64: the greatest cosine between residuals and a free column
  Operand steps;                   ///< (sets), int32: evaluations of the model
  Operand status;                  ///< (sets), int32: a FitStatus
  /// (1 + parameters * (parameters + 1) / 2, sets), float64, of the linear loss at what was found: the sum of squared
  /// weighted residuals, then products of their derivatives, the lower triangle row by row. NaN where there was nothing
  /// to fit. Nothing: not asked for.
  Operand sums;

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// The covariance of a fit's parameters for residuals of variance 1: the inverse of J^T J of the weighted residuals, with
/// a robust loss the sandwich of the curvature around the scores. A parameter that is at a bound has NaN; one that the
/// observations do not determine infinity; the others as if those were known.
struct Covariance {
  Observations of;
  Operand sums;                    ///< as the search left them, so that few sets are evaluated again; or nothing
  Operand covariance;              ///< float64, contiguous; strides: set, parameter, parameter
  Operand condition;               ///< (sets), float64: of the Jacobian with columns of length 1
  Operand chi2;                    ///< (sets), float64: the sum of squares of the weighted residuals
  Operand free;                    ///< (sets), int32: parameters that are not at a bound
  Operand rank;                    ///< (sets), int32: how many of those the observations determine

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// Factors a batch of matrices, or solves with factors; float32 or float64. What comes of a matrix depends on it alone
/// (law 7). An operand's strides are those of its matrices, of their rows and 1; those of a vector per matrix: of the
/// matrices and 1. No output overlaps an input or another output.
///   Cholesky         in (n, n), of which the triangle `upper` or the lower one is read; out (n, n) = L with L L^T = in,
///                    or, upper, U with U^T U = in, zeros in the other triangle; info
///   Lu               in (m, n); out (m, n) = L below the diagonal, which is 1, and U from there on, with P in = L U;
///                    pivots (k): at step i row i changed places with row pivots[i] - 1; order (m), or Absent: row i of
///                    P in is row order[i] of `in`; info. Partial pivoting, k = min(m, n)
///   RowOrder         pivots (k); order (m) as above. A pivot that is none leaves its row where it is
///   TriangularSolve  in (n, n), of which the triangle `upper` or the lower one is read, with a diagonal of ones if
///                    `unit`; b (n, k); out (n, k) = in^-1 b, `transposed` in^-T b. `right`: b and out (k, n), b in^-1
///                    or b in^-T. With order (n), not `right`: of P b, whose row i is row order[i] of b, in place of b; and,
///                    `transposed`, P^-1 in^-T b, whose row order[i] is row i
///   Qr               in (m, n); out (m, c) = Q, or Absent; second (c, n) = R, upper triangular: Q R = in, Q^T Q = 1;
///                    c = m if `complete`, else min(m, n)
///   Eigh             in (n, n), as Cholesky's; out (n) = eigenvalues, ascending; second (n, n) = V, or Absent, whose
///                    columns are the eigenvectors of length 1: in V = V diag(out); info
///   Svd              in (m, n); out (min(m, n)) = singular values, descending; second (m, c) = U and third (d, n) = V^T,
///                    or both Absent: U diag(out) V^T = in; c = d = min(m, n), or m and n if `complete`; info
/// info is 0, or Cholesky: how many rows and columns, from the first, it takes for a matrix that is not positive definite;
/// Lu: the first pivot that is zero, counted from 1; Eigh and Svd: not 0 where nothing was found, and the results are NaN.
struct Factorize {
  enum class Kind : std::uint8_t { Cholesky, Lu, RowOrder, TriangularSolve, Qr, Eigh, Svd };

  Kind kind = Kind::Cholesky;
  bool upper = false, transposed = false, unit = false, right = false, complete = false;
  std::int64_t batch = 0, m = 0, n = 0, k = 0;
  Operand in, b;
  Operand out, second, third;
  Operand pivots;                  ///< Int32
  Operand order;                   ///< Int64
  Operand info;                    ///< Int32, one per matrix

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

/// A convolution of images, or either of its gradients; float32 or float64. With one of x, w and y as the result:
///   Output  y[s, n, g, k, o] (=, +=) bias[s, g, k] + sum over c, t of x[s, n, g, c, i(o, t)] w[s, g, k, c, t]
///   Input   x[s, n, g, c, i] (=, +=) bias[s, g, c] + sum over k, and o and t with i(o, t) = i, of y[s, n, g, k, o] w[s, g, k, c, t]
///   Weight  w[s, g, k, c, t] (=, +=) sum over n, o of y[s, n, g, k, o] x[s, n, g, c, i(o, t)]
/// Each is linear in its two inputs, and the derivatives of each are the two others. i(o, t) = o * stride - padding +
/// t * dilation in each of three spatial dimensions, of which the first ones may be 1; an i outside of x holds 0. Sizes are
/// given, so that the padding behind x is what they leave.
///   x, y     strides: sets, batch; then (groups, channels, space) without gaps. An input may repeat in either
///   w, bias  strides: sets; then (groups, out_channels, in_channels, taps) and (groups, channels) without gaps
/// A result repeats nothing. An image's result depends on that image and the weights alone, a set's on that set (law 7).
struct Convolution {
  enum class Role : std::uint8_t { Output, Input, Weight };
  using Sizes = std::array<std::int64_t, 3>;

  Role role = Role::Output;
  int dims = 2;                    ///< how many of the spatial dimensions are meant, the last ones
  std::int64_t sets = 1, batch = 1, groups = 1;
  std::int64_t in_channels = 1, out_channels = 1;  ///< of a group
  Sizes in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1};
  Sizes stride{1, 1, 1}, dilation{1, 1, 1};
  Sizes padding{0, 0, 0};          ///< before x; 0 or more
  Operand x{}, w{}, y{};
  Operand bias{};                  ///< of Output and Input that are overwritten; or Absent
  Store store = Store::Overwrite;
  bool allow_tf32 = false;         ///< as MatMul's

  static std::int64_t product(const Sizes& sizes) { return sizes[0] * sizes[1] * sizes[2]; }
  std::int64_t x_image() const { return groups * in_channels * product(in); }
  std::int64_t y_image() const { return groups * out_channels * product(out); }
  std::int64_t w_set() const { return groups * out_channels * in_channels * product(kernel); }

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

namespace detail {
template <class None, class... Kinds>
struct AnyOf {
  using type = std::variant<Kinds...>;
};
}  // namespace detail

/// Any of them.
#define LUGE_CALL(Kind) , Kind
using Call = detail::AnyOf<void LUGE_CALLS(LUGE_CALL)>::type;
#undef LUGE_CALL

const char* name_of(const Call& call);
Cost cost_of(const Call& call);

/// Calls visit(effect) for everything that the call touches, inputs first. *effect.data may be changed.
template <class Kind>
void for_each_effect(Kind& call, const Effects::Visit& visit) {
  Effects effects(visit);
  call.effects(effects);
}
void for_each_effect(Call& call, const Effects::Visit& visit);
/// The same for operands; *data and dtype may be changed, and strides with them.
template <class Kind>
void for_each_operand(Kind& call, const Effects::VisitOperand& visit) {
  Effects effects(visit);
  call.effects(effects);
}
/// The same of a call that stays as it is.
template <class Kind>
void for_each_effect(const Kind& call, const Effects::Visit& visit) {
  Kind copy = call;
  for_each_effect(copy, visit);
}

}  // namespace luge
