// softmax, log_softmax, mse_loss and cross_entropy.

#include <limits>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

class SoftmaxTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(SoftmaxTest);

TEST_P(SoftmaxTest, AlongEveryDimension) {
  manual_seed(1);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 4}, Shape{2, 3, 4}, Shape{2, 1, 5}, Shape{3, 4097}, Shape{0, 3}, Shape{3, 0}}) {
      const Tensor x = randn(shape, on(dtype)) * 3;
      for (int dim = -std::max(1, x.ndim()); dim < std::max(1, x.ndim()); ++dim) {
        SCOPED_TRACE(to_string(shape) + " along " + std::to_string(dim));
        const Tensor wide = x.to(float64);
        const Tensor e = x.ndim() == 0 ? (wide - wide).exp() : (wide - (wide.numel() == 0 ? wide.sum(dim, true) : wide.max(dim, true))).exp();
        const Tensor exact = x.ndim() == 0 ? e : e / e.sum(dim, true);
        const double tolerance = 32 * unit_roundoff(dtype);
        EXPECT_TRUE(has_values(softmax(x, dim), shape, dtype, exact.to_vector<double>(), tolerance));
        EXPECT_TRUE(has_values(log_softmax(x, dim), shape, dtype, exact.log().to_vector<double>(), tolerance));
        if (x.ndim() != 2 || x.numel() == 0) continue;
        EXPECT_TRUE(same(x.t().softmax(dim < 0 ? -3 - dim : 1 - dim).t().contiguous(), x.softmax(dim)));
      }
    }
  }
}

TEST_P(SoftmaxTest, LargeValuesDoNotOverflow) {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = tensor({{1000, 1000, -1000}, {-1e30, 0, 1e30}, {-kInf, 0, 0}}, on(dtype));
    EXPECT_TRUE(has_values(x.softmax(1), {3, 3}, dtype, {0.5, 0.5, 0, 0, 0, 1, 0, 0.5, 0.5}));
    const Tensor logs = x.log_softmax(1);
    EXPECT_TRUE(has_values(logs[0], {3}, dtype, {-std::log(2), -std::log(2), -2000 - std::log(2)}, 1e-6));
    EXPECT_EQ(logs[2][0].item(), -kInf);
    EXPECT_TRUE(tensor({1, std::nan("")}, on(dtype)).softmax(0).isnan().all().item<bool>());
  }
}

TEST_P(SoftmaxTest, Gradients) {
  manual_seed(2);
  const Tensor x = randn({2, 3, 4}, on(float64, true));
  for (int dim = 0; dim < 3; ++dim) {
    for (const auto& f : {static_cast<Tensor (*)(const Tensor&, int)>(softmax), static_cast<Tensor (*)(const Tensor&, int)>(log_softmax)}) {
      EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return f(in[0], dim); }, {x}));
      EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return f(in[0].transpose(0, 2), dim).transpose(1, 2); }, {x}));
      EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return f(in[0], dim).select(1, 0) + f(in[0] * 2, dim).sum(1); }, {x}));
      EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return f(in[0], 0); }, {randn({}, on(float64, true))}));
      EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return f(in[0], 1); }, {zeros({3, 0}, on(float64, true))}));
    }
  }
}

class LossTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(LossTest);

constexpr Reduction kReductions[] = {Reduction::None, Reduction::Mean, Reduction::Sum, Reduction::PerSet};

/// What a reduction makes of losses (sets, samples).
std::vector<double> reduced(const std::vector<double>& losses, std::size_t sets, Reduction reduction) {
  if (reduction == Reduction::None) return losses;
  std::vector<double> sums(reduction == Reduction::PerSet ? sets : 1);
  for (std::size_t i = 0; i < losses.size(); ++i) sums[i * sums.size() / losses.size()] += losses[i];
  if (reduction != Reduction::Sum)
    for (double& sum : sums) sum /= static_cast<double>(losses.size() / sums.size());
  return sums;
}

Shape reduced_shape(const Shape& shape, Reduction reduction) {
  if (reduction == Reduction::None) return shape;
  return reduction == Reduction::PerSet ? Shape{shape[0]} : Shape{};
}

TEST_P(LossTest, MseOfEveryReduction) {
  manual_seed(3);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : {Shape{4}, Shape{3, 5}, Shape{2, 3, 4}}) {
      const Tensor prediction = randn(shape, on(dtype)), target = randn(shape, on(dtype));
      const std::vector<double> p = prediction.to_vector<double>(), t = target.to_vector<double>();
      std::vector<double> losses;
      for (std::size_t i = 0; i < p.size(); ++i) losses.push_back((p[i] - t[i]) * (p[i] - t[i]));
      for (const Reduction reduction : kReductions)
        EXPECT_TRUE(has_values(mse_loss(prediction, target, reduction), reduced_shape(shape, reduction), dtype,
                               reduced(losses, static_cast<std::size_t>(shape[0]), reduction), 64 * unit_roundoff(dtype)));
      EXPECT_TRUE(same(mse_loss(prediction, target), mse_loss(prediction, target, Reduction::Mean)));
    }
  }
  for (const Reduction reduction : kReductions)
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return mse_loss(in[0], in[1], reduction); },
                                {randn({2, 3}, on(float64, true)), randn({2, 3}, on(float64, true))}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return mse_loss(in[0], in[1], Reduction::PerSet); },
                              {randn({4, 2, 3}, on(float64, true)), randn({2, 3}, on(float64, true))}));
  const Tensor prediction = randn({4, 6, 1}, on()), shared = randn({6, 1}, on());
  EXPECT_TRUE(same(mse_loss(prediction, shared, Reduction::PerSet)[2], mse_loss(prediction[2], shared)));
}

/// Classes are dimension 1; with sets in front, dimension 2.
int class_dim(const Shape& shape, Reduction reduction) {
  const int sets = reduction == Reduction::PerSet ? 1 : 0;
  return shape.ndim() == sets + 1 ? sets : sets + 1;
}

TEST_P(LossTest, CrossEntropyOfEveryReduction) {
  manual_seed(4);
  for (const DType dtype : {float32, float64})
    for (const DType labels : {int32, int64})
      for (const Shape& shape : {Shape{5, 4}, Shape{3, 5, 4}, Shape{2, 3, 4, 6}, Shape{2, 3, 2, 2, 3}, Shape{7, 1}, Shape{3, 1000}, Shape{4}})
        for (const Reduction reduction : kReductions) {
          if (shape.ndim() == 1 && reduction == Reduction::PerSet) continue;
          const int dim = class_dim(shape, reduction);
          const Tensor logits = randn(shape, on(dtype)) * 4;
          Shape samples = shape;
          samples.erase(dim);
          const Tensor target = randint(0, shape[dim], samples, on(int64)).to(labels);
          const Tensor exact = -log_softmax(logits.to(float64), dim).gather(dim, target.to(int64).unsqueeze(dim)).squeeze(dim);
          const std::size_t sets = samples.empty() ? 1 : static_cast<std::size_t>(samples[0]);
          EXPECT_TRUE(has_values(cross_entropy(logits, target, reduction), reduced_shape(samples, reduction), dtype,
                                 reduced(exact.contiguous().to_vector<double>(), sets, reduction), 64 * unit_roundoff(dtype)))
              << to_string(shape);
        }
}

/// Every option against the formulas that PyTorch documents, for labels and for probabilities.
TEST_P(LossTest, CrossEntropyWithOptions) {
  manual_seed(8);
  for (const Shape& shape : {Shape{6, 4}, Shape{3, 4, 5}, Shape{4}}) {
    const int dim = class_dim(shape, Reduction::Mean);
    const Tensor logits = randn(shape, on(float64)), log = log_softmax(logits, dim), weight = rand({4}, on(float64)) + 0.5;
    Shape samples = shape, along(std::vector<std::int64_t>(static_cast<std::size_t>(shape.ndim()), 1));
    samples.erase(dim);
    along[dim] = 4;
    const Tensor target = randint(0, 4, samples, on(int64)), w = weight.reshape(along);
    const Tensor one_hot = arange(4, on(int64)).reshape(along).eq(target.unsqueeze(dim)).to(float64);
    const Tensor soft = softmax(randn(shape, on(float64)), dim);
    for (const double smoothing : {0.0, 0.25, 1.0})
      for (const bool weighs : {false, true})
        for (const std::int64_t ignored : {-100, 2}) {
          const Tensor factor = weighs ? w : ones(along, on(float64));
          const Tensor keeps = target.ne(ignored).to(float64);
          const Tensor spread = one_hot * (1 - smoothing) + smoothing / 4;
          const Tensor losses = -(spread * log * factor).sum(dim) * keeps;
          const Tensor weights = (one_hot * factor).sum(dim) * keeps;
          CrossEntropyOptions options{.weight = weighs ? weight : Tensor(), .ignore_index = ignored, .label_smoothing = smoothing};
          const auto agrees = [&](const Tensor& labels, Reduction reduction, const Tensor& expected) {
            options.reduction = reduction;
            EXPECT_TRUE(has_values(cross_entropy(logits, labels, options), expected.shape(), float64, expected.contiguous().to_vector<double>(), 1e-12));
          };
          agrees(target, Reduction::None, losses);
          agrees(target, Reduction::Sum, losses.sum());
          if (weights.sum().item() > 0) agrees(target, Reduction::Mean, losses.sum() / weights.sum());
          options.ignore_index.reset();
          const Tensor of_soft = -((soft * (1 - smoothing) + smoothing / 4) * log * factor).sum(dim);
          agrees(soft, Reduction::None, of_soft);
          agrees(soft, Reduction::Mean, of_soft.mean());
        }
  }
}

/// With a leading axis of sets each set loses what it would lose alone.
TEST_P(LossTest, CrossEntropyOfSetsIsThatOfEachAlone) {
  manual_seed(9);
  const Tensor logits = randn({3, 6, 4, 2}, on()), labels = randint(0, 4, {6, 2}, on(int64)), own = randint(0, 4, {3, 6, 2}, on(int64));
  const Tensor soft = softmax(randn({6, 4, 2}, on()), 1);
  CrossEntropyOptions all{.weight = tensor({1, 2, 0.5, 1}, on()), .ignore_index = 1, .label_smoothing = 0.1, .reduction = Reduction::PerSet};
  CrossEntropyOptions one = all;
  one.reduction = Reduction::Mean;
  const Tensor shared = cross_entropy(logits, labels, all), separate = cross_entropy(logits, own, all);
  all.ignore_index.reset();
  const Tensor probable = cross_entropy(logits, soft, all);
  for (const std::int64_t s : {0, 1, 2}) {
    one.ignore_index = 1;
    EXPECT_NEAR(shared[s].item(), cross_entropy(logits[s], labels, one).item(), 1e-5);
    EXPECT_NEAR(separate[s].item(), cross_entropy(logits[s], own[s], one).item(), 1e-5);
    one.ignore_index.reset();
    EXPECT_NEAR(probable[s].item(), cross_entropy(logits[s], soft, one).item(), 1e-5);
  }
}

TEST_P(LossTest, CrossEntropyGradientsWithOptions) {
  manual_seed(10);
  const Tensor x = randn({3, 4, 2}, on(float64, true)), target = randint(0, 4, {3, 2}, on(int64));
  const Tensor weight = (rand({4}, on(float64)) + 0.5).detach().requires_grad_();
  const Tensor soft = softmax(randn({3, 4, 2}, on(float64)), 1).detach().requires_grad_();
  for (const Reduction reduction : {Reduction::None, Reduction::Mean, Reduction::Sum})
    for (const double smoothing : {0.0, 0.3}) {
      EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], target, {.weight = in[1], .ignore_index = target[0][0].item<std::int64_t>(), .label_smoothing = smoothing, .reduction = reduction}); }, {x, weight}));
      EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], in[2], {.weight = in[1], .label_smoothing = smoothing, .reduction = reduction}); }, {x, weight, soft}));
    }
}

/// An ignored sample changes nothing, whatever its logits.
TEST_P(LossTest, IgnoredSamplesCountForNothing) {
  const Tensor x = tensor({{1, 2}, {1e30, -1e30}, {3, 1}}, on(float32, true));
  const Tensor target = tensor({0, -100, 1}, on(int64));
  const Tensor rest = tensor({{1, 2}, {3, 1}}, on(float32, true));
  const Tensor loss = cross_entropy(x, target, {.ignore_index = -100}), expected = cross_entropy(rest, tensor({0, 1}, on(int64)));
  EXPECT_NEAR(loss.item(), expected.item(), 1e-6);
  loss.backward();
  expected.backward();
  EXPECT_TRUE(has_values(x.grad()[1], {2}, float32, {0, 0}));
  EXPECT_TRUE(has_values(x.grad()[2], {2}, float32, rest.grad()[1].to_vector<double>(), 1e-6));
  EXPECT_TRUE(cross_entropy(x, full({3}, -100, on(int64)), {.ignore_index = -100}).isnan().item<bool>());
}

TEST_P(LossTest, CapturedWithOptions) {
  manual_seed(11);
  const Tensor w = randn({5, 4}, on(float32, true)), target = tensor({0, 3, 1, -1, 2}, on(int64));
  const CrossEntropyOptions options{.weight = tensor({1, 2, 0.5, 1}, on()), .ignore_index = -1, .label_smoothing = 0.1};
  const auto run = [&](bool captured) {
    Tensor x = w.detach().clone().requires_grad_();
    Sgd optimizer({x}, {.lr = 0.5});
    const auto body = [&] {
      optimizer.zero_grad();
      cross_entropy(x, target, options).backward();
      optimizer.step();
    };
    auto step = capture(body);
    for (int i = 0; i < 5; ++i) captured ? step() : body();
    return x.detach().clone();
  };
  EXPECT_TRUE(same(run(true), run(false)));
}

TEST_P(LossTest, CrossEntropyOfOneSampleAndOfNone) {
  const Tensor logits = tensor({1, 2, 3}, on(float64));
  EXPECT_TRUE(has_values(cross_entropy(logits, scalar(2, on(int64))), {}, float64, {std::log(1 + std::exp(-1) + std::exp(-2))}, 1e-15));
  EXPECT_TRUE(has_values(cross_entropy(zeros({0, 3}, on()), zeros({0}, on(int64)), Reduction::None), {0}, float32, {}));
  EXPECT_TRUE(has_values(cross_entropy(zeros({0, 3}, on()), zeros({0}, on(int64)), Reduction::Sum), {}, float32, {0}));
}

TEST_P(LossTest, LabelsServeAllSets) {
  manual_seed(5);
  const Tensor logits = randn({4, 6, 3}, on()), target = randint(0, 3, {6}, on(int64));
  EXPECT_TRUE(same(cross_entropy(logits, target, Reduction::PerSet), cross_entropy(logits, target.expand({4, 6}).contiguous(), Reduction::PerSet)));
  for (const std::int64_t s : {0, 3}) EXPECT_TRUE(same(cross_entropy(logits[s], target), cross_entropy(logits, target, Reduction::PerSet)[s])) << "set alone";
}

TEST_P(LossTest, CrossEntropyGradients) {
  manual_seed(6);
  const Tensor x = randn({2, 3, 4}, on(float64, true)), target = randint(0, 4, {2, 3}, on(int64)), shared = randint(0, 4, {3}, on(int32));
  for (const Tensor& labels : {target, shared}) {
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], labels, Reduction::PerSet); }, {x}));
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0] * in[0], labels, Reduction::PerSet).sum() + in[0].sum(); }, {x}));
  }
  // The batch first, the classes second.
  const Tensor y = randn({2, 4, 3}, on(float64, true));
  for (const Reduction reduction : {Reduction::None, Reduction::Mean, Reduction::Sum}) {
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], target, reduction); }, {y}));
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0].transpose(0, 2), target.t(), reduction).sum() * 2; }, {y}));
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0] * in[0], target, reduction).sum() + in[0].sum(); }, {y}));
  }
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], scalar(1, on(int64))); }, {randn({4}, on(float64, true))}));
  // Losses weighted sample by sample, and transposed on the way.
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], target, Reduction::None).t() * tensor({1, 2}, on(float64)); }, {y}));
  Tensor empty = zeros({0, 3}, on(float64, true));
  cross_entropy(empty, zeros({0}, on(int64)), Reduction::Sum).backward();
  EXPECT_TRUE(same(empty.grad(), zeros({0, 3}, on(float64))));
}

TEST_P(LossTest, LargeLogitsDoNotOverflow) {
  Tensor x = tensor({{1e30, 0, -1e30}, {1000, 1000, 0}}, on(float32, true));
  const Tensor loss = cross_entropy(x, tensor({0, 1}, on(int64)), Reduction::None);
  EXPECT_TRUE(has_values(loss, {2}, float32, {0, std::log(2)}, 1e-4));
  loss.sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2, 3}, float32, {0, 0, 0, 0.5, -0.5, 0}, 1e-4));
}

}  // namespace
}  // namespace luge::test
