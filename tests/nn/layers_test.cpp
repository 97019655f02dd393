// Layers against PyTorch's values and gradients (layer_records.py), and by themselves: gradients, sets, captured steps.

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <luge/luge.h>

#include "devices.h"
#include "expect.h"
#include "nn/layer_gradcheck.h"

namespace luge::test {
namespace {

using Inputs = std::vector<Tensor>;
using Layer = std::function<Tensor(const Inputs&)>;

/// A layer of layer_records.py. `shapes` are those of its inputs, without sets.
struct LayerCase {
  const char* name;
  std::vector<Shape> shapes;
  std::function<Layer(Parameters&)> make;
  bool has_sets = true;
};

/// Of a layer of one input.
template <class L>
Layer of_one(L layer) {
  return [layer = std::move(layer)](const Inputs& x) { return layer(x[0]); };
}
template <class L>
Layer of_two(L layer) {
  return [layer = std::move(layer)](const Inputs& x) { return layer(x[0], x[1]); };
}
template <class L>
LayerCase plain(const char* name, const Shape& shape, L layer, bool has_sets = true) {
  return {name, {shape}, [layer](Parameters&) { return of_one(layer); }, has_sets};
}

constexpr double kMargin = 1e-11;  // sums of up to a hundred products of numbers near 1, twice

Tensor causal(Device device) { return nn::square_subsequent_mask(3, {.dtype = float64, .device = device}); }
Tensor padded(Device device) {
  return from_host(std::vector<std::int64_t>{0, 0, 1, 0, 0, 0}, {2, 3}, device).ne(0);
}
const nn::TransformerLayerOptions kLayer{.feedforward = 6, .dropout = 0};

nn::TransformerLayerOptions layer_options(bool batch_first, bool norm_first = false, bool bias = true) {
  nn::TransformerLayerOptions options = kLayer;
  options.batch_first = batch_first;
  options.norm_first = norm_first;
  options.bias = bias;
  return options;
}

Layer bag(Parameters& params, BagMode mode) {
  const nn::EmbeddingBag layer(params, "m", 5, 3, {.mode = mode, .padding_idx = 3});
  const Tensor index = from_host(std::vector<std::int64_t>{0, 2, 2, 4, 1, 3}, {2, 3}, params.device());
  return [=](const Inputs&) { return layer(index); };
}

std::vector<LayerCase> transformer_cases() {
  using nn::TransformerDecoderLayer, nn::TransformerEncoder, nn::TransformerEncoderLayer;
  return {
      {"encoder_layer", {{3, 2, 4}}, [](Parameters& p) { return of_one(TransformerEncoderLayer(p, "m", 4, 2, kLayer)); }},
      {"encoder_layer_norm_first",
       {{2, 3, 4}},
       [](Parameters& p) {
         nn::TransformerLayerOptions options = layer_options(true, true);
         options.activation = nn::Gelu();
         return of_one(TransformerEncoderLayer(p, "m", 4, 2, options));
       }},
      {"encoder_layer_without_bias",
       {{3, 2, 4}},
       [](Parameters& p) { return of_one(TransformerEncoderLayer(p, "m", 4, 2, layer_options(false, false, false))); }},
      {"encoder_layer_without_batch", {{3, 4}}, [](Parameters& p) { return of_one(TransformerEncoderLayer(p, "m", 4, 2, kLayer)); }, false},
      {"encoder_layer_causal",
       {{3, 2, 4}},
       [](Parameters& p) {
         return [layer = TransformerEncoderLayer(p, "m", 4, 2, kLayer), mask = causal(p.device())](const Inputs& x) {
           return layer(x[0], {.mask = mask.to(x[0].dtype()), .is_causal = true});
         };
       }},
      {"encoder_layer_padded",
       {{3, 2, 4}},
       [](Parameters& p) {
         return [layer = TransformerEncoderLayer(p, "m", 4, 2, kLayer), mask = padded(p.device())](const Inputs& x) {
           return layer(x[0], {.key_padding_mask = mask});
         };
       }},
      {"decoder_layer",
       {{3, 2, 4}, {5, 2, 4}},
       [](Parameters& p) {
         return [layer = TransformerDecoderLayer(p, "m", 4, 2, kLayer), mask = causal(p.device())](const Inputs& x) {
           return layer(x[0], x[1], {.mask = mask.to(x[0].dtype())});
         };
       }},
      {"decoder_layer_norm_first",
       {{4, 2, 4}, {3, 2, 4}},
       [](Parameters& p) {
         return [layer = TransformerDecoderLayer(p, "m", 4, 2, layer_options(false, true)), mask = padded(p.device())](const Inputs& x) {
           return layer(x[0], x[1], {}, {.key_padding_mask = mask});
         };
       }},
      {"encoder", {{2, 3, 4}}, [](Parameters& p) { return of_one(TransformerEncoder(p, "m", 2, 4, 2, layer_options(true))); }},
      {"encoder_with_norm", {{2, 3, 4}}, [](Parameters& p) { return of_one(TransformerEncoder(p, "m", 2, 4, 2, layer_options(true), true)); }},
      {"transformer",
       {{4, 2, 4}, {3, 2, 4}},
       [](Parameters& p) {
         const nn::TransformerOptions options{.d_model = 4, .heads = 2, .encoder_layers = 1, .decoder_layers = 2, .layer = kLayer};
         return [layer = nn::Transformer(p, "m", options), mask = causal(p.device())](const Inputs& x) {
           return layer(x[0], x[1], {.tgt = {.mask = mask.to(x[0].dtype()), .is_causal = true}});
         };
       }},
  };
}

std::vector<LayerCase> parameter_cases() {
  return {
      {"bilinear", {{2, 5, 3}, {2, 5, 2}}, [](Parameters& p) { return of_two(nn::Bilinear(p, "m", 3, 2, 4)); }},
      {"prelu", {{2, 3, 4}}, [](Parameters& p) { return of_one(nn::Prelu(p, "m", 3)); }},
      {"prelu_of_one", {{2, 3, 4}}, [](Parameters& p) { return of_one(nn::Prelu(p, "m")); }},
      {"conv3d",
       {{2, 2, 3, 3, 2}},
       [](Parameters& p) {
         return of_one(nn::Conv3d(p, "m", 2, 4, {2, 1, 2}, {.stride = {1, 2, 1}, .padding = {1, 0, 1}, .groups = 2}));
       }},
      {"conv_transpose1d",
       {{2, 4, 3}},
       [](Parameters& p) {
         return of_one(nn::ConvTranspose1d(p, "m", 4, 2, 3, {.stride = 2, .padding = 1, .output_padding = 1, .groups = 2}));
       }},
      {"conv_transpose2d", {{1, 2, 3, 2}}, [](Parameters& p) { return of_one(nn::ConvTranspose2d(p, "m", 2, 3, 2, {.stride = 2, .bias = false})); }},
      {"conv_transpose3d", {{1, 2, 2, 2, 3}}, [](Parameters& p) { return of_one(nn::ConvTranspose3d(p, "m", 2, 2, 2, {.dilation = {1, 2, 1}})); }},
      {"instance_norm", {{2, 3, 4}}, [](Parameters& p) { return of_one(nn::InstanceNorm(p, "m", 3, {.affine = true, .track_running_stats = true})); }},
      {"instance_norm_evaluated",
       {{2, 3, 2, 2}},
       [](Parameters& p) {
         nn::InstanceNorm layer(p, "m", 3, {.affine = true, .track_running_stats = true});
         layer.eval();
         return of_one(layer);
       }},
      {"instance_norm_plain", {{2, 3, 4}}, [](Parameters& p) { return of_one(nn::InstanceNorm(p, "m", 3)); }},
      {"rnn_cell", {{2, 3}, {2, 4}}, [](Parameters& p) { return of_two(nn::RnnCell(p, "m", 3, 4, {.relu = true})); }},
      {"rnn_cell_tanh", {{2, 3}}, [](Parameters& p) { return of_one(nn::RnnCell(p, "m", 3, 4, {.bias = false})); }},
      {"lstm_cell",
       {{2, 3}, {2, 4}, {2, 4}},
       [](Parameters& p) {
         return [layer = nn::LstmCell(p, "m", 3, 4), with_sets = p.batched()](const Inputs& x) {
           const Recurrent next = layer(x[0], x[1], x[2]);
           return stack({next.hidden, next.cell}, with_sets ? 1 : 0);
         };
       }},
      {"gru_cell", {{2, 3}, {2, 4}}, [](Parameters& p) { return of_two(nn::GruCell(p, "m", 3, 4)); }},
      {"bag_sum", {}, [](Parameters& p) { return bag(p, BagMode::Sum); }, false},
      {"bag_mean", {}, [](Parameters& p) { return bag(p, BagMode::Mean); }, false},
      {"bag_max", {}, [](Parameters& p) { return bag(p, BagMode::Max); }, false},
      {"adaptive_log_softmax",
       {{3, 8}},
       [](Parameters& p) {
         const Tensor labels = from_host(std::vector<std::int64_t>{0, 3, 9}, {3}, p.device());
         return [layer = nn::AdaptiveLogSoftmax(p, "m", 8, 10, {2, 5}, {.div_value = 2}), labels](const Inputs& x) {
           return layer(x[0], labels);
         };
       },
       false},
  };
}

std::vector<LayerCase> plain_cases() {
  const auto unpooled = [](const Tensor& x) {
    const Pooled pooled = max_pool2d_with_indices(x, {2}, {.stride = {2}});
    return nn::MaxUnpool(2, {2}, {2})(pooled.values, pooled.indices, {5, 4});
  };
  return {
      plain("local_response_norm", {2, 4, 3}, nn::LocalResponseNorm{3, 0.1, 0.5, 2}, false),
      plain("max_unpool", {1, 2, 5, 4}, unpooled),
      plain("upsample", {1, 2, 3, 2}, nn::Upsample({.scale = {1.5, 2}, .mode = Resize::Linear})),
      plain("reflection_pad", {2, 2, 3, 4}, nn::Pad({1, 2, 0, 1}, PadMode::Reflect)),
      plain("circular_pad", {2, 2, 3}, nn::Pad({2, 1}, PadMode::Circular)),
      plain("replication_pad", {1, 2, 2, 1, 2}, nn::Pad({1, 1, 1, 1, 1, 1}, PadMode::Replicate)),
      plain("constant_pad", {2, 3, 3}, nn::Pad({1, -1, 2, 0}, PadMode::Constant, 7)),
      plain("pixel_shuffle", {1, 4, 2, 3}, nn::PixelShuffle{2}),
      plain("pixel_unshuffle", {1, 1, 4, 2}, nn::PixelUnshuffle{2}),
      plain("channel_shuffle", {2, 4, 3}, nn::ChannelShuffle{2}, false),
      plain("fold", {1, 8, 6}, nn::Fold{{3, 4}, 2}, false),
      plain("unfold", {1, 2, 3, 4}, nn::Unfold{2, {.padding = 1, .stride = 2}}, false),
      plain("max_pool1d", {2, 2, 7}, nn::MaxPool1d{{3}, {.stride = {2}, .padding = {1}}}),
      plain("max_pool3d", {1, 2, 2, 4, 4}, nn::MaxPool3d{{2}}),
      plain("avg_pool1d", {2, 2, 7}, nn::AvgPool1d{{3}, {.stride = {2}, .padding = {1}, .count_include_pad = false}}),
      plain("avg_pool3d", {1, 2, 2, 4, 4}, nn::AvgPool3d{{2}}),
      plain("adaptive_avg_pool1d", {2, 2, 7}, nn::AdaptiveAvgPool1d{{3}}),
      plain("adaptive_max_pool2d", {1, 2, 5, 4}, nn::AdaptiveMaxPool2d{{2, 3}}),
      plain("lp_pool2d", {1, 2, 4, 4}, nn::LpPool2d{2, {2}}),
      {"cosine_similarity", {{3, 4}, {3, 4}}, [](Parameters&) { return of_two(nn::CosineSimilarity{-1}); }},
      {"pairwise_distance", {{3, 4}, {3, 4}}, [](Parameters&) { return of_two(nn::PairwiseDistance{3}); }},
      plain("hardtanh", {7}, nn::Hardtanh{-0.5, 0.25}),
      plain("elu", {7}, nn::Elu{0.5}),
      plain("celu", {7}, nn::Celu{0.5}),
      plain("relu6", {7}, nn::Relu6{}),
      plain("selu", {7}, nn::Selu{}),
      plain("hardsigmoid", {7}, nn::Hardsigmoid{}),
      plain("hardswish", {7}, nn::Hardswish{}),
      plain("mish", {7}, nn::Mish{}),
      plain("softsign", {7}, nn::Softsign{}),
      plain("tanhshrink", {7}, nn::Tanhshrink{}),
      plain("log_sigmoid", {7}, nn::LogSigmoid{}),
      plain("gelu_tanh", {7}, nn::GeluTanh{}),
      plain("softshrink", {7}, nn::Softshrink{0.25}),
      plain("threshold", {7}, nn::Threshold{0.25, 3}),
      plain("glu", {2, 6}, nn::Glu{}),
      plain("softmin", {2, 6}, nn::Softmin{}),
      plain("softmax2d", {1, 3, 2, 2}, nn::Softmax2d{}),
  };
}

std::vector<LayerCase> every_case() {
  std::vector<LayerCase> all = transformer_cases();
  for (auto& one : parameter_cases()) all.push_back(std::move(one));
  for (auto& one : plain_cases()) all.push_back(std::move(one));
  return all;
}

Tensor numbers(const Shape& shape, double seed, TensorOptions options) {
  return (arange(element_count(shape), options) * 0.7 + seed).sin().reshape(shape);
}

class LayersTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(LayersTest);

TEST_P(LayersTest, GiveWhatPyTorchGives) {
  const char* const source = std::getenv("LUGE_SOURCE");
  std::ifstream file(std::string(source ? source : ".") + "/tests/nn/layer_records.json");
  ASSERT_TRUE(file) << "tests/nn/layer_records.json is not there; run from the repository";
  const nlohmann::json records = nlohmann::json::parse(file);
  const std::vector<LayerCase> cases = every_case();
  EXPECT_EQ(cases.size(), records.size());
  for (const LayerCase& one : cases) {
    SCOPED_TRACE(one.name);
    const nlohmann::json& record = records.at(one.name);
    Parameters params({.device = device(), .dtype = float64});
    const Layer layer = one.make(params);
    std::vector<std::string> names = params.names();
    std::sort(names.begin(), names.end());
    no_grad([&] {
      for (std::size_t i = 0; i < names.size(); ++i)
        params[names[i]].copy_(numbers(params[names[i]].shape(), static_cast<double>(i + 1), on(float64)));
    });
    Inputs inputs;
    for (std::size_t k = 0; k < one.shapes.size(); ++k)
      inputs.push_back(numbers(one.shapes[k], 0.5 + static_cast<double>(k), on(float64)).requires_grad_());
    const Tensor y = layer(inputs);
    EXPECT_TRUE(has_values(y, y.shape(), float64, record.at("y").get<std::vector<double>>(), kMargin));
    (y.reshape({-1}) * (arange(y.numel(), on(float64)) + 1).sin()).sum().backward();
    const auto expect_gradient = [&](const std::string& name, const Tensor& gradient) {
      const Tensor flat = gradient.reshape({-1});
      const double found = (flat * (arange(flat.numel(), on(float64)) + 2).cos()).sum().item();
      // PyTorch's derivative of hardsigmoid is 1 / 6 in float32, whatever the dtype.
      const double margin = std::string(one.name) == "hardsigmoid" ? 1e-7 : kMargin;
      EXPECT_NEAR(found, record.at("gradients").at(name).get<double>(), margin) << name;
    };
    EXPECT_EQ(names.size() + inputs.size(), record.at("gradients").size());
    for (const std::string& name : names) expect_gradient(name.substr(2), params[name].grad());
    for (std::size_t k = 0; k < inputs.size(); ++k) expect_gradient("input " + std::to_string(k), inputs[k].grad());
  }
}

TEST(Layers, PassGradcheck) {
  for (const LayerCase& one : every_case()) {
    if (one.shapes.empty()) continue;
    SCOPED_TRACE(one.name);
    Parameters params({.dtype = float64, .seed = 2});
    const Layer layer = one.make(params);
    Inputs rest;
    for (std::size_t k = 1; k < one.shapes.size(); ++k) rest.push_back(numbers(one.shapes[k], 0.5 + static_cast<double>(k), {.dtype = float64}));
    const auto called = [&](const Tensor& x) {
      Inputs inputs{x};
      inputs.insert(inputs.end(), rest.begin(), rest.end());
      return layer(inputs);
    };
    Tensor x = numbers(one.shapes[0], 0.5, {.dtype = float64});
    if (!params.names().empty()) {
      expect_gradients(params, called, x);
      continue;
    }
    Inputs inputs{x.requires_grad_()};
    for (const Tensor& other : rest) inputs.push_back(Tensor(other).requires_grad_());
    const GradcheckResult result = gradcheck(layer, inputs);
    EXPECT_TRUE(result) << result.message;
  }
}

/// The inputs of a layer with sets, of float32; of sets `first` to `first + sets`.
Inputs inputs_of(const LayerCase& one, std::int64_t first, std::int64_t sets, std::int64_t all, const TensorOptions& options) {
  Inputs inputs;
  for (std::size_t k = 0; k < one.shapes.size(); ++k) {
    Shape shape = one.shapes[k];
    shape.insert(0, all);
    inputs.push_back(numbers(shape, 0.5 + static_cast<double>(k), options).slice(0, first, first + sets).clone());
  }
  return inputs;
}

TEST_P(LayersTest, SetsHaveTheBitsThatTheyHaveAlone) {
  for (const LayerCase& one : every_case()) {
    if (!one.has_sets) continue;
    SCOPED_TRACE(one.name);
    const auto run = [&](std::int64_t first, std::int64_t sets) {
      Parameters params({.sets = sets, .device = device(), .seed = 3, .first_set = first});
      const Layer layer = one.make(params);
      const Tensor y = layer(inputs_of(one, first, sets, 3, on()));
      if (y.requires_grad()) y.sum().backward();
      Inputs results{y};
      for (const Tensor& p : params.tensors()) results.push_back(p.grad());
      return results;
    };
    const Inputs together = run(0, 3);
    for (std::int64_t set = 0; set < 3; ++set) {
      const Inputs alone = run(set, 1);
      for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(same(together[i][set], alone[i][0])) << "result " << i << " of set " << set;
    }
  }
}

TEST_P(LayersTest, CapturedStepsHaveTheBitsOfEagerOnes) {
  for (const LayerCase& one : transformer_cases()) {
    if (!one.has_sets) continue;
    SCOPED_TRACE(one.name);
    const auto train = [&](bool captured) {
      Parameters params({.sets = 2, .device = device(), .seed = 3});
      const Layer layer = one.make(params);
      const Inputs inputs = inputs_of(one, 0, 2, 2, on());
      Sgd optimizer(params, {.lr = 0.05, .momentum = 0.5});
      const auto body = [&] {
        optimizer.zero_grad();
        const Tensor loss = layer(inputs).square().flatten(1).mean(1);
        loss.sum().backward();
        optimizer.step();
        return loss;
      };
      if (!captured) {
        for (int i = 0; i < 4; ++i) body();
        return params.tensors();
      }
      auto step = capture(body);
      for (int i = 0; i < 4; ++i) step();
      return params.tensors();
    };
    const Inputs eager = train(false), replayed = train(true);
    for (std::size_t i = 0; i < eager.size(); ++i) EXPECT_TRUE(same(replayed[i], eager[i])) << "parameter " << i;
  }
}

TEST(Layers, TransformersDropInTrainingAlone) {
  Parameters params({.seed = 1});
  nn::TransformerEncoder encoder(params, "m", 1, 4, 2, {.feedforward = 6, .dropout = 0.5});
  const nn::TransformerEncoder copy = encoder;
  const Tensor x = numbers({3, 2, 4}, 1, {});
  EXPECT_FALSE(same(copy(x), copy(x)));
  encoder.eval();
  EXPECT_TRUE(same(copy(x), copy(x)));
}

TEST(Layers, RandomSlopesAreTheirMeanAfterTraining) {
  nn::Rrelu layer(0.25, 0.75);
  const Tensor x = full({1000}, -1);
  EXPECT_GT(layer(x).max().item(), -0.3);
  EXPECT_LT(layer(x).min().item(), -0.7);
  layer.eval();
  EXPECT_TRUE(has_values(layer(x.slice(0, 0, 2)), {2}, float32, {-0.5, -0.5}));
}

TEST(Layers, SetsOfATransformerDropAsAlone) {
  const Tensor x = numbers({3, 3, 2, 4}, 1, {});
  const auto run = [&](std::int64_t first, std::int64_t sets) {
    manual_seed(5);
    Parameters params({.sets = sets, .seed = 3, .first_set = first});
    return nn::TransformerEncoderLayer(params, "m", 4, 2, {.feedforward = 6, .dropout = 0.5})(x.slice(0, first, first + sets));
  };
  const Tensor together = run(0, 3);
  for (std::int64_t set = 0; set < 3; ++set) EXPECT_TRUE(same(run(set, 1)[0], together[set]));
}

TEST(Layers, SharedInputsServeAllSets) {
  Parameters params({.sets = 3, .seed = 1});
  const nn::Transformer layer(params, "m", {.d_model = 4, .heads = 2, .encoder_layers = 1, .decoder_layers = 1, .layer = kLayer});
  const Tensor src = numbers({4, 2, 4}, 1, {}), tgt = numbers({3, 2, 4}, 2, {});
  const auto repeated = [](const Tensor& x) { return x.unsqueeze(0).expand({3, -1, -1, -1}).contiguous(); };
  EXPECT_TRUE(same(layer(src, tgt), layer(repeated(src), repeated(tgt))));
}

TEST(Layers, MatricesOfTransformersMayStartByXavier) {
  Parameters params({.seed = 1});
  const nn::Transformer layer(params, "m", {.d_model = 32, .heads = 2, .encoder_layers = 1, .decoder_layers = 1, .layer = {.feedforward = 64}});
  const double bound = std::sqrt(6.0 / 64);
  const double greatest = params["m.encoder.layers.0.self_attn.out_proj.weight"].detach().abs().max().item();
  EXPECT_LE(greatest, bound);
  EXPECT_GT(greatest, 0.9 * bound);  // PyTorch's layers alone stay below 1 / sqrt(32), which is smaller
  EXPECT_GT(bound, 1.2 / std::sqrt(32.0));
}

TEST(Layers, InstanceNormsStatisticsFollow) {
  Parameters params({.dtype = float64});
  nn::InstanceNorm layer(params, "m", 1, {.momentum = 0.5, .track_running_stats = true});
  layer(tensor({1, 3}, {.dtype = float64}).reshape({1, 1, 2}));
  EXPECT_TRUE(has_values(layer.running_mean(), {1}, float64, {1}));
  EXPECT_TRUE(has_values(layer.running_var(), {1}, float64, {1.5}));
  layer.eval();
  layer(zeros({1, 1, 2}, {.dtype = float64}));
  EXPECT_TRUE(has_values(layer.running_mean(), {1}, float64, {1}));
}

TEST(Layers, LossesAreTheirFunctions) {
  const Tensor x = numbers({4, 3}, 1, {}), y = numbers({4, 3}, 2, {}), z = numbers({4, 3}, 3, {}), p = sigmoid(x), q = sigmoid(y);
  const Tensor labels = from_host(std::vector<std::int64_t>{0, 2, 1, 1}, {4}), sides = where(y[0] > 0, ones({3}), -1);
  const Tensor pairs = from_host(std::vector<float>{1, -1, -1, 1}, {4}), some = from_host(std::vector<std::int64_t>{0, -1, 0, 2, 1, -1, 1, 0, -1, -1, 0, 0}, {4, 3});
  constexpr Reduction kSum = Reduction::Sum;
  EXPECT_TRUE(same(nn::MseLoss{kSum}(x, y), mse_loss(x, y, kSum)));
  EXPECT_TRUE(same(nn::L1Loss{kSum}(x, y), l1_loss(x, y, kSum)));
  EXPECT_TRUE(same(nn::SmoothL1Loss{kSum, 0.5}(x, y), smooth_l1_loss(x, y, kSum, 0.5)));
  EXPECT_TRUE(same(nn::HuberLoss{kSum, 0.5}(x, y), huber_loss(x, y, kSum, 0.5)));
  EXPECT_TRUE(same(nn::BceLoss{kSum, q}(p, q), binary_cross_entropy(p, q, kSum, q)));
  EXPECT_TRUE(same(nn::BceWithLogitsLoss{kSum, {}, q}(x, q), binary_cross_entropy_with_logits(x, q, kSum, {}, q)));
  EXPECT_TRUE(same(nn::CrossEntropyLoss{{.label_smoothing = 0.1}}(x, labels), cross_entropy(x, labels, {.label_smoothing = 0.1})));
  EXPECT_TRUE(same(nn::NllLoss{{.ignore_index = 2}}(x, labels), nll_loss(x, labels, {.ignore_index = 2})));
  EXPECT_TRUE(same(nn::KlDivLoss{{.batch_mean = true}}(x, q), kl_div(x, q, {.batch_mean = true})));
  EXPECT_TRUE(same(nn::PoissonNllLoss{{.full = true}}(x, q), poisson_nll_loss(x, q, {.full = true})));
  EXPECT_TRUE(same(nn::GaussianNllLoss{true, 1e-3, kSum}(x, y, p), gaussian_nll_loss(x, y, p, true, 1e-3, kSum)));
  EXPECT_TRUE(same(nn::HingeEmbeddingLoss{0.5, kSum}(x, sides), hinge_embedding_loss(x, sides, 0.5, kSum)));
  EXPECT_TRUE(same(nn::MarginRankingLoss{0.5, kSum}(x, y, sides.expand({4, 3})), margin_ranking_loss(x, y, sides.expand({4, 3}), 0.5, kSum)));
  EXPECT_TRUE(same(nn::CosineEmbeddingLoss{0.1, kSum}(x, y, pairs), cosine_embedding_loss(x, y, pairs, 0.1, kSum)));
  EXPECT_TRUE(same(nn::SoftMarginLoss{kSum}(x, sides.expand({4, 3})), soft_margin_loss(x, sides.expand({4, 3}), kSum)));
  EXPECT_TRUE(same(nn::MultiMarginLoss{{.p = 2}}(x, labels), multi_margin_loss(x, labels, {.p = 2})));
  EXPECT_TRUE(same(nn::MultiLabelMarginLoss{kSum}(x, some), multilabel_margin_loss(x, some, kSum)));
  EXPECT_TRUE(same(nn::MultiLabelSoftMarginLoss{kSum, q}(x, p), multilabel_soft_margin_loss(x, p, q, kSum)));
  EXPECT_TRUE(same(nn::TripletMarginLoss{{.margin = 0.5, .swap = true}}(x, y, z), triplet_margin_loss(x, y, z, {.margin = 0.5, .swap = true})));
}

TEST(Layers, ErrorsNameTheLayer) {
  Parameters params, of_sets({.sets = 2});
  const nn::TransformerLayerOptions half{.feedforward = 6, .dropout = 2};
  expect_errors({
      LUGE_ERROR(ValueError, "^TransformerEncoderLayer m: d_model is 5, heads 2", nn::TransformerEncoderLayer(params, "m", 5, 2)),
      LUGE_ERROR(ValueError, "^TransformerDecoderLayer m: dropout is 2", nn::TransformerDecoderLayer(params, "m", 4, 2, half)),
      LUGE_ERROR(ValueError, "^TransformerEncoder m: the number of layers is -1", nn::TransformerEncoder(params, "m", -1, 4, 2)),
      LUGE_ERROR(ValueError, "^Transformer m.decoder: the number of layers is -1", nn::Transformer(params, "m", {.decoder_layers = -1})),
      LUGE_ERROR(ValueError, "^Bilinear m: the numbers of features are 0", nn::Bilinear(params, "m", 0, 1, 1)),
      LUGE_ERROR(ValueError, "^Prelu m: channels is 0", nn::Prelu(params, "m", 0)),
      LUGE_ERROR(ValueError, "^Conv3d m: in_channels is 3 and out_channels 4", nn::Conv3d(params, "m", 3, 4, 1, {.groups = 2})),
      LUGE_ERROR(ValueError, "^InstanceNorm m: channels is 0", nn::InstanceNorm(params, "m", 0)),
      LUGE_ERROR(ValueError, "^GruCell m: input_size is 0", nn::GruCell(params, "m", 0, 1)),
      LUGE_ERROR(ValueError, "^EmbeddingBag m: padding_idx is 4", nn::EmbeddingBag(params, "m", 4, 2, {.padding_idx = 4})),
      LUGE_ERROR(ValueError, "^EmbeddingBag m: the arena has sets", nn::EmbeddingBag(of_sets, "m", 4, 2)),
      LUGE_ERROR(ValueError, "^AdaptiveLogSoftmax m: cutoffs are 5, 2", nn::AdaptiveLogSoftmax(params, "m", 8, 10, {5, 2})),
      LUGE_ERROR(ValueError, "^AdaptiveLogSoftmax m: 2 features", nn::AdaptiveLogSoftmax(params, "m", 2, 10, {2, 5})),
      LUGE_ERROR(ValueError, "^Upsample: both of size and scale", nn::Upsample({.size = {2}, .scale = {2}})),
      LUGE_ERROR(ValueError, "^Pad: there are 3 borders", nn::Pad({1, 2, 3})),
      LUGE_ERROR(ValueError, "^MaxUnpool: dims is 4", nn::MaxUnpool(4, {2})),
      LUGE_ERROR(ValueError, "^square_subsequent_mask: size is -1", nn::square_subsequent_mask(-1)),
  });
  EXPECT_TRUE(params.names().empty());
  EXPECT_TRUE(of_sets.names().empty());
  const nn::TransformerEncoderLayer layer(of_sets, "m", 4, 2, kLayer);
  const nn::Prelu slopes(of_sets, "slopes", 3);
  const nn::Bilinear matrices(of_sets, "matrices", 3, 3, 2);
  const nn::InstanceNorm norm(params, "norm", 3);
  expect_errors({
      LUGE_ERROR(ShapeError, "^TransformerEncoderLayer m: src has shape \\(3, 4\\)", layer(zeros({3, 4}))),
      LUGE_ERROR(ValueError, "^TransformerEncoderLayer m: the name 'm.self_attn", nn::TransformerEncoderLayer(of_sets, "m", 4, 2, kLayer)),
      LUGE_ERROR(ShapeError, "^Prelu slopes: x has shape \\(2, 3\\)", slopes(zeros({2, 3}))),
      LUGE_ERROR(ShapeError, "^Bilinear matrices: x1 is \\(5, 3\\)", matrices(zeros({5, 3}), zeros({5, 3}))),
      LUGE_ERROR(ShapeError, "^InstanceNorm norm: x has shape \\(2, 4, 5\\)", norm(zeros({2, 4, 5}))),
  });
}

}  // namespace
}  // namespace luge::test
