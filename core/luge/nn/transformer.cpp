#include <luge/nn/transformer.h>

#include <limits>
#include <span>
#include <utility>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/diagonal.h>
#include <luge/ops/elementwise.h>

namespace luge::nn {

namespace {

using Parts = std::span<const char* const>;
constexpr const char* kEncoderParts[] = {"self_attn", "linear1", "linear2", "norm1", "norm2"};
constexpr const char* kDecoderParts[] = {"self_attn", "multihead_attn", "linear1", "linear2", "norm1", "norm2", "norm3"};
constexpr const char* kNorm[] = {"norm"};

/// What the parts of a layer would object to, before the first of them has added something.
void check_layer(const char* kind, const Parameters& params, const std::string& name, Parts parts,
                 std::int64_t d_model, std::int64_t heads, const TransformerLayerOptions& options) {
  LUGE_CHECK(ValueError, d_model >= 1 && heads >= 1 && d_model % heads == 0 && options.feedforward >= 1,
             "{} {}: d_model is {}, heads {} and feedforward {}; all must be 1 or more, and heads must divide d_model", kind, name, d_model,
             heads, options.feedforward);
  LUGE_CHECK(ValueError, options.dropout >= 0 && options.dropout <= 1, "{} {}: dropout is {}; it must be from 0 to 1", kind, name,
             options.dropout);
  for (const std::string& used : params.names())
    for (const std::string part : parts)
      LUGE_CHECK(ValueError, !used.starts_with(name + "." + part + "."), "{} {}: the name '{}' is in use", kind, name, used);
}

/// "name.layers.3".
std::string numbered(std::string_view name, std::int64_t i) { return std::string(name) + ".layers." + std::to_string(i); }

/// What a stack's layers would object to, before the first of them has added something.
void check_stack(const char* kind, const Parameters& params, std::string_view name, Parts parts,
                 std::int64_t layers, std::int64_t d_model, std::int64_t heads, const TransformerLayerOptions& options, bool norm) {
  LUGE_CHECK(ValueError, layers >= 0, "{} {}: the number of layers is {}; it must be 0 or more", kind, name, layers);
  check_layer(kind, params, std::string(name), norm ? Parts(kNorm) : Parts(), d_model, heads, options);
  for (std::int64_t i = 0; i < layers; ++i) check_layer(kind, params, numbered(name, i), parts, d_model, heads, options);
}

/// The same arena, in which all of a transformer can be added.
Parameters& checked(Parameters& params, std::string_view name, const TransformerOptions& options) {
  const std::string encoder = std::string(name) + ".encoder", decoder = std::string(name) + ".decoder";
  check_stack("Transformer", params, encoder, kEncoderParts, options.encoder_layers, options.d_model, options.heads, options.layer, true);
  check_stack("Transformer", params, decoder, kDecoderParts, options.decoder_layers, options.d_model, options.heads, options.layer, true);
  return params;
}

TransformerLayerOptions layer_options(const TransformerOptions& options) {
  TransformerLayerOptions layer = options.layer;
  layer.start = options.start;
  return layer;
}

}  // namespace

TransformerLayer::TransformerLayer(const char* kind, Parameters& params, std::string_view name,
                                   const std::vector<std::string>& attentions, std::int64_t d_model, std::int64_t heads,
                                   TransformerLayerOptions options)
    : kind_(kind), name_(name), options_(std::move(options)) {
  check_layer(kind, params, name_, attentions.size() == 1 ? Parts(kEncoderParts) : Parts(kDecoderParts), d_model, heads, options_);
  if (params.batched()) sets_ = params.sets();
  if (!options_.activation) options_.activation = [](const Tensor& x) { return relu(x); };
  const bool xavier = options_.start == TransformerStart::Xavier;
  const auto start = [&](std::int64_t in, std::int64_t out) {
    return xavier ? std::optional<Init>(init::xavier_uniform(in, out)) : std::nullopt;
  };
  for (const std::string& part : attentions)
    attentions_.emplace_back(params, name_ + "." + part, d_model, heads,
                             MultiheadAttentionOptions{.dropout = options_.dropout,
                                                       .bias = options_.bias,
                                                       .batch_first = options_.batch_first,
                                                       .out_proj_init = start(d_model, d_model)});
  const std::int64_t wide = options_.feedforward;
  linears_.emplace_back(params, name_ + ".linear1", d_model, wide, LinearOptions{.bias = options_.bias, .weight_init = start(d_model, wide)});
  linears_.emplace_back(params, name_ + ".linear2", wide, d_model, LinearOptions{.bias = options_.bias, .weight_init = start(wide, d_model)});
  for (std::size_t i = 0; i <= attentions.size(); ++i) {
    norms_.emplace_back(params, name_ + ".norm" + std::to_string(i + 1), Shape{d_model},
                        LayerNormOptions{.eps = options_.eps, .bias = options_.bias});
    dropouts_.emplace_back(options_.dropout, params);
  }
  dropouts_.emplace_back(options_.dropout, params);
}

void TransformerLayer::train(bool on) {
  for (Dropout& dropout : dropouts_) dropout.train(on);
}

Tensor TransformerLayer::started(const char* argument, const Tensor& x) const {
  LUGE_CHECK(ValueError, x.defined(), "{} {}: {} is an undefined tensor", kind_, name_, argument);
  if (!sets_) return x;
  LUGE_CHECK(ShapeError, x.ndim() == 3 || (x.ndim() == 4 && x.size(0) == *sets_),
             "{} {}: {} has shape {}; it must have 3 dimensions, or 4 with the {} sets before them", kind_, name_, argument,
             to_string(x.shape()), *sets_);
  if (x.ndim() == 4) return x;
  Shape shape = x.shape();
  shape.insert(0, *sets_);
  return x.unsqueeze(0).expand(shape);
}

Tensor TransformerLayer::attend(std::size_t which, const Tensor& x, const Tensor& memory, const AttentionMask& mask) const {
  return attentions_[which](x, memory, memory,
                            {.training = training(),
                             .key_padding_mask = mask.key_padding_mask,
                             .attn_mask = mask.mask,
                             .need_weights = false,
                             .is_causal = mask.is_causal})
      .output;
}

Tensor TransformerLayer::feed(const Tensor& x) const {
  return linears_[1](dropouts_.back()(options_.activation(linears_[0](x))));
}

TransformerEncoderLayer::TransformerEncoderLayer(Parameters& params, std::string_view name, std::int64_t d_model, std::int64_t heads,
                                                 TransformerLayerOptions options)
    : TransformerLayer("TransformerEncoderLayer", params, name, {"self_attn"}, d_model, heads, std::move(options)) {}

Tensor TransformerEncoderLayer::operator()(const Tensor& src, const AttentionMask& mask) const {
  Tensor x = started("src", src);
  x = add(0, x, [&](const Tensor& y) { return attend(0, y, y, mask); });
  return add(1, x, [&](const Tensor& y) { return feed(y); });
}

TransformerDecoderLayer::TransformerDecoderLayer(Parameters& params, std::string_view name, std::int64_t d_model, std::int64_t heads,
                                                 TransformerLayerOptions options)
    : TransformerLayer("TransformerDecoderLayer", params, name, {"self_attn", "multihead_attn"}, d_model, heads, std::move(options)) {}

Tensor TransformerDecoderLayer::operator()(const Tensor& tgt, const Tensor& memory, const AttentionMask& tgt_mask,
                                           const AttentionMask& memory_mask) const {
  Tensor x = started("tgt", tgt);
  x = add(0, x, [&](const Tensor& y) { return attend(0, y, y, tgt_mask); });
  x = add(1, x, [&](const Tensor& y) { return attend(1, y, memory, memory_mask); });
  return add(2, x, [&](const Tensor& y) { return feed(y); });
}

TransformerEncoder::TransformerEncoder(Parameters& params, std::string_view name, std::int64_t layers, std::int64_t d_model,
                                       std::int64_t heads, const TransformerLayerOptions& options, bool norm) {
  check_stack("TransformerEncoder", params, name, kEncoderParts, layers, d_model, heads, options, norm);
  for (std::int64_t i = 0; i < layers; ++i) layers_.emplace_back(params, numbered(name, i), d_model, heads, options);
  if (norm)
    norm_.emplace(params, std::string(name) + ".norm", Shape{d_model}, LayerNormOptions{.eps = options.eps, .bias = options.bias});
}

Tensor TransformerEncoder::operator()(const Tensor& src, const AttentionMask& mask) const {
  Tensor x = src;
  for (const TransformerEncoderLayer& layer : layers_) x = layer(x, mask);
  return norm_ ? (*norm_)(x) : x;
}

void TransformerEncoder::train(bool on) {
  for (TransformerEncoderLayer& layer : layers_) layer.train(on);
}

TransformerDecoder::TransformerDecoder(Parameters& params, std::string_view name, std::int64_t layers, std::int64_t d_model,
                                       std::int64_t heads, const TransformerLayerOptions& options, bool norm) {
  check_stack("TransformerDecoder", params, name, kDecoderParts, layers, d_model, heads, options, norm);
  for (std::int64_t i = 0; i < layers; ++i) layers_.emplace_back(params, numbered(name, i), d_model, heads, options);
  if (norm)
    norm_.emplace(params, std::string(name) + ".norm", Shape{d_model}, LayerNormOptions{.eps = options.eps, .bias = options.bias});
}

Tensor TransformerDecoder::operator()(const Tensor& tgt, const Tensor& memory, const AttentionMask& tgt_mask,
                                      const AttentionMask& memory_mask) const {
  Tensor x = tgt;
  for (const TransformerDecoderLayer& layer : layers_) x = layer(x, memory, tgt_mask, memory_mask);
  return norm_ ? (*norm_)(x) : x;
}

void TransformerDecoder::train(bool on) {
  for (TransformerDecoderLayer& layer : layers_) layer.train(on);
}

Transformer::Transformer(Parameters& params, std::string_view name, const TransformerOptions& options)
    : encoder_(checked(params, name, options), std::string(name) + ".encoder", options.encoder_layers, options.d_model, options.heads,
               layer_options(options), true),
      decoder_(params, std::string(name) + ".decoder", options.decoder_layers, options.d_model, options.heads, layer_options(options),
               true) {}

Tensor Transformer::operator()(const Tensor& src, const Tensor& tgt, const TransformerMasks& masks) const {
  return decoder_(tgt, encoder_(src, masks.src), masks.tgt, masks.memory);
}

void Transformer::train(bool on) {
  encoder_.train(on);
  decoder_.train(on);
}

Tensor square_subsequent_mask(std::int64_t size, TensorOptions options) {
  LUGE_CHECK(ValueError, size >= 0, "square_subsequent_mask: size is {}; it must be 0 or more", size);
  return triu(full({size, size}, -std::numeric_limits<double>::infinity(), options), 1);
}

}  // namespace luge::nn
